"""How much to do in one go, learned from how long it took."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

GROWTH = 4
"""How many times as much as the last slice the next one may hold."""


@dataclass(slots=True)
class Pace:
    """Sizes slices of long work so that each takes about the same time.

    Args:
        clock: monotonic seconds.
        seconds: how long a slice may take.
        size: what to do first.
    """

    clock: Callable[[], float]
    seconds: float
    size: int = 8

    @contextmanager
    def slice(self) -> Iterator[None]:
        """Measures one slice."""
        start = self.clock()
        yield
        wanted = self.size * self.seconds / max(self.clock() - start, 1e-6)
        # Not much more than last time, so that one cheap slice cannot make the next long.
        self.size = max(1, min(int(wanted), GROWTH * self.size))
