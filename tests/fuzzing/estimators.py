"""Trained estimators of each flavor: good payloads to begin with, and canaries."""

from __future__ import annotations

import copy
import pickle
import pickletools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

import dill
from river import (
    compose,
    ensemble,
    facto,
    forest,
    linear_model,
    multiclass,
    naive_bayes,
    neighbors,
    preprocessing,
    tree,
)

from tests.uploads.catalogue import rows
from thalweg import m5

FLAVORS = ("regression", "binary", "multiclass")
PROTOCOLS = (2, 4, 5)
ROWS = 30
X = {"a": 0.25, "b": 0.5, "c": 2.0, "d": -0.125}
"""What canaries are asked."""


@dataclass(frozen=True, slots=True)
class Canary:
    """A good model, and what it has to say of `X` for ever.

    Args:
        name: of the model.
        payload: its estimator.
        value: the number it answers; None for a classifier, which answers
        probabilities: by class.
    """

    name: str
    payload: bytes
    value: float | None
    probabilities: dict[str, float]


def canaries(flavor: str) -> tuple[Canary, ...]:
    """Two for each flavor: one that is lowered, and one that a worker runs."""
    lowered, worked = {
        "regression": (linear_model.LinearRegression(), tree.HoeffdingTreeRegressor()),
        "binary": (linear_model.LogisticRegression(), tree.HoeffdingTreeClassifier()),
        "multiclass": (_bayes(), tree.HoeffdingTreeClassifier()),
    }[flavor]
    made = (
        ("canary lowered", preprocessing.StandardScaler() | lowered),
        ("canary worked", worked),
    )
    return tuple(_canary(name, _trained(each, flavor), flavor) for name, each in made)


def _canary(name: str, estimator: Any, flavor: str) -> Canary:
    payload = dill.dumps(estimator, recurse=True)
    if flavor == "regression":
        return Canary(name, payload, float(estimator.predict_one(dict(X))), {})
    answer = estimator.predict_proba_one(dict(X))
    return Canary(name, payload, None, {_label(each): p for each, p in answer.items()})


def _label(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@cache
def payloads(flavor: str) -> tuple[bytes, ...]:
    """Every estimator of a flavor, as dill and at three protocols, with frames and without."""
    made = []
    for estimator in _estimators(flavor):
        whole = [dill.dumps(estimator, recurse=True)]
        whole += [pickle.dumps(estimator, protocol) for protocol in PROTOCOLS]
        made += whole + [_unframed(each) for each in whole]
    return tuple(dict.fromkeys(made))


def _unframed(payload: bytes) -> bytes:
    """The same pickle without frames, whose lengths no change would fit."""
    starts = [at for op, _, at in pickletools.genops(payload) if op.name == "FRAME"]
    for start in reversed([start or 0 for start in starts]):
        payload = payload[:start] + payload[start + 9 :]
    return payload


def _estimators(flavor: str) -> Iterator[Any]:
    if flavor == "regression":
        yield from map(_seller, (m5.knn(), m5.lm()))
    made: dict[str, tuple[Any, ...]] = {
        "regression": (
            preprocessing.StandardScaler() | linear_model.LinearRegression(),
            preprocessing.MinMaxScaler() | neighbors.KNNRegressor(),
            tree.HoeffdingAdaptiveTreeRegressor(seed=1),
            ensemble.BaggingRegressor(linear_model.LinearRegression(), n_models=3, seed=1),
            forest.AMFRegressor(n_estimators=2, seed=1),
            facto.FMRegressor(seed=1),
        ),
        "binary": (
            preprocessing.StandardScaler() | linear_model.LogisticRegression(),
            _bayes(),
            neighbors.KNNClassifier(),
            tree.HoeffdingTreeClassifier(),
            ensemble.ADWINBaggingClassifier(linear_model.Perceptron(), n_models=3, seed=1),
        ),
        "multiclass": (
            compose.Select("a", "b") | _bayes(),
            multiclass.OneVsRestClassifier(linear_model.LogisticRegression()),
            linear_model.SoftmaxRegression(),
            tree.ExtremelyFastDecisionTreeClassifier(),
            forest.AMFClassifier(n_estimators=2, seed=1),
        ),
    }
    for estimator in made[flavor]:
        yield _trained(estimator, flavor)


def _bayes() -> Any:
    return naive_bayes.GaussianNB()  # type: ignore[no-untyped-call]


def _trained(estimator: Any, flavor: str) -> Any:
    estimator = copy.deepcopy(estimator)
    for x, y in rows(flavor, ROWS):
        estimator.predict_one(x)
        estimator.learn_one(x, y)
    return estimator


def _seller(pipeline: Any) -> Any:
    """An M5 pipeline that has seen a month."""
    for number in range(ROWS):
        day = date(2016, 4, 1) + timedelta(days=number)
        pipeline.learn_one({"date": day.isoformat()}, float(number * 7 % 5))
    return pipeline
