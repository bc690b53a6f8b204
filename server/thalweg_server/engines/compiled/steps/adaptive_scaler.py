"""River's AdaptiveStandardScaler: means and variances that fade."""

# ruff: noqa: PLR0917 -- a kernel's functions are given each array by name

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from river import preprocessing, stats

from thalweg_server.engines.compiled.arithmetic import power_half, sure_root
from thalweg_server.engines.compiled.errors import Unlowerable
from thalweg_server.engines.compiled.layout import Array, Views
from thalweg_server.engines.compiled.steps.base import (
    Constants,
    Floats,
    Inputs,
    Ints,
    Step,
    exactly,
    only,
    same_features,
    setting,
)
from thalweg_server.engines.compiled.steps.statistics import EW_MEAN, Statistic

_FORMAT = "<ddd?ddd?dd"
"""River's Rust struct as bincode writes it: the fading mean, that of the squares, two alphas."""


def adaptive_scaler_learn(
    x: Floats,
    y: float,
    day: int,
    counts: Ints,
    means: Floats,
    inner: Floats,
    squares: Floats,
    rates: Floats,
) -> int:
    """`EWVar.update`, then `EWMean.update`."""
    alpha = rates[0]
    rest = 1.0 - alpha
    if counts[0] == 0:
        for i in range(x.size):
            inner[i] = x[i]
            squares[i] = x[i] * x[i]
            means[i] = x[i]
    else:
        for i in range(x.size):
            inner[i] = alpha * x[i] + rest * inner[i]
            squares[i] = alpha * (x[i] * x[i]) + rest * squares[i]
            means[i] = alpha * x[i] + rest * means[i]
    counts[0] = 1
    return 0


def adaptive_scaler_transform(
    x: Floats,
    out: Floats,
    day: int,
    counts: Ints,
    means: Floats,
    inner: Floats,
    squares: Floats,
    rates: Floats,
) -> None:
    """A variance that is not above zero answers zero."""
    for i in range(x.size):
        variance = squares[i] - inner[i] * inner[i]
        out[i] = 0.0
        if variance > 0.0:
            root = power_half(variance, rates[1])
            if root != 0.0:
                out[i] = (x[i] - means[i]) / root


class LoweredAdaptiveStandardScaler(Step):
    """`preprocessing.AdaptiveStandardScaler`."""

    kind = "adaptive_scaler"
    learn = adaptive_scaler_learn
    transform = adaptive_scaler_transform
    helpers: ClassVar = (sure_root, power_half)

    def __init__(self, estimator: preprocessing.AdaptiveStandardScaler, inputs: Inputs) -> None:
        only(estimator, {"fading_factor", "vars", "means"})
        self.alpha = setting(estimator.fading_factor, "fading_factor")
        if not 0 <= self.alpha <= 1:
            raise Unlowerable(f"fading_factor is {self.alpha}")
        self.inputs = self.outputs = inputs.numbers()

    @property
    def arrays(self) -> Sequence[Array]:
        """See `Step.arrays`."""
        n = len(self.inputs)
        return (
            Array("counts", "int", 1),
            Array("means", "float", n),
            Array("inner", "float", n),
            Array("squares", "float", n),
        )

    @property
    def constants(self) -> Constants:
        """See `Step.constants`."""
        return {"rates": np.array([self.alpha, 0.5])}

    def lower(self, estimator: Any, views: Views) -> None:
        """See `Step.lower`."""
        known = same_features(estimator.means, self.inputs, "AdaptiveStandardScaler")
        if same_features(estimator.vars, self.inputs, "AdaptiveStandardScaler") != known:
            raise Unlowerable("AdaptiveStandardScaler has means without variances")
        if not known:
            return
        learned = set()
        kind = Statistic(EW_MEAN, self.alpha)
        for i, name in enumerate(self.inputs):
            kind.same(estimator.means[name])
            state = np.zeros(3)
            kind.read(estimator.means[name], state, state[:0])
            inner, squares, both = self._variance(estimator.vars[name])
            learned |= {bool(state[0]), *both}
            views["means"][i], views["inner"][i], views["squares"][i] = state[1], inner, squares
        if len(learned) > 1:
            raise Unlowerable("AdaptiveStandardScaler has learned some features only")
        views["counts"][0] = learned.pop()

    def lift(self, views: Views, estimator: Any) -> None:
        """See `Step.lift`."""
        if not views["counts"][0]:
            return
        alpha, rest = self.alpha, 1.0 - self.alpha
        kind = Statistic(EW_MEAN, alpha)
        columns = [views[name].tolist() for name in ("means", "inner", "squares")]
        for name, mean, inner, squares in zip(self.inputs, *columns, strict=True):
            halves = (inner, alpha, rest, True, squares, alpha, rest, True, alpha, alpha)
            estimator.vars[name]._ewvar.__setstate__(struct.pack(_FORMAT, *halves))
            kind.write(np.array([1.0, mean, 0.0]), np.empty(0), estimator.means[name])

    def _variance(self, variance: Any) -> tuple[float, float, tuple[bool, bool]]:
        exactly(variance, stats.EWVar, "a fading variance")
        payload = variance._ewvar.__getstate__()
        if len(payload) != struct.calcsize(_FORMAT):
            raise Unlowerable("a fading variance has an unknown state")
        inner, a, b, one, squares, c, d, two, e, f = struct.unpack(_FORMAT, payload)
        if {a, c, e, f} != {self.alpha} or {b, d} != {1.0 - self.alpha}:
            raise Unlowerable("a fading variance has another factor than it says")
        return inner, squares, (one, two)
