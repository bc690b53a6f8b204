"""Thalweg's own `RollingMeans`: weekday and rolling means of the target."""

# ruff: noqa: PLR0913, PLR0917 -- a kernel's functions are given each array by name

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, ClassVar

import numpy as np

from thalweg.m5.features import RollingMeans
from thalweg_server.engines.compiled.errors import TooNarrow, Unlowerable
from thalweg_server.engines.compiled.layout import Array, Views
from thalweg_server.engines.compiled.steps.base import (
    FEATURES_MAX,
    Constants,
    Floats,
    Halves,
    Inputs,
    Ints,
    Step,
    count,
    finites,
    fits_narrow,
    only,
    window,
)

GROUPS = 8
"""Monday to Sunday, then every day."""


def rolling_means_leaving(
    narrow_ring: Halves,
    wide_ring: Floats,
    narrow: bool,
    begin: int,
    size: int,
    head: int,
    windows: Floats,
    leaving: Floats,
) -> None:
    """The target that leaves each window, from a ring that begins at `begin`."""
    for i in range(windows.size):
        oldest = head - int(windows[i])
        if oldest < 0:
            oldest += size
        leaving[i] = float(narrow_ring[begin + oldest]) if narrow else wide_ring[begin + oldest]


def rolling_means_push(
    narrow_ring: Halves,
    wide_ring: Floats,
    narrow: bool,
    begin: int,
    size: int,
    means: Floats,
    count: int,
    terms: Floats,
    leaving: Floats,
    target: float,
) -> None:
    """`features._push`, operation by operation, on a group's means and its ring from `begin`.

    Without a branch, so that a compiler makes vectors of the windows: what a window that is not
    full yet would lose is computed, too, and left.
    """
    head = count % size
    n = means.size
    windows, rates, backs = terms[:n], terms[n : 2 * n], terms[2 * n :]
    rolling_means_leaving(narrow_ring, wide_ring, narrow, begin, size, head, windows, leaving)
    seen = float(count)
    growth = 1.0 / (seen + 1.0)
    for i in range(n):
        mean = means[i]
        kept = mean - backs[i] * (leaving[i] - mean)
        if windows[i] == 1.0:
            kept = 0.0
        rate = rates[i]
        if seen < windows[i]:
            kept = mean
            rate = growth
        means[i] = kept + rate * (target - kept)
    if narrow:
        narrow_ring[begin + head] = target
    else:
        wide_ring[begin + head] = target


def rolling_means_guard(
    x: Floats,
    y: float,
    counts: Ints,
    narrow_ring: Halves,
    wide_ring: Floats,
    means: Floats,
    weekdays: Floats,
    every: Floats,
    settings: Ints,
    leaving: Floats,
) -> bool:
    """Whether the target would lose bits in four bytes."""
    return settings[0] != 0 and float(np.float32(y)) != y


def rolling_means_learn(
    x: Floats,
    y: float,
    day: int,
    counts: Ints,
    narrow_ring: Halves,
    wide_ring: Floats,
    means: Floats,
    weekdays: Floats,
    every: Floats,
    settings: Ints,
    leaving: Floats,
) -> int:
    """Weekday first, then every day. The weekdays' rings come one after the other."""
    weekday = (day + 3) % 7
    narrow = settings[0] != 0
    size = settings[1]
    n = weekdays.size // 3
    rolling_means_push(
        narrow_ring,
        wide_ring,
        narrow,
        weekday * size,
        size,
        means[weekday * n : weekday * n + n],
        counts[weekday],
        weekdays,
        leaving,
        y,
    )
    counts[weekday] += 1
    rolling_means_push(
        narrow_ring,
        wide_ring,
        narrow,
        7 * size,
        settings[2],
        means[7 * n :],
        counts[7],
        every,
        leaving,
        y,
    )
    counts[7] += 1
    return 0


def rolling_means_transform(
    x: Floats,
    out: Floats,
    day: int,
    counts: Ints,
    narrow_ring: Halves,
    wide_ring: Floats,
    means: Floats,
    weekdays: Floats,
    every: Floats,
    settings: Ints,
    leaving: Floats,
) -> None:
    """The largest windows first: a union hands on its last part first."""
    weekday = (day + 3) % 7
    n, m = weekdays.size // 3, every.size // 3
    for i in range(n):
        out[i] = means[weekday * n + n - 1 - i]
    for i in range(m):
        out[n + i] = means[7 * n + m - 1 - i]
    out[n + m] = float(weekday)


