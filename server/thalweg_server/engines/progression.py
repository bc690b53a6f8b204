"""Predict, then learn, in one pass over the steps that see the same in both.

A River pipeline transforms x once to predict and again to learn. Its leading steps answer the same
both times where nothing they do depends on what is learned in between: a step without state, or a
supervised one, which River lets transform before it learns. Their answer is computed once here.
Everything else happens in the order of `river.compose.Pipeline.learn_one`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from river import base, compose, feature_extraction

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


@dataclass(frozen=True, slots=True)
class _Step:
    """A transformer, and which of its parts learn before it transforms and which after."""

    transformer: Any
    before: tuple[Any, ...]
    after: tuple[Any, ...]


class Progression:
    """An estimator that is about to predict and then learn the same x.

    The estimator is the live one: its steps are shared, none is copied.

    Args:
        estimator: any estimator; one that is no pipeline of plain steps goes River's own way.
    """

    __slots__ = ("_final", "_lead", "_steps")

    def __init__(self, estimator: Any) -> None:
        self._final = estimator
        self._steps: list[_Step] = []
        self._lead = 0
        if type(estimator) is compose.Pipeline and len(estimator):
            *steps, final = estimator.steps.values()
            if all(_is_plain(each) for each in steps):
                self._final = final
                self._steps = [_step(each) for each in steps]
                steady = [_is_steady(each) for each in steps]
                self._lead = steady.index(False) if False in steady else len(steps)

    def predict_one(self, x: Any) -> tuple[Any, list[Any]]:
        """The prediction, and what x was before each step, for `learn_one`."""
        seen = [x]
        for step in self._steps:
            x = step.transformer.transform_one(x)
            seen.append(x)
        return self._final.predict_one(x), seen

    def learn_one(self, seen: list[Any], y: Any) -> None:
        """Learns the x that was just predicted."""
        x = seen[0]
        for place, step in enumerate(self._steps):
            for part in step.before:
                part.learn_one(x)
            after = seen[place + 1] if place < self._lead else step.transformer.transform_one(x)
            for part in step.after:
                part.learn_one(x, y)
            x = after
        self._final.learn_one(x, y)


def _parts(step: Any) -> tuple[Any, ...]:
    return tuple(step.transformers.values()) if type(step) is compose.TransformerUnion else (step,)


def _is_plain(step: Any) -> bool:
    odd = (compose.Pipeline, compose.TransformerUnion, base.AnomalyFilter)
    return all(
        isinstance(part, base.Transformer) and not issubclass(type(part), odd)
        for part in _parts(step)
    )


def _is_steady(step: Any) -> bool:
    return all(type(part) in _STEADY for part in _parts(step))


def _step(transformer: Any) -> _Step:
    parts = _parts(transformer)
    return _Step(
        transformer,
        tuple(part for part in parts if not part._supervised),
        tuple(part for part in parts if part._supervised),
    )
