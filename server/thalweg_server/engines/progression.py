"""Predict, then learn, in one pass over the steps that see the same in both.

A River pipeline transforms x once to predict and again to learn. Its leading steps answer the same
both times where nothing they do depends on what is learned in between: a step without state, or a
supervised one, which River lets transform before it learns. Their answer is computed once here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from river import compose, feature_extraction

from thalweg.m5.features import RollingMeans

_STEADY = (
    compose.Select,
    compose.Discard,
    compose.Renamer,
    feature_extraction.TargetAgg,
    RollingMeans,
)
"""Classes whose `transform_one`, asked twice before they learn, answers the same twice. Exact
classes: a subclass may do anything."""


class Progression:
    """An estimator that is about to predict and then learn the same x.

    The estimator is the live one: its steps are shared, none is copied.

    Args:
        estimator: any estimator.
    """

    __slots__ = ("_estimator", "_lead", "_rest")

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self._lead: list[tuple[Any, list[Any]]] = []
        self._rest: Any = estimator
        if type(estimator) is compose.Pipeline:
            self._split(estimator)

    def predict_one(self, x: Any) -> tuple[Any, list[Any]]:
        """The prediction, and what each leading step saw, for `learn_one`."""
        seen = [x]
        for step, _ in self._lead:
            x = step.transform_one(x)
            seen.append(x)
        return self._rest.predict_one(x), seen

    def learn_one(self, seen: list[Any], y: Any) -> None:
        """Learns what was just predicted, in the order of River's Pipeline."""
        for (_, pupils), x in zip(self._lead, seen, strict=False):
            for pupil in pupils:
                pupil.learn_one(x, y)
        self._rest.learn_one(seen[-1], y)

    def _split(self, pipeline: compose.Pipeline) -> None:
        steps = list(pipeline.steps.items())
        for _, step in steps[:-1]:
            parts = list(_parts(step))
            if not all(type(part) in _STEADY for part in parts):
                break
            self._lead.append((step, [part for part in parts if part._supervised]))
        if self._lead:
            rest = compose.Pipeline()
            rest.steps.update(steps[len(self._lead) :])
            self._rest = rest


def _parts(step: Any) -> Iterator[Any]:
    if type(step) is compose.TransformerUnion:
        yield from step.transformers.values()
    else:
        yield step
