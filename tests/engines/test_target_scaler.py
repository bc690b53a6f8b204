"""A TargetStandardScaler around a model equals River's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from river import (
    compose,
    dummy,
    feature_extraction,
    linear_model,
    neighbors,
    optim,
    preprocessing,
    stats,
)

from tests.engines.teaching import learned_with_reloads, rows
from tests.engines.twins import DAY, Row, Twins
from thalweg import m5
from thalweg_server.core.observation import Context
from thalweg_server.engines.compiled import CompiledEngine

Linear = linear_model.LinearRegression
Scaled = preprocessing.TargetStandardScaler


@pytest.fixture
def twins(engine: CompiledEngine) -> Twins:
    """No models yet; estimators see features only."""
    return Twins(engine, ())


SCALED: dict[str, Callable[[], Any]] = {
    "alone": lambda: Scaled(dummy.StatisticRegressor(stats.EWMean(0.3))),
    "linear": lambda: preprocessing.StandardScaler() | Scaled(Linear(optim.Momentum(0.01))),
    "knn": lambda: (
        preprocessing.MinMaxScaler()
        | Scaled(neighbors.KNNRegressor(3, neighbors.LazySearch(window_size=9)))
    ),
    "pipeline": lambda: Scaled(
        compose.Pipeline(preprocessing.StandardScaler(), Linear(optim.RMSProp(0.01)))
    ),
    "groups": lambda: Scaled(
        (feature_extraction.TargetAgg(by="a", how=stats.Mean()) + compose.Select("b")) | Linear()
    ),
    "pipelines": lambda: (
        compose.Discard("z")
        | Scaled(
            (compose.Select("b") + (compose.Select("a") | preprocessing.MinMaxScaler())) | Linear()
        )
    ),
}


@pytest.mark.parametrize("make", SCALED.values(), ids=SCALED)
def test_a_target_scaler_equals_river_around_any_regressor(
    twins: Twins, make: Callable[[], Any]
) -> None:
    """Its variance, and what the model in it has learned, to the bit."""
    twins.add(make())
    learned_with_reloads(twins, rows(90, names="ab"))


def test_targets_that_never_change_are_scaled_to_zero(twins: Twins) -> None:
    """Their variance is."""
    twins.add(Scaled(Linear()))
    twins.learn([Row(0, DAY, 7.5, row.features) for row in rows(20)])
    twins.assert_compiled()
    twins.assert_same_state()


def test_targets_whose_variance_overflows_are_left_to_river(twins: Twins) -> None:
    """The model would learn what is no number."""
    twins.add(Scaled(Linear()))
    twins.learn([Row(0, DAY, target, {"a": 1.0}) for target in (1.0, 1.7e308, -1.7e308, 2.0)])
    assert twins.engine.placement(twins.slots[0])[0] == "river"
    twins.learn(rows(5, names="a"))


def test_a_target_scaler_around_shipped_features_learns_what_is_scaled(engine: Any) -> None:
    """Rolling means in the wrapper are of scaled targets, which never fit in four bytes."""
    twins = Twins(engine, (Context.DATE,))
    twins.add(Scaled(m5.RollingMeans([2, 3], [2]) | preprocessing.StandardScaler() | Linear()))
    twins.learn([Row(0, DAY + day, float(day % 4)) for day in range(60)])
    twins.assert_compiled()
    twins.reload(0)
    twins.learn([Row(0, DAY + day, float(day % 7)) for day in range(60, 90)])
    twins.assert_compiled()
    twins.assert_same_state()


def test_a_target_scaler_with_functions_of_its_own_is_left_to_river(twins: Twins) -> None:
    """They may do anything."""
    model = Scaled(Linear())
    model.func = model.inverse_func
    twins.add(model)
    twins.learn(rows(4))
    assert "a way of its own" in twins.engine.placement(twins.slots[0])[1]
