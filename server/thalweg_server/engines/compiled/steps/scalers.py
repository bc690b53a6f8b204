"""River's StandardScaler and MinMaxScaler over the whole stream, and the AdaptiveStandardScaler."""

# ruff: noqa: PLR0913, PLR0917 -- a kernel's functions are given each array by name

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from river import preprocessing, stats

from thalweg_server.engines.compiled.arithmetic import sure_root
from thalweg_server.engines.compiled.errors import Unlowerable
from thalweg_server.engines.compiled.layout import Array, Views
from thalweg_server.engines.compiled.steps.base import (
    Constants,
    Floats,
    Inputs,
    Ints,
    Step,
    count,
    exactly,
    number,
    only,
    same_features,
    typed,
)


def standard_scaler_learn(
    x: Floats,
    y: float,
    day: int,
    counts: Ints,
    means: Floats,
    variances: Floats,
    roots: Floats,
    with_std: Ints,
    half: Floats,
) -> int:
    """Welford's recurrence as `StandardScaler.learn_one` writes it.

    The variances' roots are kept: they serve this row's transform and the next one's. What the
    first loop is not sure of is NaN to the second.
    """
    counts[0] += 1
    n = float(counts[0])
    if not with_std[0]:
        for i in range(x.size):
            means[i] += (x[i] - means[i]) / n
        return 0
    for i in range(x.size):
        old = means[i]
        mean = old + (x[i] - old) / n
        variance = variances[i]
        variance += ((x[i] - old) * (x[i] - mean) - variance) / n
        means[i] = mean
        variances[i] = variance
        roots[i] = sure_root(variance)
    for i in range(x.size):
        if roots[i] != roots[i]:
            roots[i] = variances[i] ** half[0]
    return 0


def standard_scaler_transform(
    x: Floats,
    out: Floats,
    day: int,
    counts: Ints,
    means: Floats,
    variances: Floats,
    roots: Floats,
    with_std: Ints,
    half: Floats,
) -> None:
    """A variance of zero answers zero."""
    if not with_std[0]:
        for i in range(x.size):
            out[i] = x[i] - means[i]
        return
    for i in range(x.size):
        scaled = (x[i] - means[i]) / roots[i]
        out[i] = scaled if roots[i] != 0.0 else 0.0


class LoweredStandardScaler(Step):
    """`preprocessing.StandardScaler` without a window."""

    kind = "standard_scaler"
    learn = standard_scaler_learn
    helpers: ClassVar = (sure_root,)
    transform = standard_scaler_transform

    def __init__(self, estimator: preprocessing.StandardScaler, inputs: Inputs) -> None:
        only(estimator, {"with_std", "window_size", "counts", "means", "vars"})
        if estimator.window_size is not None:
            raise Unlowerable("StandardScaler has a window_size")
        if type(estimator.with_std) is not bool:
            raise Unlowerable(f"with_std is {estimator.with_std!r}")
        self.with_std = estimator.with_std
        self.inputs = self.outputs = inputs.numbers()

    @property
    def arrays(self) -> Sequence[Array]:
        """See `Step.arrays`. River counts per feature; here all are there in every row."""
        n = len(self.inputs)
        spread = n if self.with_std else 0
        return (
            Array("counts", "int", 1),
            Array("means", "float", n),
            Array("variances", "float", spread),
            Array("roots", "float", spread),
        )

    @property
    def constants(self) -> Constants:
        """See `Step.constants`. A constant exponent would be compiled to a square root."""
        return {"with_std": np.array([self.with_std], np.int64), "half": np.array([0.5])}

    def lower(self, estimator: Any, views: Views) -> None:
        """See `Step.lower`."""
        for known in (estimator.counts, estimator.means, *([estimator.vars] * self.with_std)):
            if not same_features(known, self.inputs, "StandardScaler"):
                if estimator.counts:
                    raise Unlowerable("StandardScaler has counts without means")
                _check_zero(estimator.means, "StandardScaler")
                _check_zero(estimator.vars, "StandardScaler")
                return
        counts = {count(n) for n in estimator.counts.values()}
        if len(counts) > 1:
            raise Unlowerable("StandardScaler has seen some features more often than others")
        views["counts"][0] = counts.pop()
        views["means"][:] = [number(estimator.means[name]) for name in self.inputs]
        if self.with_std:
            views["variances"][:] = [_variance(estimator.vars[name]) for name in self.inputs]
            views["roots"][:] = [value**0.5 for value in views["variances"].tolist()]

    def lift(self, views: Views, estimator: Any) -> None:
        """See `Step.lift`."""
        n = int(views["counts"][0])
        if n:
            estimator.counts = Counter(dict.fromkeys(self.inputs, n))
            estimator.means.update(zip(self.inputs, views["means"].tolist(), strict=True))
            if self.with_std:
                estimator.vars.update(zip(self.inputs, views["variances"].tolist(), strict=True))


