"""StreamLearn: batches in, acks out, and nothing learned twice.

A batch that has begun is finished whatever becomes of its call: the log hands it on to the models,
and a newer stream of the same id waits for it before it reads how far the older one came.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from thalweg.v1 import forecaster_pb2 as pb
from thalweg_server.core.backlog import Turn
from thalweg_server.core.errors import (
    BadRequest,
    BatchTooLarge,
    Draining,
    Refusal,
    StorageFailed,
    StreamFenced,
    StreamNotOpen,
)
from thalweg_server.core.observation import Batch
from thalweg_server.core.service import Service
from thalweg_server.core.streams import Stream
from thalweg_server.core.validation import check_id, shown
from thalweg_server.rpc import decode, encode
from thalweg_server.rpc.names import KnownNames
from thalweg_server.worker import Worker

INFLIGHT_BATCHES = 8
"""Batches worth keeping in flight: enough to hide a round trip behind the learning."""

BEGUN_MAX = 2
"""Batches of a stream under way: the next one is logged while one is learned."""

ON_LOOP_ROWS = 200
"""Rows that the event loop converts itself: a few milliseconds, less than a detour costs."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A batch as it came."""

    sequence: int
    batch: Batch


class Sessions:
    """All open streams of a server.

    Args:
        service: where rows are learned.
        worker: the thread that does it.
        max_batch_bytes: the largest message a stream may carry.
    """

    def __init__(self, service: Service, worker: Worker, max_batch_bytes: int) -> None:
        self.service = service
        self.worker = worker
        self.max_batch_bytes = max_batch_bytes
        self._open: set[Session] = set()
        self._leaving: set[asyncio.Task[None]] = set()

    async def learn(
        self, requests: AsyncIterator[pb.StreamLearnRequest]
    ) -> AsyncIterator[pb.StreamLearnResponse]:
        """One StreamLearn call."""
        session = Session(self)
        self._open.add(session)
        try:
            async for response in session.run(requests):
                yield response
        finally:
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


