"""LinearRegression by gradient descent, and what it shares with LogisticRegression."""

# ruff: noqa: PLR0913, PLR0917 -- a kernel's functions are given each array by name

from __future__ import annotations

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
from thalweg_server.engines.compiled.steps.optimizers import (
    HELPERS,
    constant_rate,
    descend,
    look_ahead,
    method_of,
    plain,
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


def linear_fit(
    x: Floats,
    gradient: float,
    counts: Ints,
    intercept: Floats,
    weights: Floats,
    accumulators: Floats,
    rates: Floats,
    method: int,
) -> int:
    """`GLM._fit` from the gradient on: the intercept first, then the weights."""
    gradient = linear_clamp(gradient, rates[2])
    intercept[0] -= rates[1] * gradient
    return descend(x, gradient, counts, weights, accumulators, rates, method)


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
    """`GLM.learn_one` with the squared loss."""
    look_ahead(weights, accumulators, rates, methods[0])
    gradient = 2.0 * (linear_dot(x, weights, intercept[0]) - y)
    return linear_fit(x, gradient, counts, intercept, weights, accumulators, rates, methods[0])


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


class LoweredGLM(Step):
    """A generalized linear model without l1 penalty, its weights beginning at zero."""

    loss: ClassVar[type]

    def __init__(self, estimator: Any, inputs: Inputs) -> None:
        name = type(estimator).__name__
        if estimator.l1 != 0:
            raise Unlowerable(f"{name} has an l1 penalty")
        only(estimator, GLM_ATTRIBUTES)
        exactly(estimator.loss, self.loss, "the loss")
        exactly(estimator.initializer, optim.initializers.Zeros, "the initializer")
        if estimator.initializer.value != 0:
            raise Unlowerable("the weights do not begin at zero")
        clip = setting(estimator.clip_gradient, "clip_gradient")
        if clip < 0:
            raise Unlowerable(f"clip_gradient is {clip}")
        self.method = method_of(estimator.optimizer)
        steps = (self.method.rate, constant_rate(estimator.intercept_lr, "intercept_lr"))
        l2 = setting(estimator.l2, "l2")
        # Exponents are no constants of the program: a compiler would not ask `pow`.
        exponents = (0.5, 2.0)
        self.rates = np.array([*steps, clip, l2, self.method.rho, self.method.eps, *exponents])
        self.inputs = inputs.numbers()

    @property
    def arrays(self) -> Sequence[Array]:
        """See `Step.arrays`. The counts: rows learned, and features that have accumulators."""
        n = len(self.inputs)
        return (
            Array("counts", "int", 2),
            Array("intercept", "float", 1),
            Array("weights", "float", n),
            Array("accumulators", "float", n if self.method.accumulators else 0),
        )

    @property
    def constants(self) -> Constants:
        """See `Step.constants`."""
        return {"rates": self.rates, "methods": np.array([self.method.number], np.int64)}

    def lower(self, estimator: Any, views: Views) -> None:
        """See `Step.lower`."""
        name = type(estimator).__name__
        if estimator._y_name is not None:
            raise Unlowerable(f"{name} has learned a table")
        exactly(estimator._weights, VectorDict, "the weights")
        plain(estimator._weights, "the weights")
        weights = estimator._weights.to_dict()
        sums = self.method.read(estimator.optimizer)
        learned = count(estimator.optimizer.n_iterations)
        known = same_features(weights, self.inputs, name)
        if known != bool(learned or sums):
            raise Unlowerable(f"{name} has weights that no row has taught it")
        if set(sums) != set(self.inputs[: len(sums)]):
            raise Unlowerable(f"the optimizer of {name} has learned other features")
        views["counts"][:] = learned, len(sums)
        views["intercept"][0] = number(estimator.intercept)
        for i, feature in enumerate(self.inputs if known else ()):
            views["weights"][i] = number(weights[feature])
        for i in range(len(sums)):
            views["accumulators"][i] = number(sums[self.inputs[i]])

    def lift(self, views: Views, estimator: Any) -> None:
        """See `Step.lift`. Where the first row has raised, some features have accumulators."""
        estimator.intercept = float(views["intercept"][0])
        learned, summed = views["counts"].tolist()
        estimator.optimizer.n_iterations = learned
        if learned or summed:
            weights = zip(self.inputs, views["weights"].tolist(), strict=True)
            estimator._weights = VectorDict(dict(weights))
        if summed:
            sums = zip(self.inputs[:summed], views["accumulators"].tolist(), strict=False)
            self.method.write(estimator.optimizer, dict(sums))


class LoweredLinearRegression(LoweredGLM):
    """`linear_model.LinearRegression` with the squared loss and constant rates."""

    kind = "linear_regression"
    loss = optim.losses.Squared
    learn = linear_learn
    predict = linear_predict
    helpers: ClassVar = (*HELPERS, linear_dot, linear_clamp, linear_fit)

    def __init__(self, estimator: linear_model.LinearRegression, inputs: Inputs) -> None:
        super().__init__(estimator, inputs)
