"""Linear models, and what is around them, equal River or are left to it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from river import (
    dummy,
    linear_model,
    optim,
    preprocessing,
    stats,
)

from tests.engines.teaching import learned_with_reloads, rows
from tests.engines.twins import DAY, Row, Twins, as_batch
from thalweg_server.engines.compiled import CompiledEngine

Linear = linear_model.LinearRegression
Scaled = preprocessing.TargetStandardScaler

optimizers = pytest.mark.parametrize(
    "optimizer",
    [optim.SGD, optim.AdaGrad, optim.RMSProp, optim.Momentum, optim.NesterovMomentum],
)


@pytest.fixture
def twins(engine: CompiledEngine) -> Twins:
    """No models yet; estimators see features only."""
    return Twins(engine, ())


@optimizers
@pytest.mark.parametrize("l2", [0.0, 0.3])
def test_every_optimizer_of_one_accumulator_equals_river(
    twins: Twins, optimizer: Callable[..., Any], l2: float
) -> None:
    """Weights, accumulators and predictions, to the bit."""
    twins.add(Linear(optimizer(0.01), l2=l2, intercept_lr=0.02, clip_gradient=5.0))
    learned_with_reloads(twins, rows(1_000))


def test_adagrad_squares_as_pythons_power_does(twins: Twins) -> None:
    """Its last bit is not always that of a product."""
    values = np.random.default_rng(1).normal(size=500).tolist()
    x = {f"x{i}": value for i, value in enumerate(values)}
    twins.add(Linear(optim.AdaGrad()))
    models = [twins.clone(0) for _ in range(40)]
    data = [Row(model, DAY, 0.1 + model, x) for model in models]
    slopes = [-2.0 * row.target * value for row in data for value in x.values()]
    assert any(slope**2 != slope * slope for slope in slopes)
    twins.learn(data)
    twins.assert_same_state()


@optimizers
def test_a_half_trained_upload_goes_on_where_it_was(
    twins: Twins, optimizer: Callable[..., Any]
) -> None:
    """Nesterov's look ahead included."""
    model = Linear(optimizer(0.05))
    data = rows(60, seed=2)
    for row in data[:20]:
        model.learn_one(dict(row.features), row.target)
    twins.add(model)
    twins.ask(data[20:25])
    twins.learn(data[20:])
    twins.assert_compiled()
    twins.assert_same_state()


def test_what_adagrad_raises_leaves_the_state_that_river_has(twins: Twins) -> None:
    """Whether it is the first row that overflows, or a later one."""
    for _ in range(2):
        twins.add(Linear(optim.AdaGrad(), clip_gradient=1e300))
    twins.learn(rows(3, names="abc", model=1))
    for wide in ("b", "c", "a"):
        x = dict.fromkeys("abc", 1.0) | {wide: 1e180}
        twins.learn([Row(model, DAY, 1e150, x) for model in range(2)])
        twins.assert_same_state()
        twins.reload(0)
        twins.reload(1)
    for model in range(2):
        twins.learn(rows(9, names="abc", model=model))
    twins.assert_compiled()
    twins.assert_same_state()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Linear(optim.SGD(-0.01)),
        lambda: Linear(optim.SGD(0)),
        lambda: Linear(optim.SGD(5.0), clip_gradient=1e300),
        lambda: Linear(optim.RMSProp(rho=1.0)),
        lambda: Linear(optim.RMSProp(-0.1, rho=0)),
        lambda: Linear(optim.Momentum(rho=1.5)),
        lambda: Linear(optim.NesterovMomentum(0.0, rho=-0.9)),
        lambda: Linear(intercept_lr=-0.1, l2=-0.5, clip_gradient=0),
        lambda: Linear(intercept_lr=0, intercept_init=-1e9, l2=3),
        lambda: Scaled(Linear(optim.SGD(2.0), clip_gradient=1e300)),
        lambda: Scaled(dummy.StatisticRegressor(stats.Var(0))),
    ],
)
def test_odd_hyper_parameters_do_what_they_do_in_river(
    twins: Twins, make: Callable[[], Any]
) -> None:
    """Negative, zero or beyond what converges: weights may run off to infinity, the same way."""
    twins.add(make())
    learned_with_reloads(twins, rows(150, seed=4))


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "rate is NaN": (lambda: Linear(optim.SGD(math.nan)), "learning rate is nan"),
    "rate is infinite": (lambda: Linear(optim.RMSProp(math.inf)), "learning rate is inf"),
    "rho is NaN": (lambda: Linear(optim.NesterovMomentum(rho=math.nan)), "rho of Nesterov"),
    "rho above one": (lambda: Linear(optim.RMSProp(rho=1.5)), "rho of RMSProp is 1.5"),
    "no eps": (lambda: Linear(optim.RMSProp(eps=0)), "eps of RMSProp is 0"),
    "negative eps": (lambda: Linear(optim.AdaGrad(eps=-1)), "eps of AdaGrad is -1"),
    "l2 is NaN": (lambda: Linear(l2=math.nan), "l2 is nan"),
    "clip below zero": (lambda: Linear(clip_gradient=-1), "clip_gradient is -1"),
    "intercept rate": (lambda: Linear(intercept_lr=math.inf), "intercept_lr is inf"),
    "intercept schedule": (
        lambda: Linear(intercept_lr=optim.schedulers.InverseScaling(0.1)),
        "InverseScaling",
    ),
    "two accumulators": (lambda: Linear(optim.Nadam()), "Nadam is not known"),
    "average": (lambda: Linear(optim.Averager(optim.SGD())), "Averager is not known"),
    "C is NaN": (lambda: linear_model.PARegressor(C=math.nan), "C is nan"),
    "C is zero": (lambda: linear_model.PARegressor(C=0, mode=2), "C is 0"),
    "eps is infinite": (lambda: linear_model.PARegressor(eps=math.inf), "eps is inf"),
    "two scalers": (lambda: Scaled(Scaled(Linear())), "in another"),
    "scaled classifier": (lambda: Scaled(linear_model.LogisticRegression()), "no regressor"),
    "scaled scaler": (lambda: Scaled(preprocessing.StandardScaler()), "no regressor"),
    "unknown in a scaler": (
        lambda: Scaled(linear_model.BayesianLinearRegression()),
        "BayesianLinearRegression is not known",
    ),
    "other scaler": (
        lambda: preprocessing.TargetMinMaxScaler(Linear()),
        "TargetMinMaxScaler is not known",
    ),
}


