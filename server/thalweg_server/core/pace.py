"""How much to do in one go, learned from how long it took."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

GROWTH = 4
"""How many times as much as the last slice the next one may hold."""

MEMORY_SECONDS = 0.1
"""How long after a call the next one is expected."""


@dataclass(slots=True)
class Tempo:
    """How long a slice of long work may take: less where calls wait for its end.

    Args:
        clock: monotonic seconds.
        seconds: while nobody calls.
        seconds_between_calls: while somebody does.
        learned_seconds: what learning has taken since the start.
    """

    clock: Callable[[], float]
    seconds: float
    seconds_between_calls: float
    learned_seconds: float = 0.0
    _called: float = float("-inf")

    def call(self) -> None:
        """Notes that somebody has called and waited for a slice, maybe."""
        self._called = self.clock()

    @contextmanager
    def learning(self) -> Iterator[None]:
        """Measures some learning."""
        start = self.clock()
        yield
        self.learned_seconds += self.clock() - start

    def slice_seconds(self) -> float:
        """How long the next slice may take."""
        called = self.clock() - self._called < MEMORY_SECONDS
        return self.seconds_between_calls if called else self.seconds


@dataclass(slots=True)
class Pace:
    """Sizes slices of one piece of long work so that each takes about as long as it may.

    Args:
        tempo: how long that is.
        size: what to do first.
    """

    tempo: Tempo
    size: int = 8

    @contextmanager
    def slice(self, most: int) -> Iterator[int]:
        """Measures one slice; yields how much it is to do, at most `most`."""
        clock, size = self.tempo.clock, min(self.size, most)
        start = clock()
        yield size
        wanted = size * self.tempo.slice_seconds() / max(clock() - start, 1e-6)
        # Not much more than last time, so that one cheap slice cannot make the next long; and
        # no more than now after less than that, or many small ones would grow it without end.
        grown = GROWTH * size if size == self.size else self.size
        self.size = max(1, min(int(wanted), grown))
