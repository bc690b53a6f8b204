"""One StreamLearn call: a batch that has begun is finished whatever becomes of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from time import perf_counter
from typing import TypeAlias

from thalweg.v1 import forecaster_pb2 as pb
from thalweg_server.core.backlog import Turn
from thalweg_server.core.errors import Refusal, StorageFailed, StreamNotOpen
from thalweg_server.core.service import Service
from thalweg_server.core.streams import Stream
from thalweg_server.core.validation import check_id
from thalweg_server.models_thread import ModelsThread
from thalweg_server.rpc import encode
from thalweg_server.rpc.arrivals import Arrivals, Incoming
from thalweg_server.telemetry import Streams

INFLIGHT_BATCHES = 8
"""Batches worth keeping in flight: enough to hide a round trip behind the learning."""

BEGUN_MAX = 4
"""Batches of a stream under way: while one is learned, the next ones share a commit."""

TakeOver: TypeAlias = Callable[[str, "Session"], Awaitable[None]]


class Session:
    """One StreamLearn call."""

    def __init__(
        self,
        arrivals: Arrivals,
        service: Service,
        models_thread: ModelsThread,
        counts: Streams,
    ) -> None:
        self.stream_id = ""
        self._counts = counts
        self._arrivals = arrivals
        self._service = service
        self._models_thread = models_thread
        self._begun: set[asyncio.Task[pb.StreamAck]] = set()

    def stop(self, refusal: Refusal) -> None:
        """Ends the session with this error once the batches that it has begun are acked."""
        self._arrivals.stop(refusal)

    async def settled(self) -> None:
        """Waits until no batch of this session is logged or learned."""
        while self._begun:
            await asyncio.wait(self._begun)

    async def run(self, take_over: TakeOver) -> AsyncIterator[pb.StreamLearnResponse]:
        """Answers `open`, then acks batch after batch; `take_over` ends older sessions first."""
        first = await self._arrivals.message()
        if first is None:
            return
        if first.WhichOneof("body") != "open":
            raise StreamNotOpen("the first message of a stream must be open", field="open")
        stream = await self._open_stream(first.open, take_over)
        try:
            yield pb.StreamLearnResponse(opened=self._opened(stream))
            async for ack in self._acks(stream, first.open):
                yield pb.StreamLearnResponse(ack=ack)
        finally:
            self._models_thread.slice(lambda: self._service.streams.close(stream))

    async def _acks(self, stream: Stream, options: pb.StreamOpen) -> AsyncIterator[pb.StreamAck]:
        """Acks batch after batch; the next ones are read and logged while one is learned."""
        begun: asyncio.Queue[asyncio.Task[pb.StreamAck] | None] = asyncio.Queue()
        room = asyncio.Semaphore(BEGUN_MAX)

        async def begin_all() -> None:
            try:
                while (incoming := await self._arrivals.batch()) is not None:
                    self._counts.waiting_rows += len(incoming.batch)
                    try:
                        await room.acquire()
                        self._arrivals.check()  # once begun, a batch is finished
                        begun.put_nowait(self._begin(stream, options, incoming))
                    except BaseException:
                        self._release(incoming)
                        raise
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
            turn = self._service.schooling.turn(
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
        task.add_done_callback(partial(self._ended, incoming))
        return task

    def _release(self, incoming: Incoming) -> None:
        """Counts a batch as under way no longer."""
        incoming.hold.release()
        self._counts.waiting_rows -= len(incoming.batch)

    def _logged(self, turn: Turn, applied: asyncio.Future[bool], position: int | None) -> None:
        """Has a durable batch learned; called in the order of the log, by a thread of the store."""
        if position is None:
            failed = StorageFailed("the server's storage failed, it is going down: resume later")
            applied.get_loop().call_soon_threadsafe(applied.set_exception, failed)
            return
        self._service.backlog.put(turn, position)
        self._models_thread.lane(self._service.schooling.step, applied)

    def _ended(self, incoming: Incoming, task: asyncio.Task[pb.StreamAck]) -> None:
        self._begun.discard(task)
        self._release(incoming)
        # Whoever waits for it sees what it raised, if anybody still does.
        if not task.cancelled() and task.exception() is None:
            self._counts.batches.add(perf_counter() - incoming.arrived)

    async def _applied(self, turn: Turn, applied: asyncio.Future[bool]) -> pb.StreamAck:
        await applied
        sequence, durable = turn.event.sequence, self._service.store.durable
        return encode.ack(turn.job.report, sequence=sequence, durable=durable)

    async def _repeated(
        self, logged: int, incoming: Incoming, before: set[asyncio.Task[pb.StreamAck]]
    ) -> pb.StreamAck:
        """The ack of what was taken in before, once all that was is applied."""
        await asyncio.gather(*before)
        return pb.StreamAck(
            sequence=incoming.sequence,
            applied_sequence=logged,
            durable_sequence=logged if self._service.store.durable else 0,
            duplicates=len(incoming.batch),
        )

    async def _open_stream(self, message: pb.StreamOpen, take_over: TakeOver) -> Stream:
        self._service.ready()
        check_id(message.stream_id, self._service.limits, field="open.stream_id")
        self.stream_id = message.stream_id
        if message.stream_id:
            await take_over(message.stream_id, self)
        return await self._models_thread.slice(
            lambda: self._service.streams.open(message.stream_id, time.time())
        )

    def _opened(self, stream: Stream) -> pb.StreamOpened:
        durable = self._service.store.durable
        return pb.StreamOpened(
            last_applied_sequence=stream.logged,
            last_durable_sequence=stream.logged if durable else 0,
            durable=durable,
            max_batch_rows=self._service.limits.batch_rows_max,
            max_batch_bytes=self._arrivals.max_batch_bytes,
            max_inflight_batches=INFLIGHT_BATCHES,
        )
