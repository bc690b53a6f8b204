"""The M5 example's features and its two pipelines, as River estimators.

In plain River the features are a union of 29 `TargetAgg`s, each with its own copy of the last
targets. `RollingMeans` keeps each target once and answers the same bits in the same order.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any

from river import base, compose, linear_model, neighbors, optim, preprocessing
from river.base.typing import FeatureName, Target

DAYS_PER_WEEK = 7
EVERY_DAY = DAYS_PER_WEEK
"""The group of all observations, after the seven groups of one weekday each."""


class RollingMeans(base.SupervisedTransformer, base.Transformer):
    """The weekday and rolling means of the target, for the sales of ONE item.

    Reads `x["date"]` (`YYYY-MM-DD` or a `datetime.date`) and nothing else. Gives, in the order
    of a River union of `Select("weekday")` and the `TargetAgg`s: the means over the last k
    observations of the same weekday (`last{k}_mean_by_weekday`), largest k first, those over
    the last k observations of any day (`last{k}_mean_by_id`), and `weekday` (0 = Monday).
    A mean of nothing is 0.0, as in River.

    River's pipelines ask a step's class: `Transformer` makes it a step in the middle, and
    `SupervisedTransformer` gives it the target, after it has transformed.

    `transform_one` is pure: it changes no state, whatever it is asked. `learn_one` changes all
    of its state or, when it raises, none.

    State, by group g (0-6 = Monday-Sunday, 7 = every day), all allocated at the start:
    `_counts[g]`, observations so far; `_targets[g]`, the last targets as a ring of float64 whose
    next slot is `_counts[g] % len(ring)`; `_means[g]`, one float64 per window.

    Args:
        windows: sizes, in observations, of the means over any day.
        weekday_windows: sizes, in observations, of the means over the same weekday.

    Raises:
        ValueError: no windows, or windows that are not distinct positive integers.
    """

    def __init__(
        self,
        windows: Iterable[int] = tuple(range(1, 8)),
        weekday_windows: Iterable[int] = (*range(1, 21), 25, 30),
    ) -> None:
        self.windows = _checked(windows)
        self.weekday_windows = _checked(weekday_windows)
        groups = [self.weekday_windows] * DAYS_PER_WEEK + [self.windows]
        self._counts = [0] * len(groups)
        self._targets = [_zeros(max(sizes)) for sizes in groups]
        self._means = [_zeros(len(sizes)) for sizes in groups]

    def learn_one(self, x: Mapping[Any, Any], y: Target) -> None:  # type: ignore[override]
        """Take in the target of one observation.

        Args:
            x: the observation's context; its `date` says the weekday.
            y: the units sold.

        Raises:
            KeyError: `x` has no date.
            TypeError, ValueError: the date or the target is not one; nothing is learned.
        """
        target = float(y)
        for group, windows in ((_weekday(x), self.weekday_windows), (EVERY_DAY, self.windows)):
            _push(self._targets[group], self._means[group], self._counts[group], windows, target)
            self._counts[group] += 1

    def transform_one(self, x: Mapping[Any, Any]) -> dict[FeatureName, Any]:
        """Give the features of one observation; changes nothing.

        Args:
            x: the observation's context; its `date` says the weekday.

        Raises:
            KeyError: `x` has no date.
            ValueError: the date is not one.
        """
        weekday = _weekday(x)
        names = _names(self.windows, self.weekday_windows)
        # A union hands on its last part first; distances add up in that order.
        means = self._means[weekday][::-1] + self._means[EVERY_DAY][::-1]
        features: dict[FeatureName, Any] = dict(zip(names, means, strict=True))
        features["weekday"] = weekday
        return features


def knn() -> compose.Pipeline:
    """Make the example's nearest neighbours: the mean of 15 days out of the last 30."""
    return compose.Pipeline(
        RollingMeans(),
        preprocessing.StandardScaler(),
        neighbors.KNNRegressor(n_neighbors=15, engine=neighbors.LazySearch(window_size=30)),
    )


def lm() -> compose.Pipeline:
    """Make the example's linear model: gradient descent at 0.005, its intercept at 0.001."""
    return compose.Pipeline(
        RollingMeans(),
        preprocessing.MinMaxScaler(),
        linear_model.LinearRegression(optimizer=optim.SGD(0.005), intercept_lr=0.001),
    )


def _push(
    ring: array[float], means: array[float], count: int, windows: tuple[int, ...], target: float
) -> None:
    """Move every window's mean on by one target, then keep the target.

    These are `utils.Rolling(stats.Mean)`'s own steps, one rounding each in River's order: revert
    the target that leaves, then update with the new one. A mean's weight needs no storing: it
    is the count of observations, at most the window.

    Args:
        ring: the last targets; changed.
        means: one per window; changed.
        count: observations before this one.
        windows: sizes in observations, none above the ring's.
        target: what was observed.
    """
    head = count % len(ring)
    for i, size in enumerate(windows):
        mean = means[i]
        if count < size:
            weight = count + 1.0
        elif size == 1:
            weight, mean = 1.0, 0.0
        else:
            weight = float(size)
            # A negative index wraps around, as the ring does.
            mean -= (1.0 / (weight - 1.0)) * (ring[head - size] - mean)
        means[i] = mean + (1.0 / weight) * (target - mean)
    ring[head] = target


def _weekday(x: Mapping[Any, Any]) -> int:
    """Return the weekday of `x["date"]`, 0 = Monday."""
    try:
        day = x["date"]
    except KeyError:
        raise KeyError("the M5 features need x['date'], YYYY-MM-DD") from None
    return (day if isinstance(day, date) else date.fromisoformat(day)).weekday()


@lru_cache(maxsize=64)  # One tuple of names for all models of a shape, not one per model.
def _names(windows: tuple[int, ...], weekday_windows: tuple[int, ...]) -> tuple[str, ...]:
    """Return the names of the means, in the order of the features."""
    return (
        *(f"last{size}_mean_by_weekday" for size in reversed(weekday_windows)),
        *(f"last{size}_mean_by_id" for size in reversed(windows)),
    )


def _checked(windows: Iterable[int]) -> tuple[int, ...]:
    """Return the windows as a tuple, or raise ValueError."""
    sizes = tuple(windows)
    whole = all(isinstance(size, int) and size > 0 for size in sizes)
    if not sizes or not whole or len(set(sizes)) < len(sizes):
        raise ValueError(f"windows are distinct positive integers, at least one: {sizes}")
    return sizes


def _zeros(size: int) -> array[float]:
    return array("d", bytes(8 * size))
