"""StreamLearn: batches in, acks out, and nothing learned twice.

A batch that has begun is finished whatever becomes of its call: the log hands it on to the models,
and a newer stream of the same id waits for it before it reads how far the older one came.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from thalweg.v1 import forecaster_pb2 as pb
from thalweg_server.core.errors import Draining, Refusal, StreamFenced
from thalweg_server.core.service import Service
from thalweg_server.core.validation import shown
from thalweg_server.models_thread import ModelsThread
from thalweg_server.rpc.arrivals import Arrivals
from thalweg_server.rpc.quotas import Batches
from thalweg_server.rpc.session import Session
from thalweg_server.telemetry import Streams


class Sessions:
    """All open streams of a server.

    Args:
        service: where rows are learned.
        models_thread: the thread that does it.
        max_batch_bytes: the largest message a stream may carry.

    Attributes:
        counts: what streams bring, for telemetry.
    """

    def __init__(self, service: Service, models_thread: ModelsThread, max_batch_bytes: int) -> None:
        self._service = service
        self._models_thread = models_thread
        self._max_batch_bytes = max_batch_bytes
        self.counts = Streams()
        self._open: set[Session] = set()
        self._leaving: set[asyncio.Task[None]] = set()

    async def learn(
        self, requests: AsyncIterator[pb.StreamLearnRequest], batches: Batches
    ) -> AsyncIterator[pb.StreamLearnResponse]:
        """One StreamLearn call, whose batches count as those of its caller."""
        arrivals = Arrivals(requests, self._service, self._max_batch_bytes, batches)
        session = Session(arrivals, self._service, self._models_thread, self.counts)
        self._open.add(session)
        self.counts.open += 1
        try:
            async for response in session.run(self.take_over):
                yield response
        finally:
            self.counts.open -= 1
            # Stays listed while its last batches are being learned, so that a newer stream waits.
            leaving = asyncio.create_task(self._leave(session))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    async def _leave(self, session: Session) -> None:
        await session.settled()
        self._open.discard(session)

    async def take_over(self, stream_id: str, new: Session) -> None:
        """Ends older sessions of this id and waits for the batch they are in."""
        older = [s for s in self._open if s is not new and s.stream_id == stream_id]
        for session in older:
            session.stop(
                StreamFenced(f"a newer stream of id {shown(stream_id)} took over: do not reconnect")
            )
        for session in older:
            await session.settled()

    def stop_all(self, reason: Callable[[], Refusal]) -> None:
        """Ends every session after the batch it is in."""
        for session in self._open:
            session.stop(reason())

    async def drain(self) -> None:
        """Ends every session with Draining, after the last ack, and waits for them."""
        self.stop_all(
            lambda: Draining("the server is shutting down: reconnect and resume the stream")
        )
        while self._open:
            await asyncio.sleep(0.01)
