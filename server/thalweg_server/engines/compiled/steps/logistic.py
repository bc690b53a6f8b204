"""LogisticRegression by gradient descent: answers the probability of True."""

# ruff: noqa: PLR0913, PLR0917 -- a kernel's functions are given each array by name

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from river import linear_model, optim

from thalweg_server.engines.compiled.steps.base import (
    Constants,
    Floats,
    Inputs,
    Ints,
    only,
    setting,
)
from thalweg_server.engines.compiled.steps.linear import (
    LoweredGLM,
    linear_clamp,
    linear_dot,
    linear_fit,
)
from thalweg_server.engines.compiled.steps.optimizers import HELPERS, look_ahead


def logistic_gradient(y: float, logit: float, balance: Floats) -> float:
    """`optim.losses.Log.gradient`; `balance` is (weight_pos, weight_neg)."""
    sign = 1.0
    weight = balance[0]
    if y == 0.0:
        sign = -1.0
        weight = balance[1]
    z = logit * sign
    if z > 18.0:
        return float(weight * math.exp(-z) * -sign)
    if z < -18.0:
        return float(weight * -sign)
    return float(weight * -sign / (math.exp(z) + 1.0))


def logistic_sigmoid(logit: float) -> float:
    """`utils.math.sigmoid`."""
    if logit < -30.0:
        return 0.0
    if logit > 30.0:
        return 1.0
    return 1.0 / (1.0 + math.exp(-logit))


def logistic_learn(
    x: Floats,
    y: float,
    day: int,
    counts: Ints,
    intercept: Floats,
    weights: Floats,
    accumulators: Floats,
    rates: Floats,
    methods: Ints,
    balance: Floats,
) -> int:
    """`GLM.learn_one` with the logarithmic loss."""
    look_ahead(weights, accumulators, rates, methods[0])
    gradient = logistic_gradient(y, linear_dot(x, weights, intercept[0]), balance)
    return linear_fit(x, gradient, counts, intercept, weights, accumulators, rates, methods[0])


def logistic_predict(
    x: Floats,
    day: int,
    note: Ints,
    counts: Ints,
    intercept: Floats,
    weights: Floats,
    accumulators: Floats,
    rates: Floats,
    methods: Ints,
    balance: Floats,
) -> float:
    """What `LogisticRegression.predict_proba_one` has for True."""
    return logistic_sigmoid(linear_dot(x, weights, intercept[0]))


class LoweredLogisticRegression(LoweredGLM):
    """`linear_model.LogisticRegression` with the logarithmic loss and constant rates."""

    kind = "logistic_regression"
    binary = True
    loss = optim.losses.Log
    learn = logistic_learn
    predict = logistic_predict
    helpers: ClassVar = (
        *HELPERS,
        linear_dot,
        linear_clamp,
        linear_fit,
        logistic_gradient,
        logistic_sigmoid,
    )

    def __init__(self, estimator: linear_model.LogisticRegression, inputs: Inputs) -> None:
        super().__init__(estimator, inputs)
        only(estimator.loss, {"weight_pos", "weight_neg"})
        names = ("weight_pos", "weight_neg")
        self._balance = np.array([setting(getattr(estimator.loss, name), name) for name in names])

    @property
    def constants(self) -> Constants:
        """See `Step.constants`."""
        return {**super().constants, "balance": self._balance}
