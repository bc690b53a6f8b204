"""Real estimators load in the policy `safe`, and go on as if they had never been bytes."""

from __future__ import annotations

import copy
import pickle
import struct
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import dill
import numpy as np
import pytest
from river import compose, feature_extraction, linear_model, preprocessing, stats

from tests.uploads.catalogue import (
    EXCEPTIONS,
    Entry,
    answers,
    entries,
    is_positive,
    registered,
    rows,
    trained,
)
from thalweg import features, m5
from thalweg_server.core.policy import Policy
from thalweg_server.uploads import load

_DUMPS: dict[str, Callable[[Any], bytes]] = {
    "dill": lambda estimator: dill.dumps(estimator, recurse=True),
    "pickle-2": lambda estimator: pickle.dumps(estimator, 2),
    "pickle-4": lambda estimator: pickle.dumps(estimator, 4),
    "pickle-5": lambda estimator: pickle.dumps(estimator, 5),
}
_ENTRIES = tuple(entries())


def _bits(value: Any) -> Any:
    """A value in which floats are compared by their bits."""
    if isinstance(value, float | np.floating):
        return struct.pack("<d", value)
    if isinstance(value, dict):
        return {key: _bits(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_bits(each) for each in value]
    return type(value), value


@pytest.mark.parametrize("entry", _ENTRIES, ids=str)
def test_a_trained_estimator_predicts_and_learns_on_to_the_bit(entry: Entry) -> None:
    """Each estimator of River's three flavors, by dill and by pickle, is what it was.

    That is, what plain unpickling of the same bytes gives: a set of texts comes back in another
    order than it had, from either.
    """
    estimator = trained(entry)
    more = list(rows(entry.kind, 15, positive=is_positive(estimator), seed=9))
    for how, dump in _DUMPS.items():
        payload = dump(estimator)
        plain, loaded = dill.loads(payload), load(payload, Policy.SAFE)
        for number, (x, y) in enumerate(more):
            wanted = _bits(answers(plain, copy.deepcopy(x)))
            assert _bits(answers(loaded, copy.deepcopy(x))) == wanted, (how, number)
            if number < 10:
                plain.learn_one(copy.deepcopy(x), y)
                loaded.learn_one(copy.deepcopy(x), y)


def test_nearly_all_estimators_of_river_are_accepted() -> None:
    """The exceptions are the listed ones, and less than one in twenty."""
    accepted = {entry.name.rstrip("0123456789") for entry in _ENTRIES}
    assert set(registered()) - accepted == set(EXCEPTIONS)
    assert len(accepted) / len(registered()) >= 0.95


@pytest.mark.parametrize("make", [m5.knn, m5.lm])
@pytest.mark.parametrize("dump", _DUMPS.values(), ids=_DUMPS)
def test_the_m5_pipelines_go_on_to_the_bit(
    make: Callable[[], compose.Pipeline], dump: Callable[[Any], bytes]
) -> None:
    """Both pipelines of the example, learned on 61 days, are what they were."""
    pipeline = make()
    days = [{"date": (date(2016, 3, 1) + timedelta(n)).isoformat()} for n in range(76)]
    for number, x in enumerate(days[:61]):
        pipeline.learn_one(x, float(number % 5))
    loaded: Any = load(dump(pipeline), Policy.SAFE)
    for number, x in enumerate(days[61:]):
        assert _bits(loaded.predict_one(x)) == _bits(pipeline.predict_one(x))
        loaded.learn_one(x, float(number))
        pipeline.learn_one(x, float(number))


@pytest.mark.parametrize("function", [getattr(features, name) for name in features.__all__])
def test_functions_that_thalweg_ships_are_taken_by_name(function: Callable[..., Any]) -> None:
    """A feature function of the package is the very function on the server."""
    pipeline = (
        compose.FuncTransformer(function)
        | feature_extraction.TargetAgg("weekday", stats.Mean())
        | preprocessing.StandardScaler()
        | linear_model.LinearRegression()
    )
    loaded: Any = load(dill.dumps(pipeline, recurse=True), Policy.SAFE)
    assert next(iter(loaded.steps.values())).func is function