def min_max_scaler_learn(
    x: Floats, y: float, day: int, counts: Ints, lows: Floats, highs: Floats
) -> int:
    """`stats.Min` and `stats.Max` leave a NaN out, which a compiled `min` does not promise."""
    counts[0] = 1
    for i in range(x.size):
        if x[i] < lows[i]:  # noqa: PLR1730
            lows[i] = x[i]
        if x[i] > highs[i]:  # noqa: PLR1730
            highs[i] = x[i]
    return 0


def min_max_scaler_transform(
    x: Floats, out: Floats, day: int, counts: Ints, lows: Floats, highs: Floats
) -> None:
    """Before the first learn the bounds are infinite, and the answer is NaN."""
    for i in range(x.size):
        span = highs[i] - lows[i]
        scaled = (x[i] - lows[i]) / span
        out[i] = scaled if span != 0.0 else 0.0


class LoweredMinMaxScaler(Step):
    """`preprocessing.MinMaxScaler` without a window."""

    kind = "min_max_scaler"
    learn = min_max_scaler_learn
    transform = min_max_scaler_transform

    def __init__(self, estimator: preprocessing.MinMaxScaler, inputs: Inputs) -> None:
        only(estimator, {"window_size", "min", "max"})
        if estimator.window_size is not None:
            raise Unlowerable("MinMaxScaler has a window_size")
        self.inputs = self.outputs = inputs.numbers()
        self._ints = inputs.whole

    @property
    def arrays(self) -> Sequence[Array]:
        """See `Step.arrays`. The count says only whether something was learned."""
        n = len(self.inputs)
        return (Array("counts", "int", 1), Array("lows", "float", n), Array("highs", "float", n))

    def lower(self, estimator: Any, views: Views) -> None:
        """See `Step.lower`. A prediction makes entries too, without learning anything."""
        views["lows"][:], views["highs"][:] = math.inf, -math.inf
        low = same_features(estimator.min, self.inputs, "MinMaxScaler")
        high = same_features(estimator.max, self.inputs, "MinMaxScaler")
        if not (low and high):
            if low or high:
                raise Unlowerable("MinMaxScaler knows one bound and not the other")
            return
        for bound in (*estimator.min.values(), *estimator.max.values()):
            if type(bound) not in (stats.Min, stats.Max):
                raise Unlowerable(f"MinMaxScaler keeps a bound as {type(bound).__name__}")
        views["lows"][:] = [number(estimator.min[name].min) for name in self.inputs]
        views["highs"][:] = [number(estimator.max[name].max) for name in self.inputs]
        views["counts"][0] = 1

    def lift(self, views: Views, estimator: Any) -> None:
        """See `Step.lift`."""
        if views["counts"][0]:
            lows = typed(self.inputs, views["lows"].tolist(), self._ints)
            highs = typed(self.inputs, views["highs"].tolist(), self._ints)
            for name in self.inputs:
                estimator.min[name].min = lows[name]
                estimator.max[name].max = highs[name]


def _variance(value: Any) -> float:
    variance = number(value)
    if variance < 0:
        raise Unlowerable("StandardScaler has a negative variance")
    return variance


def _check_zero(known: Any, owner: str) -> None:
    exactly(known, type(known), owner)
    if any(value != 0 for value in known.values()):
        raise Unlowerable(f"{owner} has means without counts")
