"""What a StreamLearn call brings: messages, read and decoded while earlier ones are learned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from time import perf_counter
from typing import Any, TypeVar

from thalweg.v1 import forecaster_pb2 as pb
from thalweg_server.core.errors import BadRequest, BatchTooLarge, Refusal
from thalweg_server.core.observation import Batch
from thalweg_server.core.service import Service
from thalweg_server.rpc import decode
from thalweg_server.rpc.names import KnownNames
from thalweg_server.rpc.quotas import Batches, Hold

ON_LOOP_ROWS = 200
"""Rows that the event loop converts itself: a few milliseconds, less than a detour costs."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A batch as it came, and when: seconds of `perf_counter`."""

    sequence: int
    batch: Batch
    hold: Hold
    arrived: float


class Arrivals:
    """The messages of one call, until it ends or is stopped.

    Args:
        requests: as gRPC gives them.
        service: for its flavor and limits.
        max_batch_bytes: the largest message that may come.
        batches: counts what the caller has under way; the next message is read once there is room
            for this one.
    """

    def __init__(
        self,
        requests: AsyncIterator[pb.StreamLearnRequest],
        service: Service,
        max_batch_bytes: int,
        batches: Batches,
    ) -> None:
        self._requests = requests
        self._service = service
        self.max_batch_bytes = max_batch_bytes
        self._batches = batches
        self._names = KnownNames()
        self._stop: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def stop(self, refusal: Refusal) -> None:
        """Has this raised in place of the next message."""
        if not self._stop.done():
            self._stop.set_exception(refusal)
            self._stop.exception()  # seen: a call may end before it looks

    def check(self) -> None:
        """Raises what `stop` was given."""
        if self._stop.done():
            self._stop.result()

    async def message(self) -> pb.StreamLearnRequest | None:
        """The next message, None at the end; raises what `stop` was given."""
        return await self._unless_stopped(_read(self._requests))

    async def batch(self) -> Incoming | None:
        """The next batch, decoded; None at the end. Raises what is wrong with it as a whole."""
        request = await self.message()
        if request is None:
            return None
        arrived = perf_counter()
        count = _row_count(request)
        size = request.ByteSize()
        self._check_size(request.sequence, count, size)
        hold = self._batches.take_now(count, size)
        if hold is None:
            hold = await self._unless_stopped(self._batches.take(count, size))
        try:
            batch = await _aside(count, lambda: self._decode(request))
        except BaseException:
            hold.release()
            raise
        return Incoming(request.sequence, batch, hold, arrived)

    async def _unless_stopped(self, waited: Coroutine[Any, Any, T]) -> T:
        """What is waited for; raises what `stop` was given, whichever comes first."""
        waiting = asyncio.ensure_future(waited)
        try:
            either: set[asyncio.Future[Any]] = {waiting, self._stop}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                self.check()
            return waiting.result()  # may be a hold, which must not be lost
        finally:
            if not waiting.done():
                waiting.cancel()
                await asyncio.wait({waiting})

    def _check_size(self, sequence: int, count: int, size: int) -> None:
        rows_max, bytes_max = self._service.limits.batch_rows_max, self.max_batch_bytes
        if count > rows_max:
            raise BatchTooLarge(f"batch {sequence} has {count} rows: at most {rows_max}")
        if size > bytes_max:
            raise BatchTooLarge(f"batch {sequence} has {size} bytes: at most {bytes_max}")
        if not count:
            raise BadRequest(f"batch {sequence} is empty", field="body")

    def _decode(self, request: pb.StreamLearnRequest) -> Batch:
        limits = self._service.limits
        if request.WhichOneof("body") == "rows":
            batch = decode.rows(request.rows.rows, limits)
        else:
            batch = decode.columns(request.columns, limits, self._names)
        return self._service.classroom.prepared(batch)


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
