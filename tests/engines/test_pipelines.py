"""Pipelines of any known steps, on features of any kind, equal River or are left to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import dill
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from river import (
    compose,
    dummy,
    feature_extraction,
    linear_model,
    neighbors,
    optim,
    preprocessing,
    stats,
    utils,
)

from tests.engines.conftest import MakeEngine
from tests.engines.twins import DAY, Row, Twins, as_batch
from thalweg import m5
from thalweg_server.core.observation import Context, Flavor
from thalweg_server.engines.compiled import CompiledEngine

NAMES = ("a", "b", "c")

standard = st.builds(preprocessing.StandardScaler, with_std=st.booleans())
min_max = st.builds(preprocessing.MinMaxScaler)
adaptive = st.builds(preprocessing.AdaptiveStandardScaler, st.floats(0, 1))
optimizers = st.one_of(
    st.builds(optim.SGD, st.floats(1e-4, 0.5)),
    st.builds(optim.AdaGrad, st.floats(1e-4, 0.5), eps=st.sampled_from([1e-8, 0.1])),
    st.builds(optim.Momentum, st.floats(1e-4, 0.1), rho=st.floats(0, 0.99)),
    st.builds(optim.NesterovMomentum, st.floats(1e-4, 0.1), rho=st.floats(0, 0.99)),
    st.builds(optim.RMSProp, st.floats(1e-4, 0.5), rho=st.floats(0, 1), eps=st.just(1e-8)),
)
linears = st.builds(
    linear_model.LinearRegression,
    optimizer=optimizers,
    l2=st.sampled_from([0.0, 0.1]),
    intercept_lr=st.floats(0, 0.5),
    intercept_init=st.sampled_from([0.0, 1.5]),
    clip_gradient=st.sampled_from([1e12, 2.0]),
)
target_scalers = st.builds(preprocessing.TargetStandardScaler, linears)
neighbours = st.builds(
    neighbors.KNNRegressor,
    n_neighbors=st.integers(1, 9),
    engine=st.builds(neighbors.LazySearch, window_size=st.integers(1, 12)),
    aggregation_method=st.sampled_from(["mean", "median", "weighted_mean"]),
)
statistics = st.one_of(
    st.builds(stats.Mean),
    st.builds(stats.EWMean, st.floats(0, 1)),
    st.builds(stats.Count),
    st.builds(stats.Sum),
    st.builds(stats.Min),
    st.builds(stats.Max),
    st.builds(stats.Var, st.integers(0, 2)),
    st.builds(utils.Rolling, st.just(stats.Mean), window_size=st.integers(1, 6)),
)
statistic_regressors = st.builds(dummy.StatisticRegressor, statistics)
keys = st.sampled_from([None, "c", ["c", "a"]])
aggregates = st.builds(
    feature_extraction.TargetAgg, by=keys, how=statistics, target_name=st.just("y1")
)
more_aggregates = st.builds(feature_extraction.TargetAgg, by=keys, how=statistics)
windows = st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True)
means = st.builds(m5.RollingMeans, windows, windows)


def chained(*parts: Any) -> st.SearchStrategy[compose.Pipeline]:
    """Pipelines of the parts drawn. Each new sequence of classes is a kernel to compile."""
    return st.tuples(*parts).map(lambda steps: compose.Pipeline(*steps))


def scaled_apart(one: Any, two: Any) -> compose.TransformerUnion:
    """A union of two pipelines."""
    select = compose.Select
    return compose.TransformerUnion(select("a") | one, select("b") | two)


pipelines = st.one_of(
    linears,
    chained(standard, linears),
    chained(min_max, linears),
    chained(standard, target_scalers),
    chained(neighbours),
    chained(st.just(compose.Select("a")), statistic_regressors),
    chained(st.just(compose.Discard("b", "date", "id")), standard, neighbours),
    chained(
        st.just(compose.Discard("date", "id")),
        st.just(compose.Renamer({"a": "z", "none": "y"})),
        linears,
    ),
    chained(
        means.map(lambda step: compose.TransformerUnion(compose.Select("c"), step)),
        standard,
        linears,
    ),
    chained(adaptive, linears),
    chained(
        st.builds(lambda one, two: compose.Select("b") + one + two, aggregates, more_aggregates),
        adaptive,
        linears,
    ),
    chained(st.builds(scaled_apart, standard, min_max), neighbours),
)
numbers = st.one_of(st.integers(-3, 9).map(float), st.floats(-1e6, 1e6))
steps = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 9), numbers, numbers, numbers, numbers),
    max_size=40,
)


def rows_of(given_steps: Sequence[tuple[Any, ...]]) -> list[Row]:
    """Rows of three models with three features each."""
    return [
        Row(model, DAY + gap, target, dict(zip(NAMES, x, strict=True)))
        for model, gap, target, *x in given_steps
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(pipelines, steps, st.booleans(), st.integers(0, 40), st.booleans())
def test_any_pipeline_equals_river(
    make_engine: MakeEngine,
    pipeline: Any,
    given_steps: Sequence[tuple[Any, ...]],
    columns: bool,
    cut: int,
    dated: bool,
) -> None:
    """Predictions, errors and lifted state, also after a download and upload in between."""
    twins = Twins(make_engine(), (Context.ID, Context.DATE) if dated else ())
    twins.add(pipeline)
    for _ in range(2):
        twins.clone(0)
    rows = rows_of(given_steps)
    twins.learn(rows[:cut], columns=columns)
    twins.reload(1)
    twins.ask(rows[:3])
    twins.learn(rows[cut:], columns=not columns)
    twins.learn(rows[:5], predict=False)
    twins.learn(rows)


def linear() -> compose.Pipeline:
    """Takes whatever features there are."""
    return preprocessing.StandardScaler() | linear_model.LinearRegression()


def learned(twins: Twins, count: int = 12) -> None:
    """Some rows of two features for every model."""
    source = np.random.default_rng(1)
    for _ in range(count):
        x = dict(zip("ab", source.integers(0, 9, 2).astype(float).tolist(), strict=True))
        rows = [Row(model, DAY, float(source.integers(9)), x) for model in range(len(twins.slots))]
        twins.learn(rows)


@pytest.fixture
def twins(engine: CompiledEngine) -> Twins:
    """No models yet; estimators see features only."""
    return Twins(engine, ())


def test_the_first_row_tells_the_features(twins: Twins) -> None:
    """Until then a candidate waits, and so do its clones."""
    twins.add(linear())
    clones = [twins.clone(0) for _ in range(5)]
    assert twins.engine.placement(twins.slots[0])[0] == "river"
    twins.ask([Row(clones[0], DAY, 0.0, {"a": 1.0})])
    learned(twins)
    twins.assert_compiled()
    twins.assert_same_state()


@pytest.mark.parametrize(
    "x",
    [
        {"a": 1.0},
        {"a": 1.0, "b": 2.0, "c": 3.0},
        {"b": 1.0, "a": 2.0},
        {"a": 1.0, "b": "text"},
        {"a": 1.0, "b": None},
        {"a": 1.0, "b": 2**60},
    ],
    ids=["missing", "new", "order", "text", "None", "inexact"],
)
def test_other_features_than_before_are_left_to_river(twins: Twins, x: dict[str, Any]) -> None:
    """From that row on, for good; other models stay compiled."""
    for _ in range(2):
        twins.add(linear())
    learned(twins)
    usual = {"a": 3.0, "b": 4.0}
    days = [usual, x, usual, usual]
    twins.ask([Row(0, DAY, 0.0, x)])
    twins.assert_compiled()
    twins.learn([Row(0, DAY, 2.0, each) for each in days] + [Row(1, DAY, 2.0, usual)])
    assert twins.engine.placement(twins.slots[0])[0] == "river"
    assert twins.engine.placement(twins.slots[1]) == ("compiled", "")
    learned(twins)


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf, 1e300])
def test_special_numbers(twins: Twins, special: float) -> None:
    """A NaN or a huge feature does to weights and neighbours what it does in River."""
    twins.add(linear())
    twins.add(neighbors.KNNRegressor(2, neighbors.LazySearch(window_size=4)))
    twins.add(preprocessing.MinMaxScaler() | linear_model.LinearRegression(optim.AdaGrad()))
    twins.add(linear_model.LinearRegression(optim.AdaGrad(), clip_gradient=1e300))
    learned(twins, 5)
    for model in range(4):
        twins.learn([Row(model, DAY, 2.0, {"a": special, "b": 1.0})])
    learned(twins, 8)


def subclass() -> Any:
    """A scaler that may do anything."""

    class Mine(preprocessing.StandardScaler):
        pass

    return Mine() | linear_model.LinearRegression()


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "subclass": (subclass, "Mine is not known"),
    "l1": (lambda: linear_model.LinearRegression(l1=0.1), "l1"),
    "loss": (lambda: linear_model.LinearRegression(loss=optim.losses.Huber()), "Huber"),
    "adam": (lambda: linear_model.LinearRegression(optim.Adam()), "Adam is not known"),
    "schedule": (
        lambda: linear_model.LinearRegression(
            optim.SGD(optim.schedulers.InverseScaling(0.1)),
        ),
        "InverseScaling",
    ),
    "initializer": (
        lambda: linear_model.LinearRegression(initializer=optim.initializers.Normal()),
        "Normal",
    ),
    "rolling scaler": (
        lambda: preprocessing.StandardScaler(window_size=3) | linear_model.LinearRegression(),
        "window_size",
    ),
    "graph search": (neighbors.KNNRegressor, "SWINN"),
    "distance": (
        lambda: neighbors.KNNRegressor(
            engine=neighbors.LazySearch(dist_func=utils.math._manhattan_distance)
        ),
        "distance function",
    ),
    "huge window": (
        lambda: neighbors.KNNRegressor(engine=neighbors.LazySearch(window_size=10**9)),
        "1000000000",
    ),
    "no neighbours": (
        lambda: neighbors.KNNRegressor(0, engine=neighbors.LazySearch(window_size=3)),
        "n_neighbors",
    ),
    "huge rolling mean": (lambda: m5.RollingMeans([10**6]) | linear_model.LinearRegression(), "10"),
    "same names": (
        lambda: compose.TransformerUnion(compose.Select("a"), compose.Select("a")) | linear(),
        "same feature",
    ),
    "statistic": (lambda: dummy.StatisticRegressor(stats.Quantile(0.5)), "Quantile"),
}


@pytest.mark.parametrize(("make", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_known_runs_in_river_and_says_why(
    twins: Twins, make: Callable[[], Any], reason: str
) -> None:
    """Slower, never refused, never different."""
    twins.add(make())
    learned(twins)
    engine, why = twins.engine.placement(twins.slots[0])
    assert engine == "river"
    assert reason in why


def test_dropped_rows_are_used_again(twins: Twins) -> None:
    """And begin as the candidate that they are made from."""
    twins.add(m5.lm())
    twins.context = (Context.DATE,)
    twins.slots.clear(), twins.rivers.clear()
    twins.add(m5.knn())
    rows = [Row(0, DAY + day, float(day % 3)) for day in range(20)]
    twins.learn(rows)
    spare = [twins.engine.clone(twins.slots[0]) for _ in range(100)]
    twins.engine.drop(spare)
    twins.add(m5.knn())
    assert len(twins.engine._fleets[1]) == 2
    twins.learn([Row(1, row.day, row.target) for row in rows])
    twins.assert_same_state()


def test_a_target_agg_with_too_many_groups_goes_to_river(twins: Twins) -> None:
    """Memory is bounded, numbers are not different."""
    by_price = feature_extraction.TargetAgg(by="price", how=stats.Mean())
    for _ in range(2):
        twins.add(by_price | linear_model.LinearRegression())
    prices = [7.5, *range(10), 7.5, *range(2_100), 3.0]
    rows = [Row(0, DAY, float(i % 5), {"price": float(p)}) for i, p in enumerate(prices)]
    twins.learn(rows)
    twins.learn([Row(1, DAY, row.target, row.features) for row in rows[:30]])
    assert twins.engine.placement(twins.slots[0])[0] == "river"
    assert twins.engine.placement(twins.slots[1]) == ("compiled", "")
    twins.reload(1)
    twins.learn(rows + [Row(1, DAY, row.target, row.features) for row in rows[:30]])
    twins.ask([Row(1, DAY, 0.0, {"price": 1e9})])
    twins.assert_same_state()


def test_threads_share_the_work_by_model(make_engine: MakeEngine) -> None:
    """Every model's rows stay in order."""
    engines = [make_engine(), make_engine()]
    engines[1]._fleets.crew.size = 3
    source = np.random.default_rng(3)
    rows = [
        Row(int(model), DAY + day, float(source.integers(5)))
        for day, model in enumerate(source.integers(0, 40, 4_000))
    ]
    results = []
    for engine in engines:
        first = engine.load(dill.dumps(m5.lm()), Flavor.REGRESSION, (Context.DATE,)).slot
        slots = np.array([first, *(engine.clone(first) for _ in range(39))])
        at = slots[[row.model for row in rows]]
        outcomes = engine.learn(at, np.arange(len(rows)), as_batch(rows, columns=True))
        results.append(outcomes.values)
    np.testing.assert_array_equal(*results)
