"""River's registry of estimators of the three flavors: each one made, and trained on rows."""

from __future__ import annotations

import contextlib
import copy
import inspect
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import river.api
from river import base, compose, imblearn, linear_model, metrics, model_selection, preprocessing
from river.base.tags import POSITIVE_INPUT

Row = tuple[dict[str, float], Any]

EXCEPTIONS = {"misc.ZstdClassifier": "its constructor needs Python 3.14"}
"""Estimators that cannot be uploaded, with the reason. The policy refuses none."""

_SHARES = {True: 0.5, False: 0.5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An estimator of the registry, for one kind of target."""

    name: str
    kind: str
    estimator: Any

    def __str__(self) -> str:
        return f"{self.name}-{self.kind}"


def registered() -> dict[str, type]:
    """River's estimators of the three flavors, by public name."""
    found: dict[type, str] = {}
    for name, module in vars(river.api).items():
        if not inspect.ismodule(module):
            continue
        for _, cls in inspect.getmembers(module, inspect.isclass):
            several = issubclass(cls, base.MultiLabelClassifier | base.MultiTargetRegressor)
            if issubclass(cls, base.Regressor | base.Classifier) and not several:
                found[cls] = f"{name}.{cls.__name__}"
    return {
        name: cls
        for cls, name in sorted(found.items(), key=lambda each: each[1])
        if cls.__module__.startswith("river.")
        and not inspect.isabstract(cls)
        and not name.startswith(("base.", "reco."))
    }


def entries() -> Iterator[Entry]:
    """Every estimator that can be made, with River's own test parameters, by kind of target."""
    for name, cls in registered().items():
        if name in EXCEPTIONS:
            continue
        for number, estimator in enumerate(_made(name, cls)):
            for kind in _kinds(estimator):
                label = f"{name}{number or ''}"
                yield Entry(name=label, kind=kind, estimator=copy.deepcopy(estimator))


def rows(kind: str, count: int, *, positive: bool = False, seed: int = 3) -> Iterator[Row]:
    """Observations: four features, and a target that they say something about."""
    source = random.Random(seed)
    for _ in range(count):
        x = {
            "a": source.gauss(0, 1),
            "b": source.random(),
            "c": float(source.randint(0, 3)),
            "d": source.gauss(0.5, 0.2),
        }
        if positive:
            x = {key: abs(value) + 1 for key, value in x.items()}
        noise = source.gauss(0, 0.1)
        targets = {
            "regression": x["a"] / 2 + x["b"] - x["c"] / 3 + noise + 5,
            "binary": x["a"] + x["c"] > 1.5,
            "multiclass": int(x["c"]) % 3,
        }
        yield x, targets[kind]


def trained(entry: Entry, count: int = 60) -> Any:
    """The entry's estimator after so many rows, predicted and learned as on a server."""
    estimator = copy.deepcopy(entry.estimator)
    for x, y in rows(entry.kind, count, positive=is_positive(estimator)):
        estimator.predict_one(x)
        estimator.learn_one(x, y)
    return estimator


def is_positive(estimator: Any) -> bool:
    """Whether an estimator takes features above zero only."""
    return POSITIVE_INPUT in estimator._tags


def answers(estimator: Any, x: dict[str, float]) -> Any:
    """Everything an estimator says about a row."""
    said = [estimator.predict_one(x)]
    if isinstance(estimator, base.Classifier):
        with contextlib.suppress(NotImplementedError):
            said.append(estimator.predict_proba_one(x))
    return said


def _kinds(estimator: Any) -> tuple[str, ...]:
    if isinstance(estimator, base.Regressor):
        return ("regression",)
    if isinstance(estimator, model_selection.SuccessiveHalvingClassifier):
        return ("binary",)  # as the models given to it below
    return ("binary", "multiclass") if estimator._multiclass else ("binary",)


def _made(name: str, cls: Any) -> list[Any]:
    logistic, line = linear_model.LogisticRegression, linear_model.LinearRegression
    by_hand: dict[Any, Any] = {
        compose.TargetTransformRegressor: {
            "regressor": line(),
            "func": math.log,
            "inverse_func": math.exp,
        },
        imblearn.RandomOverSampler: {"classifier": logistic(), "desired_dist": _SHARES, "seed": 1},
        imblearn.RandomUnderSampler: {"classifier": logistic(), "desired_dist": _SHARES, "seed": 1},
        imblearn.RandomSampler: {"classifier": logistic(), "desired_dist": _SHARES, "seed": 1},
        model_selection.SuccessiveHalvingClassifier: {
            "models": [logistic(l2=weight) for weight in (0.0, 0.1, 0.2, 0.3)],
            "metric": metrics.Accuracy(),
            "budget": 200,
        },
        preprocessing.TargetMinMaxScaler: {"regressor": line()},
        preprocessing.TargetStandardScaler: {"regressor": line()},
    }
    if cls in by_hand:
        return [cls(**by_hand[cls])]
    return [cls(**parameters) for parameters in cls._unit_test_params()]