@pytest.mark.parametrize(("make", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_lowered_runs_in_river_and_says_why(
    twins: Twins, make: Callable[[], Any], reason: str
) -> None:
    """Slower, never refused, never different."""
    twins.add(make())
    twins.learn(rows(4))
    where, why = twins.engine.placement(twins.slots[0])
    assert where == "river"
    assert reason in why


def test_thousands_of_features_are_left_to_river(twins: Twins) -> None:
    """A candidate's row would be long."""
    names = [f"x{i}" for i in range(2_000)]
    twins.add(Linear())
    twins.learn([Row(0, DAY, 1.0, dict.fromkeys(names, 1.0))])
    assert "2000 features" in twins.engine.placement(twins.slots[0])[1]


PASSIVE_AGGRESSIVE = [
    linear_model.PARegressor,
    lambda: linear_model.PARegressor(mode=0, eps=0.0, learn_intercept=False),
    lambda: linear_model.PARegressor(C=0.01, mode=1, learn_intercept=False),
    lambda: linear_model.PARegressor(C=-0.01, mode=1),
    lambda: linear_model.PARegressor(C=5, mode=2, eps=-0.2),
]


def close(left: float, right: float) -> bool:
    """Whether two numbers are equal to 1e-9 of their size, or both are NaN."""
    return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-12) or (
        math.isnan(left) and math.isnan(right)
    )


@pytest.mark.parametrize("make", PASSIVE_AGGRESSIVE)
@pytest.mark.parametrize("names", ["a", "abcd", "abcdefghijklmnopqrstuvwxyz"])
def test_passive_aggressive_equals_river_to_a_billionth(
    twins: Twins, make: Callable[[], Any], names: str
) -> None:
    """Not to the bit: NumPy's dot product adds the squares of x in an order of its own."""
    twins.add(preprocessing.StandardScaler() | make())
    river = twins.rivers[0]
    data = rows(120, names=names)
    for begin in (0, 60):
        batch = as_batch(data[begin : begin + 60], columns=bool(begin))
        outcomes = twins.engine.learn(np.zeros(60, np.int64), np.arange(60), batch)
        for row, value in zip(data[begin : begin + 60], outcomes.values.tolist(), strict=True):
            assert close(value, river.predict_one(dict(row.features)))
            river.learn_one(dict(row.features), row.target)
        twins.assert_compiled()
        lifted = twins.lifted(0)["PARegressor"]
        expected = river["PARegressor"]
        assert [*lifted.weights] == [*expected.weights]
        assert all(close(lifted.weights[name], expected.weights[name]) for name in names)
        assert close(lifted.intercept, expected.intercept)
        assert type(lifted.intercept) is type(expected.intercept)
        assert {*map(type, lifted.weights.values())} == {np.float64}
        twins.reload(0)
