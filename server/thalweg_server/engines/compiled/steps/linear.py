"""LinearRegression by gradient descent."""

# ruff: noqa: PLR0913, PLR0917 -- a kernel's functions are given each array by name

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from river import linear_model, optim
from river.utils.vectordict import VectorDict

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
    setting,
)

GLM_ATTRIBUTES = {
    *("optimizer", "loss", "l2", "l1", "intercept_init", "intercept", "intercept_lr"),
    *("clip_gradient", "initializer", "_weights", "_y_name"),
}


def linear_dot(x: Floats, weights: Floats, intercept: float) -> float:
    """`VectorDict.dot` adds up in the order of x; the intercept comes last."""
    total = 0.0
    for i in range(x.size):
        total += weights[i] * x[i]
    return total + intercept


def linear_clamp(value: float, limit: float) -> float:
    """`utils.math.clamp`; a NaN stays one, which a compiled `min` does not promise."""
    if limit < value:  # noqa: PLR1730
        value = limit
    if -limit > value:  # noqa: PLR1730
        value = -limit
    return value


def linear_descend(
    x: Floats, gradient: float, weights: Floats, accumulators: Floats, rates: Floats, method: int
) -> int:
    """One step of the optimizer: `method` 0 SGD, 1 AdaGrad, 2 Momentum."""
    rate = rates[0]
    l2 = rates[3]
    for i in range(x.size):
        slope = gradient * x[i]
        if l2 != 0.0:
            slope += l2 * weights[i]
        if method == 0:
            weights[i] -= rate * slope
        elif method == 1:
            square = slope ** rates[6]
            if math.isinf(square) and not math.isinf(slope):
                return 1
            accumulators[i] += square
            weights[i] -= rate / (accumulators[i] + rates[4]) ** rates[5] * slope
        else:
            accumulators[i] = rates[4] * accumulators[i] + rate * slope
            weights[i] -= accumulators[i]
    return 0


def linear_learn(
    x: Floats,
    y: float,
    day: int,
    counts: Ints,
    intercept: Floats,
    weights: Floats,
    accumulators: Floats,
    rates: Floats,
    methods: Ints,
) -> int:
    """`GLM._fit` with the squared loss: the intercept first, then the weights."""
    gradient = 2.0 * (linear_dot(x, weights, intercept[0]) - y)
    gradient = linear_clamp(gradient, rates[2])
    intercept[0] -= rates[1] * gradient
    raised = linear_descend(x, gradient, weights, accumulators, rates, methods[0])
    if raised == 0:
        counts[0] += 1
    return raised


def linear_predict(
    x: Floats,
    day: int,
    note: Ints,
    counts: Ints,
    intercept: Floats,
    weights: Floats,
    accumulators: Floats,
    rates: Floats,
    methods: Ints,
) -> float:
    """`LinearRegression.predict_one`."""
    return linear_dot(x, weights, intercept[0])


class LoweredLinearRegression(Step):
    """`linear_model.LinearRegression` with the squared loss and constant rates."""

    kind = "linear_regression"
    learn = linear_learn
    predict = linear_predict
    helpers: ClassVar = (linear_dot, linear_clamp, linear_descend)

    def __init__(self, estimator: linear_model.LinearRegression, inputs: Inputs) -> None:
        only(estimator, GLM_ATTRIBUTES)
        exactly(estimator.loss, optim.losses.Squared, "the loss")
        exactly(estimator.initializer, optim.initializers.Zeros, "the initializer")
        if estimator.initializer.value != 0:
            raise Unlowerable("the weights do not begin at zero")
        if estimator.l1 != 0:
            raise Unlowerable("LinearRegression has an l1 penalty")
        self.method, rate, extra = optimizer_settings(estimator.optimizer)
        clip = setting(estimator.clip_gradient, "clip_gradient")
        if clip < 0:
            raise Unlowerable(f"clip_gradient is {clip}")
        self.rates = np.array(
            [
                rate,
                constant_rate(estimator.intercept_lr, "intercept_lr"),
                clip,
                setting(estimator.l2, "l2"),
                extra,
                0.5,
                2.0,
            ]
        )
        self.inputs = inputs.numbers()

    @property
    def arrays(self) -> Sequence[Array]:
        """See `Step.arrays`."""
        n = len(self.inputs)
        return (
            Array("counts", "int", 1),
            Array("intercept", "float", 1),
            Array("weights", "float", n),
            Array("accumulators", "float", n if self.method else 0),
        )

    @property
    def constants(self) -> Constants:
        """See `Step.constants`."""
        return {"rates": self.rates, "methods": np.array([self.method], np.int64)}

    def lower(self, estimator: Any, views: Views) -> None:
        """See `Step.lower`."""
        if estimator._y_name is not None:
            raise Unlowerable("LinearRegression has learned a table")
        learned = count(estimator.optimizer.n_iterations)
        weights = estimator._weights
        exactly(weights, VectorDict, "the weights")
        if weights.__reduce__()[1][1:3] != (None, None):
            raise Unlowerable("the weights are masked")
        known = same_features(weights.keys(), self.inputs, "LinearRegression")
        if known != bool(learned):
            raise Unlowerable("LinearRegression has weights that no row has taught it")
        views["counts"][0] = learned
        views["intercept"][0] = number(estimator.intercept)
        name = ACCUMULATORS[self.method]
        if known:
            views["weights"][:] = [number(weights.get(each)) for each in self.inputs]
        if name and same_features(getattr(estimator.optimizer, name), self.inputs, name):
            sums = getattr(estimator.optimizer, name)
            views["accumulators"][:] = [number(sums[each]) for each in self.inputs]

    def lift(self, views: Views, estimator: Any) -> None:
        """See `Step.lift`."""
        estimator.intercept = float(views["intercept"][0])
        learned = int(views["counts"][0])
        estimator.optimizer.n_iterations = learned
        if not learned:
            return
        weights = zip(self.inputs, views["weights"].tolist(), strict=True)
        estimator._weights = VectorDict(dict(weights))
        if name := ACCUMULATORS[self.method]:
            sums = zip(self.inputs, views["accumulators"].tolist(), strict=True)
            getattr(estimator.optimizer, name).update(sums)


OPTIMIZERS: tuple[type, ...] = (optim.SGD, optim.AdaGrad, optim.Momentum)
ACCUMULATORS = ("", "g2", "s")


def optimizer_settings(optimizer: Any) -> tuple[int, float, float]:
    """Which method, its rate, and its other setting; raises Unlowerable."""
    if type(optimizer) not in OPTIMIZERS:
        raise Unlowerable(f"the optimizer {type(optimizer).__name__} is not known")
    method = OPTIMIZERS.index(type(optimizer))
    names = ({"lr", "n_iterations"}, {"eps", "g2"}, {"rho", "s"})
    only(optimizer, names[0] | names[method])
    rate = constant_rate(optimizer.lr, "the learning rate")
    extra = (0.0, getattr(optimizer, "eps", 0.0), getattr(optimizer, "rho", 0.0))[method]
    if method == 1 and not extra > 0:
        raise Unlowerable(f"eps of AdaGrad is {extra!r}")
    return method, rate, setting(extra, "a setting of the optimizer")


def constant_rate(scheduler: Any, what: str) -> float:
    """A learning rate that never changes; raises Unlowerable."""
    exactly(scheduler, optim.schedulers.Constant, what)
    return setting(scheduler.learning_rate, what)
