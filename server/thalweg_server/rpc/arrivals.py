"""What a StreamLearn call brings: messages, read and decoded while earlier ones are learned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from thalweg.v1 import forecaster_pb2 as pb
from thalweg_server.core.errors import BadRequest, BatchTooLarge, Refusal
from thalweg_server.core.observation import Batch
from thalweg_server.core.service import Service
from thalweg_server.rpc import decode
from thalweg_server.rpc.names import KnownNames

ON_LOOP_ROWS = 200
"""Rows that the event loop converts itself: a few milliseconds, less than a detour costs."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A batch as it came."""

    sequence: int
    batch: Batch


class Arrivals:
    """The messages of one call, until it ends or is stopped.

    Args:
        requests: as gRPC gives them.
        service: for its flavor and limits.
        max_batch_bytes: the largest message that may come.
    """

    def __init__(
        self,
        requests: AsyncIterator[pb.StreamLearnRequest],
        service: Service,
        max_batch_bytes: int,
    ) -> None:
        self._requests = requests
        self._service = service
        self._max_batch_bytes = max_batch_bytes
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
        reading = asyncio.ensure_future(_read(self._requests))
        try:
            either: set[asyncio.Future[Any]] = {reading, self._stop}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            self.check()
            return reading.result()
        finally:
            if not reading.done():
                reading.cancel()
                await asyncio.wait({reading})

    async def batch(self) -> Incoming | None:
        """The next batch, decoded; None at the end. Raises what is wrong with it as a whole."""
        request = await self.message()
        if request is None:
            return None
        count = _row_count(request)
        self._check_size(request, count)
        return Incoming(request.sequence, await _aside(count, lambda: self._decode(request)))

    def _check_size(self, request: pb.StreamLearnRequest, count: int) -> None:
        rows_max, bytes_max = self._service.limits.batch_rows_max, self._max_batch_bytes
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