class Session:
    """One StreamLearn call."""

    def __init__(self, sessions: Sessions) -> None:
        self.stream_id = ""
        self._sessions = sessions
        self._service = sessions.service
        self._worker = sessions.worker
        self._stop: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._begun: set[asyncio.Task[pb.StreamAck]] = set()
        self._names = KnownNames()

    def stop(self, refusal: Refusal) -> None:
        """Ends the session with this error once the batches that it has begun are acked."""
        if not self._stop.done():
            self._stop.set_exception(refusal)
            self._stop.exception()  # seen: a session may end before it looks

    async def settled(self) -> None:
        """Waits until no batch of this session is logged or learned."""
        while self._begun:
            await asyncio.wait(self._begun)

    async def run(
        self, requests: AsyncIterator[pb.StreamLearnRequest]
    ) -> AsyncIterator[pb.StreamLearnResponse]:
        """Answers `open`, then acks batch after batch."""
        first = await self._next(requests)
        if first is None:
            return
        if first.WhichOneof("body") != "open":
            raise StreamNotOpen("the first message of a stream must be open", field="open")
        stream = await self._open_stream(first.open)
        try:
            yield pb.StreamLearnResponse(opened=self._opened(stream))
            async for ack in self._acks(stream, first.open, requests):
                yield pb.StreamLearnResponse(ack=ack)
        finally:
            self._worker.slice(lambda: self._service.streams.close(stream))

    async def _acks(
        self, stream: Stream, options: pb.StreamOpen, requests: AsyncIterator[pb.StreamLearnRequest]
    ) -> AsyncIterator[pb.StreamAck]:
        """Acks batch after batch; the next ones are read and logged while one is learned."""
        begun: asyncio.Queue[asyncio.Task[pb.StreamAck] | None] = asyncio.Queue()
        room = asyncio.Semaphore(BEGUN_MAX)

        async def begin_all() -> None:
            try:
                while (incoming := await self._incoming(requests)) is not None:
                    await room.acquire()
                    self._check_stop()  # once begun, a batch is finished
                    begun.put_nowait(self._begin(stream, options, incoming))
            finally:
                begun.put_nowait(None)

        beginning = asyncio.create_task(begin_all())
        try:
            while (batch := await begun.get()) is not None:
                # Shielded: a call that is cancelled must not leave half a batch behind.
                ack = await asyncio.shield(batch)
                room.release()
                yield ack
            await beginning  # raises what ended it
        finally:
            beginning.cancel()
            await asyncio.wait({beginning})

    def _begin(
        self, stream: Stream, options: pb.StreamOpen, incoming: Incoming
    ) -> asyncio.Task[pb.StreamAck]:
        """Hands a batch to the log, from where it goes to the models whatever becomes of the call.

        Raises SequenceGap, StreamFenced, and then nothing has happened.
        """
        if stream.is_repeat(incoming.sequence):
            task = asyncio.create_task(self._repeated(stream.logged, incoming, {*self._begun}))
        else:
            stream.logged = incoming.sequence
            turn = self._service.turn(
                incoming.batch,
                at=time.time(),
                stream=stream,
                sequence=incoming.sequence,
                skip_learned_dates=options.skip_learned_dates,
                predictions=options.return_predictions,
            )
            applied: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            self._service.store.submit(turn.event, partial(self._logged, turn, applied))
            task = asyncio.create_task(self._applied(turn, applied))
        self._begun.add(task)
        task.add_done_callback(self._ended)
        return task

    def _logged(self, turn: Turn, applied: asyncio.Future[bool], position: int | None) -> None:
        """Has a durable batch learned; called in the order of the log, by a thread of the store."""
        if position is None:
            failed = StorageFailed("the server's storage failed, it is going down: resume later")
            applied.get_loop().call_soon_threadsafe(applied.set_exception, failed)
            return
        self._service.backlog.put(turn, position)
        self._worker.lane(self._service.step, applied)

    def _ended(self, task: asyncio.Task[pb.StreamAck]) -> None:
        self._begun.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waits for it sees it, if anybody still does

    async def _applied(self, turn: Turn, applied: asyncio.Future[bool]) -> pb.StreamAck:
        await applied
        sequence, durable = turn.event.sequence, self._service.store.durable
        return encode.ack(turn.job.report, sequence=sequence, durable=durable)

    async def _repeated(
        self, logged: int, incoming: Incoming, before: set[asyncio.Task[pb.StreamAck]]
    ) -> pb.StreamAck:
        """The ack of what was taken in before, once all that was is applied."""
        if before:
            await asyncio.wait(before)
        return pb.StreamAck(
            sequence=incoming.sequence,
            applied_sequence=logged,
            durable_sequence=logged if self._service.store.durable else 0,
            duplicates=len(incoming.batch),
        )

    async def _incoming(self, requests: AsyncIterator[pb.StreamLearnRequest]) -> Incoming | None:
        """The next batch, decoded; None at the end. Raises what is wrong with it as a whole."""
        request = await self._next(requests)
        if request is None:
            return None
        count = _row_count(request)
        self._check_size(request, count)
        batch = await _aside(count, lambda: self._decode(request))
        return Incoming(request.sequence, batch)

    async def _next(
        self, requests: AsyncIterator[pb.StreamLearnRequest]
    ) -> pb.StreamLearnRequest | None:
        """The next message, None at the end; raises the error that `stop` was given."""
        reading = asyncio.ensure_future(_read(requests))
        try:
            either: set[asyncio.Future[Any]] = {reading, self._stop}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            self._check_stop()
            return reading.result()
        finally:
            if not reading.done():
                reading.cancel()
                await asyncio.wait({reading})

    def _check_stop(self) -> None:
        if self._stop.done():
            self._stop.result()

    async def _open_stream(self, message: pb.StreamOpen) -> Stream:
        self._service.ready()
        check_id(message.stream_id, self._service.limits, field="open.stream_id")
        self.stream_id = message.stream_id
        if message.stream_id:
            await self._sessions.take_over(message.stream_id, self)
        return await self._worker.slice(
            lambda: self._service.streams.open(message.stream_id, time.time())
        )

    def _opened(self, stream: Stream) -> pb.StreamOpened:
        durable = self._service.store.durable
        return pb.StreamOpened(
            last_applied_sequence=stream.logged,
            last_durable_sequence=stream.logged if durable else 0,
            durable=durable,
            max_batch_rows=self._service.limits.batch_rows_max,
            max_batch_bytes=self._sessions.max_batch_bytes,
            max_inflight_batches=INFLIGHT_BATCHES,
        )

    def _check_size(self, request: pb.StreamLearnRequest, count: int) -> None:
        rows_max, bytes_max = self._service.limits.batch_rows_max, self._sessions.max_batch_bytes
        if count > rows_max:
            raise BatchTooLarge(f"batch {request.sequence} has {count} rows: at most {rows_max}")
        if request.ByteSize() > bytes_max:
            raise BatchTooLarge(
                f"batch {request.sequence} has {request.ByteSize()} bytes: at most {bytes_max}"
            )
        if not count:
            raise BadRequest(f"batch {request.sequence} is empty", field="body")

    def _decode(self, request: pb.StreamLearnRequest) -> Batch:
        limits = self._service.limits
        if request.WhichOneof("body") == "rows":
            return self._service.classroom.prepared(decode.rows(request.rows.rows, limits))
        return self._service.classroom.prepared(
            decode.columns(request.columns, limits, self._names)
        )


async def _aside(rows: int, function: Callable[[], T]) -> T:
    """Runs a function whose time grows with the rows, off the event loop where they are many."""
    return function() if rows <= ON_LOOP_ROWS else await asyncio.to_thread(function)


async def _read(
    requests: AsyncIterator[pb.StreamLearnRequest],
) -> pb.StreamLearnRequest | None:
    return await anext(requests, None)


def _row_count(request: pb.StreamLearnRequest) -> int:
    body = request.WhichOneof("body")
    if body == "open":
        raise BadRequest("open comes once, as the first message of a stream", field="open")
    if body == "rows":
        return len(request.rows.rows)
    return len(request.columns.target) or len(request.columns.target_text)
