"""What each caller has under way: calls, streams, bytes and rows, counted and bounded.

All of it belongs to the event loop's thread. Every step is O(1) in the number of callers and calls;
a caller of whom nothing is under way takes no memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from thalweg_server.callers.identity import ANONYMOUS, CALLER
from thalweg_server.config import Config
from thalweg_server.core.errors import LimitReached, Overloaded
from thalweg_server.core.validation import shown


def caller_key(context: Any) -> str:
    """Whose limits a call counts against: the caller's name, else its address without the port."""
    name = CALLER.get().name
    if name != ANONYMOUS.name:
        return f"caller {shown(name)}"
    peer: str = context.peer()
    return f"address {peer.rpartition(':')[0] or peer}"


class Usage:
    """What one caller has under way.

    Attributes:
        calls: unary calls,
        call_bytes: and the size of their requests.
        streams: streaming calls.
        rows: of their batches that are not applied yet,
        batch_bytes: and the size of these.
    """

    __slots__ = ("batch_bytes", "call_bytes", "calls", "rows", "streams", "waiting")

    def __init__(self) -> None:
        self.calls = self.call_bytes = self.streams = self.rows = self.batch_bytes = 0
        self.waiting: deque[tuple[int, int, asyncio.Future[None]]] = deque()

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not (self.calls or self.streams or self.rows or self.batch_bytes or self.waiting)


class Quotas:
    """The bounds, and what counts against them."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._usage: dict[str, Usage] = {}
        self.calls = 0
        self.streams = 0

    def __len__(self) -> int:
        """Callers that have anything under way."""
        return len(self._usage)

    @contextmanager
    def call(self, key: str, size: int) -> Iterator[None]:
        """Counts a unary call while it lasts; raises Overloaded.

        Args:
            key: whose it is.
            size: bytes of its request.
        """
        usage = self._usage.get(key) or Usage()
        self._check_call(usage, key, size)
        self._usage[key] = usage
        self.calls += 1
        usage.calls += 1
        usage.call_bytes += size
        try:
            yield
        finally:
            self.calls -= 1
            usage.calls -= 1
            usage.call_bytes -= size
            self.forget_idle(key, usage)

    @contextmanager
    def stream(self, key: str) -> Iterator[None]:
        """Counts a streaming call while it lasts; raises LimitReached."""
        usage = self._usage.get(key) or Usage()
        self._check_stream(usage, key)
        self._usage[key] = usage
        self.streams += 1
        usage.streams += 1
        try:
            yield
        finally:
            self.streams -= 1
            usage.streams -= 1
            self.forget_idle(key, usage)

    def batches(self, key: str) -> Batches:
        """What counts the batches of a caller's streams."""
        return Batches(self, key)

    def usage(self, key: str) -> Usage:
        """What a caller has under way; kept from now on while that is anything."""
        return self._usage.setdefault(key, Usage())

    def fits(self, usage: Usage, rows: int, size: int) -> bool:
        """Whether a batch may join those of its caller. Alone it always may."""
        config = self._config
        return not usage.rows or (
            usage.rows + rows <= config.inflight_rows_per_caller_max
            and usage.batch_bytes + size <= config.inflight_bytes_per_caller_max
        )

    def _check_call(self, usage: Usage, key: str, size: int) -> None:
        config = self._config
        if usage.calls >= config.calls_per_caller_max:
            raise Overloaded(
                f"{key} has {usage.calls} calls under way, the most that one caller may: try again "
                "in a second"
            )
        if usage.calls and usage.call_bytes + size > config.inflight_bytes_per_caller_max:
            raise Overloaded(
                f"{key} has calls of {usage.call_bytes} bytes under way, and {size} more are too "
                f"many: at most {config.inflight_bytes_per_caller_max}; try again in a second"
            )
        if self.calls >= config.calls_max:
            raise Overloaded(
                f"{self.calls} calls are under way, the most that may be: try again in a second"
            )

    def _check_stream(self, usage: Usage, key: str) -> None:
        config = self._config
        if usage.streams >= config.streams_per_caller_max:
            raise LimitReached(
                f"{key} has {usage.streams} streams open, the most that one caller may: end some "
                "first"
            )
        if self.streams >= config.streams_max:
            raise LimitReached(
                f"{self.streams} streams are open, the most that may be: end some first"
            )

    def forget_idle(self, key: str, usage: Usage) -> None:
        """Lets go of what is known of a caller of whom nothing is under way."""
        if usage.idle:
            self._usage.pop(key, None)


class Batches:
    """Counts the batches of one caller's streams, and holds back those that are too many.

    Args:
        quotas: the bounds.
        key: whose batches.
    """

    def __init__(self, quotas: Quotas, key: str) -> None:
        self._quotas = quotas
        self._key = key

    def take_now(self, rows: int, size: int) -> Hold | None:
        """Room for a batch where there is some and nobody waits for it.

        Args:
            rows: of the batch.
            size: its bytes.
        """
        usage = self._quotas.usage(self._key)
        if usage.waiting or not self._quotas.fits(usage, rows, size):
            return None
        usage.rows += rows
        usage.batch_bytes += size
        return Hold(self, rows, size)

    async def take(self, rows: int, size: int) -> Hold:
        """Room for a batch, waited for behind those that came before it."""
        hold = self.take_now(rows, size)
        if hold is not None:
            return hold
        usage = self._quotas.usage(self._key)
        room: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        usage.waiting.append((rows, size, room))
        try:
            await room
        except asyncio.CancelledError:
            if room.done() and not room.cancelled():  # just granted
                self.give_back(rows, size)
            else:
                self.give_back(0, 0)  # whoever waits behind may fit
            raise
        return Hold(self, rows, size)

    def give_back(self, rows: int, size: int) -> None:
        """Ends a hold, and lets in who waits."""
        usage = self._quotas.usage(self._key)
        usage.rows -= rows
        usage.batch_bytes -= size
        while usage.waiting:
            more_rows, more_bytes, room = usage.waiting[0]
            if not room.done():
                if not self._quotas.fits(usage, more_rows, more_bytes):
                    break
                usage.rows += more_rows
                usage.batch_bytes += more_bytes
                room.set_result(None)
            usage.waiting.popleft()
        self._quotas.forget_idle(self._key, usage)


class Hold:
    """A batch that is counted until it is released."""

    __slots__ = ("_batches", "_rows", "_size")

    def __init__(self, batches: Batches, rows: int, size: int) -> None:
        self._batches: Batches | None = batches
        self._rows = rows
        self._size = size

    def release(self) -> None:
        """Counts it no longer; idempotent."""
        if self._batches is not None:
            batches, self._batches = self._batches, None
            batches.give_back(self._rows, self._size)