class LoweredRollingMeans(Step):
    """See `thalweg.m5.RollingMeans`, whose layout of state this is."""

    kind = "rolling_means"
    supervised = True
    dated = True
    reads = ()
    whole = frozenset({"weekday"})
    transform = rolling_means_transform
    learn = rolling_means_learn
    guard = rolling_means_guard
    helpers: ClassVar = (rolling_means_leaving, rolling_means_push)

    def __init__(self, estimator: RollingMeans, inputs: Inputs) -> None:
        only(estimator, {"windows", "weekday_windows", "_counts", "_targets", "_means"})
        for size in (*estimator.windows, *estimator.weekday_windows):
            window(size, "a window of RollingMeans")
        self.windows = tuple(estimator.windows)
        self.weekday_windows = tuple(estimator.weekday_windows)
        if len(self.windows) + len(self.weekday_windows) >= FEATURES_MAX:
            raise Unlowerable(f"RollingMeans has more than {FEATURES_MAX} windows")
        self._narrow = inputs.narrow
        self.outputs = _outputs(self.windows, self.weekday_windows)

    @property
    def narrow(self) -> bool:
        """See `Step.narrow`."""
        return self._narrow

    @property
    def _sizes(self) -> list[int]:
        """Of the rings, group by group."""
        return [max(self.weekday_windows)] * 7 + [max(self.windows)]

    def _ring(self, views: Views) -> Any:
        return views["narrow_ring" if self._narrow else "wide_ring"]

    @property
    def arrays(self) -> Sequence[Array]:
        """See `Step.arrays`."""
        means = 7 * len(self.weekday_windows) + len(self.windows)
        kept = sum(self._sizes)
        return (
            Array("counts", "int", GROUPS),
            Array("narrow_ring", "half", kept if self._narrow else 0),
            Array("wide_ring", "float", 0 if self._narrow else kept),
            Array("means", "float", means),
        )

    @property
    def constants(self) -> Constants:
        """See `Step.constants`."""
        return {
            "weekdays": _terms(self.weekday_windows),
            "every": _terms(self.windows),
            "settings": np.array([self._narrow, self._sizes[0], self._sizes[7]], np.int64),
        }

    @property
    def scratch(self) -> Sequence[Array]:
        """See `Step.scratch`."""
        return (Array("leaving", "float", max(len(self.windows), len(self.weekday_windows))),)

    def lower(self, estimator: Any, views: Views) -> None:
        """See `Step.lower`."""
        rings = estimator._targets
        if [len(ring) for ring in rings] != self._sizes:
            raise Unlowerable("RollingMeans has rings of other sizes than its windows")
        views["counts"][:] = [count(each) for each in estimator._counts]
        kept = finites(chain.from_iterable(rings))
        if self._narrow and not fits_narrow(kept):
            raise TooNarrow("targets do not fit in four bytes")
        self._ring(views)[:] = kept
        means = [mean for group in estimator._means for mean in group]
        if len(means) != len(views["means"]):
            raise Unlowerable("RollingMeans has other means than windows")
        views["means"][:] = [float(mean) for mean in means]

    def lift(self, views: Views, estimator: Any) -> None:
        """See `Step.lift`."""
        estimator._counts[:] = views["counts"].tolist()
        groups = np.split(self._ring(views), np.cumsum(self._sizes)[:-1])
        split = np.arange(1, GROUPS) * len(self.weekday_windows)
        means = np.split(views["means"], split)
        for group in range(GROUPS):
            for i, target in enumerate(groups[group].tolist()):
                estimator._targets[group][i] = target
            for i, mean in enumerate(means[group].tolist()):
                estimator._means[group][i] = mean


@lru_cache
def _outputs(windows: tuple[int, ...], weekday_windows: tuple[int, ...]) -> tuple[str, ...]:
    fresh = RollingMeans(windows, weekday_windows)
    return tuple(map(str, fresh.transform_one({"date": "1970-01-01"})))


def _terms(windows: Sequence[int]) -> Floats:
    """Windows, by what a target in one weighs, by what the one that leaves does."""
    sizes = np.array(windows, np.float64)
    backs = [1.0 / (size - 1.0) if size > 1 else 0.0 for size in windows]
    return np.concatenate((sizes, 1.0 / sizes, backs))
