"""TargetStandardScaler: a model of standardised targets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from river import preprocessing

from thalweg_server.engines.compiled.arithmetic import power_half, sure_root
from thalweg_server.engines.compiled.errors import Unlowerable
from thalweg_server.engines.compiled.layout import Array, Views
from thalweg_server.engines.compiled.steps.base import Constants, Floats, Inputs, Step, only
from thalweg_server.engines.compiled.steps.statistics import SLOTS, VAR, describe


def target_scaler_spread(state: Floats, settings: Floats) -> float:
    """`var.get() ** 0.5`; `state` is (n, mean, S), `settings` ddof and the exponent."""
    if state[0] > settings[0]:
        return power_half(float(state[2] / (state[0] - settings[0])), settings[1])
    return 0.0


def target_scaler_scaled(y: float, state: Floats, settings: Floats, moved: Floats) -> float:
    """`_scale(y)` after `var.update(y)`, which goes to `moved`."""
    old = state[1]
    n = state[0] + 1.0
    mean = old + (1.0 / n) * (y - old)
    moved[0] = n
    moved[1] = mean
    moved[2] = state[2] + 1.0 * (y - old) * (y - mean)
    spread = target_scaler_spread(moved, settings)
    if spread != 0.0:
        return float((y - mean) / spread)
    return 0.0


def target_scaler_guard(
    x: Floats, y: float, state: Floats, settings: Floats, moved: Floats
) -> bool:
    """Whether the model would learn what is not finite, for which its steps are not made."""
    return not math.isfinite(target_scaler_scaled(y, state, settings, moved))


def target_scaler_scale(y: float, state: Floats, settings: Floats, moved: Floats) -> float:
    """`_update`, then `_scale`."""
    scaled = target_scaler_scaled(y, state, settings, moved)
    for i in range(3):
        state[i] = moved[i]
    return scaled


def target_scaler_unscale(answer: float, state: Floats, settings: Floats, moved: Floats) -> float:
    """`_unscale`."""
    return float(answer * target_scaler_spread(state, settings) + state[1])


class LoweredTargetStandardScaler(Step):
    """`preprocessing.TargetStandardScaler` itself; the model in it is another node of the plan."""

    kind = "target_standard_scaler"
    guard = target_scaler_guard
    scale = target_scaler_scale
    unscale = target_scaler_unscale
    helpers: ClassVar = (
        sure_root,
        power_half,
        target_scaler_spread,
        target_scaler_scaled,
        target_scaler_scale,
        target_scaler_unscale,
    )
    reads = ()

    def __init__(self, estimator: preprocessing.TargetStandardScaler, _inputs: Inputs) -> None:
        only(estimator, {"var", "regressor", "func", "inverse_func"})
        if estimator.func != estimator._scale or estimator.inverse_func != estimator._unscale:
            raise Unlowerable("TargetStandardScaler scales in a way of its own")
        self.statistic = describe(estimator.var)
        if self.statistic.method != VAR:
            raise Unlowerable("TargetStandardScaler has no variance")

    @property
    def arrays(self) -> Sequence[Array]:
        """See `Step.arrays`."""
        return (Array("state", "float", SLOTS),)

    @property
    def constants(self) -> Constants:
        """See `Step.constants`. A constant exponent would be compiled to a square root."""
        return {"settings": np.array([self.statistic.setting, 0.5])}

    @property
    def scratch(self) -> Sequence[Array]:
        """See `Step.scratch`."""
        return (Array("moved", "float", SLOTS),)

    def lower(self, estimator: Any, views: Views) -> None:
        """See `Step.lower`."""
        state = views["state"]
        self.statistic.read(estimator.var, state, state[:0])
        # So no variance is ever below zero, whose root would be complex.
        if not (state[0] >= 0 and state[0] == np.floor(state[0]) and state[2] >= 0):
            raise Unlowerable("TargetStandardScaler has a variance of no observations")

    def lift(self, views: Views, estimator: Any) -> None:
        """See `Step.lift`."""
        self.statistic.write(views["state"], views["state"][:0], estimator.var)
