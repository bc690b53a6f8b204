"""The transformer behind both pipelines: its features, its purity, its state."""

from __future__ import annotations

import copy
import pickle
from array import array
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import dill
import pytest
from river import base

from bench import memory, reference
from thalweg import m5

MONDAY = date(2016, 5, 16)

COPIES: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda estimator: pickle.loads(pickle.dumps(estimator)),
    "dill": lambda estimator: dill.loads(dill.dumps(estimator, recurse=True)),
    "deepcopy": copy.deepcopy,
    "clone with attributes": lambda estimator: estimator.clone(include_attributes=True),
}


def at(day: int) -> dict[str, Any]:
    """Return the context of a day, counted from a Monday."""
    return {"id": "item", "date": (MONDAY + timedelta(days=day)).isoformat()}


def learned(make: Callable[[], Any], days: int = 100, every: int = 1) -> Any:
    """Make an estimator that has learned some days."""
    estimator = make()
    for day in range(0, days, every):
        estimator.learn_one(at(day), float(day * 7 % 5))
    return estimator


def state(features: m5.RollingMeans) -> dict[str, Any]:
    """Return all attributes, floats as their bits."""
    return {
        name: [part.tobytes() if isinstance(part, array) else part for part in value]
        for name, value in vars(features).items()
    }


def test_there_are_30_features_with_30_names_in_the_unions_order() -> None:
    """The weekday comes last and the longest window first, as a River union hands them on."""
    names = list(m5.RollingMeans().transform_one(at(0)))
    assert len(set(names)) == len(names) == 30
    assert names[:3] == [f"last{k}_mean_by_weekday" for k in (30, 25, 20)]
    assert names[-8:] == [f"last{k}_mean_by_id" for k in range(7, 0, -1)] + ["weekday"]
    assert names == list(reference.features().transform_one(at(0)))


def test_means_are_over_the_last_observations_and_those_of_the_same_weekday() -> None:
    """A mean over k is the mean of the last k, or of all while there are fewer, or 0.0."""
    features = m5.RollingMeans(windows=[1, 3], weekday_windows=[2])
    for day, units in enumerate([10.0, 2.0, 3.0, 7.0, 0.0, 0.0, 0.0, 20.0, 5.0]):
        features.learn_one(at(day), units)
    assert features.transform_one(at(14)) == pytest.approx(
        {"last2_mean_by_weekday": 15.0, "last3_mean_by_id": 25 / 3, "last1_mean_by_id": 5.0}
        | {"weekday": 0}
    )
    assert m5.RollingMeans().transform_one(at(2))["last7_mean_by_id"] == 0.0


def test_a_date_may_be_a_date() -> None:
    """`datetime.date` and its ISO text mean the same."""
    features = learned(m5.RollingMeans)
    assert features.transform_one({"date": MONDAY}) == features.transform_one(at(0))


def test_transforming_changes_nothing() -> None:
    """After any questions, also for weekdays never seen, the state has the same bits."""
    features = learned(m5.RollingMeans, days=70, every=7)
    before = state(features)
    for day in range(14):
        features.transform_one(at(day))
    assert state(features) == before


def test_asking_twice_gives_answers_of_its_own() -> None:
    """A caller may change the answer without touching the transformer or another answer."""
    features = learned(m5.RollingMeans)
    features.transform_one(at(0)).clear()
    assert len(features.transform_one(at(0))) == 30


@pytest.mark.parametrize(
    ("x", "y", "error"),
    [
        ({"id": "item"}, 1.0, KeyError),
        ({"date": "2016-02-30"}, 1.0, ValueError),
        ({"date": 17}, 1.0, TypeError),
        ({"date": "2016-05-16"}, None, TypeError),
        ({"date": "2016-05-16"}, "many", ValueError),
    ],
)
def test_a_learn_that_raises_changes_nothing(
    x: dict[str, Any], y: Any, error: type[Exception]
) -> None:
    """A missing or bad date and a bad target raise before any of the state is touched."""
    features = learned(m5.RollingMeans)
    before = state(features)
    with pytest.raises(error):
        features.learn_one(x, y)
    assert state(features) == before


def test_a_missing_date_says_what_is_needed() -> None:
    """The error names the feature."""
    with pytest.raises(KeyError, match=r"x\['date'\]"):
        m5.RollingMeans().transform_one({})


@pytest.mark.parametrize("windows", [[], [0], [-1], [2, 2], [1.5]])
def test_windows_must_be_distinct_positive_integers(windows: list[Any]) -> None:
    """Anything else is refused at once."""
    with pytest.raises(ValueError, match="distinct positive integers"):
        m5.RollingMeans(windows=windows)
    with pytest.raises(ValueError, match="distinct positive integers"):
        m5.RollingMeans(weekday_windows=windows)


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_has_the_same_state_and_shares_none(how: str) -> None:
    """Copies have equal bits, and learning with one leaves the other alone."""
    features = learned(m5.RollingMeans)
    before = state(features)
    twin = COPIES[how](features)
    assert state(twin) == before
    twin.learn_one(at(100), 3.0)
    assert state(twin) != before
    assert state(features) == before


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("make", [m5.knn, m5.lm])
def test_a_copied_pipeline_goes_on_as_the_original(how: str, make: Callable[[], Any]) -> None:
    """Copy and original learn and predict the same afterwards."""
    original = learned(make)
    twin = COPIES[how](original)
    for day in range(100, 130):
        assert twin.predict_one(at(day)) == original.predict_one(at(day))
        for pipeline in (original, twin):
            pipeline.learn_one(at(day), float(day % 4))


@pytest.mark.parametrize("make", [m5.RollingMeans, m5.knn, m5.lm])
def test_a_clone_has_the_parameters_and_nothing_learned(make: Callable[[], Any]) -> None:
    """River's `clone` gives a fresh estimator of the same shape."""
    clone = learned(make).clone()
    assert repr(clone) == repr(make())
    features = clone if isinstance(clone, m5.RollingMeans) else clone["RollingMeans"]
    assert state(features) == state(m5.RollingMeans())


def test_a_clone_keeps_its_own_windows() -> None:
    """`clone` reads the constructor's arguments, and takes new ones."""
    features = m5.RollingMeans(windows=(2,), weekday_windows=(3,))
    assert len(features.clone().transform_one(at(0))) == 3
    assert len(features.clone({"windows": (1, 2, 3)}).transform_one(at(0))) == 5


@pytest.mark.parametrize("make", [m5.knn, m5.lm])
def test_pipelines_are_regressors_that_transform_before_they_learn(
    make: Callable[[], Any],
) -> None:
    """River sees a regressor, and a step in the middle that is given the target."""
    assert isinstance(make(), base.Regressor)
    pipeline = make()
    assert pipeline["RollingMeans"]._supervised
    pipeline.learn_one(at(0), 5.0)
    assert pipeline["RollingMeans"].transform_one(at(1))["last1_mean_by_id"] == 5.0


def test_the_state_of_a_learned_transformer_stays_under_30_kilobytes() -> None:
    """447 days later a transformer holds a fraction of what 29 TargetAggs hold."""
    history = [(at(day)["date"], float(day % 6)) for day in range(447)]
    assert memory.per_model(m5.RollingMeans, history, 20) < 30_000
