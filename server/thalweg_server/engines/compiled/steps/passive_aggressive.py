"""PARegressor: passive as long as the loss is zero, else as aggressive as it may be."""

# ruff: noqa: PLR0917 -- a kernel's functions are given each array by name

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from river import linear_model, optim

from thalweg_server.engines.compiled.errors import Unlowerable
from thalweg_server.engines.compiled.layout import Array, Views
from thalweg_server.engines.compiled.steps.base import (
    Constants,
    Floats,
    Inputs,
    Ints,
    Step,
    exactly,
    number,
    only,
    same_features,
    setting,
)
from thalweg_server.engines.compiled.steps.linear import linear_dot

ATTRIBUTES = {"C", "mode", "calc_tau", "learn_intercept", "weights", "intercept", "eps", "loss"}


def passive_aggressive_tau(loss: float, square: float, bound: float, mode: int) -> float:
    """`calc_tau`: how far to go along x, its squared norm given."""
    if mode == 2:
        return loss / (square + 0.5 / bound)
    if not square > 0.0:
        return 0.0
    tau = loss / square
    if mode == 1 and not tau < bound:
        return bound
    return tau


def passive_aggressive_learn(
    x: Floats,
    y: float,
    day: int,
    counts: Ints,
    intercept: Floats,
    weights: Floats,
    rates: Floats,
    modes: Ints,
) -> int:
    """`PARegressor.learn_one`; its loss is of `2 * y - 1`, as River has it."""
    answer = linear_dot(x, weights, intercept[0])
    loss = abs(answer - (y * 2.0 - 1.0)) - rates[1]
    if loss < 0.0:  # noqa: PLR1730 -- a compiled `max` does not promise that a NaN stays one
        loss = 0.0
    total = 0.0
    for i in range(x.size):
        total += x[i] * x[i]
    square = math.sqrt(total) ** rates[2]
    step = passive_aggressive_tau(loss, square, rates[0], modes[0]) * np.sign(y - answer)
    for i in range(x.size):
        weights[i] += step * x[i]
    if modes[1] != 0:
        intercept[0] += step
    counts[0] = 1
    return 0


def passive_aggressive_predict(
    x: Floats,
    day: int,
    note: Ints,
    counts: Ints,
    intercept: Floats,
    weights: Floats,
    rates: Floats,
    modes: Ints,
) -> float:
    """`PARegressor.predict_one`."""
    return linear_dot(x, weights, intercept[0])


class LoweredPARegressor(Step):
    """`linear_model.PARegressor`, equal to River to about 1e-9 and not to the bit.

    NumPy's dot product adds the squares of x in an order of its own, so that the squared norm of
    a dozen features or more may differ in its last bits.
    """

    kind = "passive_aggressive"
    learn = passive_aggressive_learn
    predict = passive_aggressive_predict
    helpers: ClassVar = (linear_dot, passive_aggressive_tau)

    def __init__(self, estimator: linear_model.PARegressor, inputs: Inputs) -> None:
        only(estimator, ATTRIBUTES)
        exactly(estimator.loss, optim.losses.EpsilonInsensitiveHinge, "the loss")
        self.mode = _mode(estimator)
        bound = setting(estimator.C, "C")
        if self.mode == 2 and bound <= 0:
            raise Unlowerable(f"C is {bound}")  # River divides by it
        eps = setting(estimator.eps, "eps")
        if estimator.loss.eps != estimator.eps:
            raise Unlowerable("the loss of PARegressor has another eps than it says")
        if type(estimator.learn_intercept) is not bool:
            raise Unlowerable(f"learn_intercept is {estimator.learn_intercept!r}")
        self.learns_intercept = estimator.learn_intercept
        # The exponent is no constant of the program: a compiler would not ask `pow`.
        self._rates = np.array([bound, eps, 2.0])
        self.inputs = inputs.numbers()

    @property
    def arrays(self) -> Sequence[Array]:
        """See `Step.arrays`. The count says only whether something was learned."""
        return (
            Array("counts", "int", 1),
            Array("intercept", "float", 1),
            Array("weights", "float", len(self.inputs)),
        )

    @property
    def constants(self) -> Constants:
        """See `Step.constants`."""
        return {
            "rates": self._rates,
            "modes": np.array([self.mode, self.learns_intercept], np.int64),
        }

    def lower(self, estimator: Any, views: Views) -> None:
        """See `Step.lower`."""
        exactly(estimator.weights, defaultdict, "the weights of PARegressor")
        if estimator.weights.default_factory is not float:
            raise Unlowerable("the weights of PARegressor do not begin at 0.0")
        views["intercept"][0] = number(estimator.intercept)
        known = same_features(estimator.weights, self.inputs, "PARegressor")
        if known and tuple(estimator.weights) != self.inputs:
            raise Unlowerable("PARegressor has learned its features in another order")
        if not known and estimator.intercept != 0:
            raise Unlowerable("PARegressor has an intercept without weights")
        views["counts"][0] = known
        for i, name in enumerate(self.inputs if known else ()):
            views["weights"][i] = number(estimator.weights[name])

    def lift(self, views: Views, estimator: Any) -> None:
        """See `Step.lift`. River has NumPy's floats here, `np.sign` being one."""
        if views["counts"][0]:
            estimator.weights.update(zip(self.inputs, np.array(views["weights"]), strict=True))
            if self.learns_intercept:
                estimator.intercept = np.float64(views["intercept"][0])


def _mode(estimator: linear_model.PARegressor) -> int:
    """Which of three ways to bound a step; raises Unlowerable."""
    ways = (estimator._calc_tau_0, estimator._calc_tau_1, estimator._calc_tau_2)
    for mode, way in enumerate(ways):
        # By its code: a class's own method comes out of a payload as a function of its own.
        if estimator.mode == mode and _code(estimator.calc_tau) == _code(way):
            return mode
    raise Unlowerable("PARegressor bounds its steps in a way of its own")


def _code(method: Any) -> Any:
    return getattr(getattr(method, "__func__", None), "__code__", method)
