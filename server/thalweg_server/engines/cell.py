"""One live estimator: how it is asked, and what its answers mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from river import base

from thalweg_server.core.observation import Context, Features, Flavor, Target
from thalweg_server.core.ports import Answer, Outcomes
from thalweg_server.core.scores import PREDICTION_MAX
from thalweg_server.engines.kinds import final_step, plain
from thalweg_server.engines.progression import Progression
from thalweg_server.engines.texts import text_of

Call = Callable[[Any, Any, str], Any]
"""How a method is called: on the live object (`_live`), or without changing it (`ask`)."""


@dataclass(slots=True)
class Cell:
    """A live estimator of the engine's.

    Args:
        estimator: River's object.
        context: what of an observation's frame it sees in `x`.
        flavor: what it predicts.
        probabilistic: whether it gives probabilities.
        own_label: whether predict_one is more than the most probable class.
        changes: how often it was given something to learn: as it was at the same number, it is.
    """

    estimator: Any
    context: tuple[Context, ...]
    flavor: Flavor
    probabilistic: bool
    own_label: bool
    changes: int = 0
    numeric: bool = field(init=False)
    progression: Progression = field(init=False)

    def __post_init__(self) -> None:
        self.numeric = self.flavor is Flavor.REGRESSION
        self.progression = Progression(self.estimator)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """In the place of an estimator that ended the process: raises why."""

    reason: str

    def predict_one(self, x: Any) -> Any:
        """Raises RuntimeError."""
        raise RuntimeError(self.reason)

    def predict_proba_one(self, x: Any) -> Any:
        """Raises RuntimeError."""
        raise RuntimeError(self.reason)

    def learn_one(self, x: Any, y: Any) -> None:
        """Raises RuntimeError."""
        raise RuntimeError(self.reason)


def label_methods(estimator: Any, flavor: Flavor) -> tuple[bool, bool]:
    """Whether the estimator gives probabilities, and whether its label is a matter of its own."""
    if flavor is Flavor.REGRESSION:
        return False, False
    final = type(final_step(estimator))
    proba = getattr(final, "predict_proba_one", None)
    if proba is None or proba is base.Classifier.predict_proba_one:
        return False, True
    return True, getattr(final, "predict_one", None) is not base.Classifier.predict_one


def _live(estimator: Any, x: Any, method: str) -> Any:
    return getattr(estimator, method)(x)


def progressive(cell: Cell, x: Features) -> tuple[Answer, list[Any] | None]:
    """The answer of the live estimator, and what its progression needs to learn the same x."""
    if not cell.numeric:
        return answer_of(cell, x, _live), None
    try:
        value, seen = cell.progression.predict_one(x)
        return Answer(_usable(value)), seen
    except BaseException as error:
        return Answer(error=text_of(error)), None


def learned(cell: Cell, x: Features, target: Target, *, predict: bool) -> tuple[Answer, bool]:
    """What the live estimator answers before it learns, and whether it has learned nothing."""
    answer, seen = progressive(cell, x) if predict else (Answer(), None)
    try:
        if seen is None:
            cell.estimator.learn_one(x, target)
        else:
            cell.progression.learn_one(seen, target)
    except BaseException as error:
        answer.error = answer.error or text_of(error)
        return answer, True
    return answer, False


def outcomes_of(answers: Sequence[Answer], unlearned: Iterable[int], *, numeric: bool) -> Outcomes:
    """What became of items, as `Engine.learn` tells it."""
    missed = frozenset(unlearned)
    if not numeric:
        return Outcomes(answers=answers, unlearned=missed)
    return Outcomes(
        values=np.array([math.nan if a.value is None else a.value for a in answers]),
        errors={item: a.error for item, a in enumerate(answers) if a.error},
        unlearned=missed,
    )


def answer_of(cell: Cell, x: Features, call: Call) -> Answer:
    try:
        if cell.numeric:
            return Answer(value=_usable(call(cell.estimator, x, "predict_one")))
        return _classify(cell, x, call)
    except BaseException as error:
        return Answer(error=text_of(error))


def _usable(value: Any) -> float | None:
    if type(value) is float:  # nearly always
        return value if -PREDICTION_MAX <= value <= PREDICTION_MAX else None
    if value is None:
        return None
    try:
        number = float(value)
    except OverflowError:  # an int beyond any float
        return None
    return number if abs(number) <= PREDICTION_MAX else None


def _classify(cell: Cell, x: Features, call: Call) -> Answer:
    if not cell.probabilistic:
        label = call(cell.estimator, x, "predict_one")
        return Answer() if label is None else Answer(label=_label(cell, label))
    try:
        given = call(cell.estimator, x, "predict_proba_one")
    except NotImplementedError:
        # Some wrappers have the method and cannot answer it: from now on, labels only.
        cell.probabilistic, cell.own_label = False, True
        return _classify(cell, x, call)
    probabilities = {_label(cell, label): float(p) for label, p in (given or {}).items()}
    if not probabilities or not all(map(math.isfinite, probabilities.values())):
        return Answer()
    if cell.own_label:
        label = call(cell.estimator, x, "predict_one")
    else:
        label = max(probabilities, key=probabilities.__getitem__)
    if label is None:
        return Answer()
    return Answer(label=_label(cell, label), probabilities=probabilities)


def _label(cell: Cell, label: Any) -> Target:
    """A class as the contract knows it: a classifier of two may have learned 0 and 1 elsewhere."""
    known: Target = plain(label)
    return bool(known) if cell.flavor is Flavor.BINARY and known in (0, 1) else known
