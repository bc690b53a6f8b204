"""Copies of estimators: equal to their originals, and independent of them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from river import (
    compose,
    ensemble,
    feature_extraction,
    forest,
    linear_model,
    naive_bayes,
    neighbors,
    preprocessing,
    stats,
    tree,
)

from tests.structure import difference
from thalweg import m5
from thalweg_server.engines.copying import Mould


class Counter:
    """A duck type with a closure, which no plain pickle can hold."""

    def __init__(self) -> None:
        self.seen = 0
        self.double = lambda value: 2.0 * value

    def predict_one(self, x: dict[str, Any]) -> float:
        return float(self.double(self.seen))

    def learn_one(self, x: dict[str, Any], y: float) -> None:
        self.seen += 1


ESTIMATORS = {
    "m5 knn": m5.knn,
    "m5 lm": m5.lm,
    "target aggregate": lambda: (
        feature_extraction.TargetAgg(by="day", how=stats.Mean())
        | preprocessing.StandardScaler()
        | linear_model.LinearRegression()
    ),
    "function": lambda: (
        compose.FuncTransformer(lambda x: {"a": x["a"] ** 2})
        | neighbors.KNNRegressor(3, engine=neighbors.LazySearch(10))
    ),
    "tree": lambda: tree.HoeffdingTreeRegressor(grace_period=5),
    "forest": lambda: forest.ARFRegressor(n_models=2, seed=1),
    "bagging": lambda: ensemble.BaggingRegressor(linear_model.LinearRegression(), 2, seed=1),
    "bayes": naive_bayes.GaussianNB,
    "duck": Counter,
}


def _x(day: int) -> dict[str, Any]:
    return {"a": float(day % 5), "day": float(day % 7), "date": f"2016-05-{day:02d}"}


def _x_of(name: str, day: int) -> dict[str, Any]:
    return _x(day) if name.startswith("m5") else {k: v for k, v in _x(day).items() if k != "date"}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_copy_equals_a_deep_copy_and_goes_its_own_way(name: str) -> None:
    """The same state as `copy.deepcopy` gives; what one copy learns, no other notices."""
    original = ESTIMATORS[name]()
    for day in range(1, 20):
        original.learn_one(_x_of(name, day), day % 3)
    before = copy.deepcopy(original)
    mould = Mould(original)
    one, other = mould.cast(), mould.cast()
    assert not difference(one, before)
    for day in range(20, 29):
        original.learn_one(_x_of(name, day), day % 3)
        one.learn_one(_x_of(name, day), day % 3)
    assert not difference(one, original)
    assert not difference(other, before)
    assert not difference(mould.cast(), before)
