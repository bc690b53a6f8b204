"""How long things took, counted in buckets: what Prometheus makes quantiles of."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds of the buckets: Prometheus' own, and below them what a Predict takes."""


class Durations:
    """A histogram of durations. Written by one thread; any thread may read.

    With a single writer the counts are plain numbers, at a fifth of the price of
    prometheus_client's own, which take a lock each: this is on the path of every call.

    Attributes:
        seconds: all of them together.
    """

    __slots__ = ("_buckets", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self._buckets = [0] * (len(SECONDS) + 1)

    def add(self, seconds: float) -> None:
        """Counts one."""
        self.seconds += seconds
        self._buckets[bisect_left(SECONDS, seconds)] += 1

    @property
    def counts(self) -> list[int]:
        """How many took at most as long as each of the bounds, and at last how many there are."""
        return list(accumulate(self._buckets))
