"""Asking an estimator without changing it.

Predicting changes some River estimators: scalers and target aggregates allocate for keys they
have not seen, random projections draw weights. So a step runs live only where its class is known
to leave it as it is for this very `x`; any other step is copied first, that step alone.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

from river import (
    base,
    compose,
    dummy,
    feature_extraction,
    linear_model,
    naive_bayes,
    neighbors,
    preprocessing,
)

from thalweg.m5.features import RollingMeans

Purity = Callable[[Any, Any], bool]


def ask(estimator: Any, x: Any, method: str) -> Any:
    """`estimator.<method>(x)` as River's Pipeline does it, on steps that stay as they are."""
    if type(estimator) is compose.Pipeline:
        *transformers, final = estimator.steps.values()
        return ask(final, _chain(transformers, x), method)
    return getattr(_unchanging(estimator, x), method)(x)


def _chain(steps: list[Any], x: Any) -> Any:
    for step in steps:
        if not isinstance(step, base.AnomalyFilter):
            x = _transform(step, x)
    return x


def _transform(step: Any, x: Any) -> Any:
    if type(step) is compose.Pipeline:
        # A pipeline inside a pipeline ends with its last transformer.
        return _chain([s for s in step.steps.values() if isinstance(s, base.Transformer)], x)
    if type(step) is compose.TransformerUnion:
        # The parts in reverse, as River's union does: the order of keys reaches the last bits.
        merged: dict[Any, Any] = {}
        for part in reversed(step.transformers.values()):
            merged.update(_transform(part, x))
        return merged
    return _unchanging(step, x).transform_one(x)


def _unchanging(step: Any, x: Any) -> Any:
    pure = _PURE.get(type(step))
    return step if pure is not None and pure(step, x) else copy.deepcopy(step)


def _always(_step: Any, _x: Any) -> bool:
    return True


def _known_to(attribute: str) -> Purity:
    def check(step: Any, x: Mapping[str, Any]) -> bool:
        known: Mapping[str, Any] = getattr(step, attribute)
        return x.keys() <= known.keys()

    return check


def _group_known(step: Any, x: Mapping[str, Any]) -> bool:
    return step._make_key(x) in step._groups


_PURE: dict[type, Purity] = {
    compose.Select: _always,
    compose.Discard: _always,
    compose.Renamer: _always,
    RollingMeans: _always,
    feature_extraction.TargetAgg: _group_known,
    preprocessing.StandardScaler: _known_to("vars"),
    preprocessing.MinMaxScaler: _known_to("min"),
    preprocessing.MaxAbsScaler: _known_to("abs_max"),
    linear_model.LinearRegression: _always,
    linear_model.LogisticRegression: _always,
    naive_bayes.GaussianNB: _always,
    neighbors.KNNRegressor: _always,
    dummy.StatisticRegressor: _always,
}
"""Class to a check that its instance answers this `x` without changing. Exact classes: a
subclass may do anything."""
