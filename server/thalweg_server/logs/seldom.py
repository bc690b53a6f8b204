"""Events that come in thousands: a line now and then says as much."""

from __future__ import annotations

import time
from collections.abc import Hashable

PAUSE_SECONDS = 1.0
"""Between two lines of a kind."""


class Seldom:
    """Says which events of a kind are to be told. One thread.

    Kinds have to be few: each takes memory for good.
    """

    def __init__(self) -> None:
        self._kinds: dict[Hashable, tuple[float, int]] = {}

    def left_out(self, kind: Hashable) -> int | None:
        """How many of this kind were not told since the last one; None: neither is this one."""
        now = time.monotonic()
        told, count = self._kinds.get(kind, (-PAUSE_SECONDS, 0))
        if now - told < PAUSE_SECONDS:
            self._kinds[kind] = told, count + 1
            return None
        self._kinds[kind] = now, 0
        return count
