"""Candidates of the compiled engine beside the River loops that they have to equal, bit for bit."""

from __future__ import annotations

import copy
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dill
import numpy as np

from tests.structure import difference
from thalweg_server.core.observation import Batch, Context, Flavor, Names, Question
from thalweg_server.core.scores import PREDICTION_MAX
from thalweg_server.engines.compiled import CompiledEngine

CONTEXT = (Context.ID, Context.DATE)
DAY = 16_800
"""2015-12-31."""


@dataclass(frozen=True, slots=True)
class Row:
    """One observation of one model."""

    model: int
    day: int
    target: float
    features: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Twins:
    """Models with one candidate each, in the engine and as plain River.

    Args:
        engine: what is tested.
        slots: per model, the candidate.
        rivers: per model, the estimator.
    """

    engine: CompiledEngine
    context: tuple[Context, ...] = CONTEXT
    slots: list[int] = field(default_factory=list)
    rivers: list[Any] = field(default_factory=list)

    def add(self, estimator: Any) -> int:
        """Uploads an estimator and keeps a copy; returns the model."""
        payload = dill.dumps(estimator, recurse=True)
        self.slots.append(self.engine.load(payload, Flavor.REGRESSION, self.context).slot)
        self.rivers.append(dill.loads(payload))
        return len(self.slots) - 1

    def clone(self, model: int) -> int:
        """A model that goes on from another."""
        self.slots.append(self.engine.clone(self.slots[model]))
        self.rivers.append(copy.deepcopy(self.rivers[model]))
        return len(self.slots) - 1

    def reload(self, model: int) -> None:
        """Downloads a model's candidate and uploads it again."""
        payload = self.engine.dump(self.slots[model])
        self.engine.drop([self.slots[model]])
        self.slots[model] = self.engine.load(payload, Flavor.REGRESSION, self.context).slot

    def learn(self, rows: Sequence[Row], *, columns: bool = False, predict: bool = True) -> None:
        """Learns a batch on both sides; every prediction and error has to be the same."""
        batch = as_batch(rows, columns=columns)
        slots = np.array([self.slots[row.model] for row in rows])
        outcomes = self.engine.learn(slots, np.arange(len(rows)), batch, predict=predict)
        for item, row in enumerate(rows):
            expected, error, unlearned = self._river(row, predict=predict)
            answer = outcomes.between(item, item + 1)[0]
            got = np.nan if answer.value is None else answer.value
            assert same(got, expected), (item, row, got, expected, answer.error, error)
            assert answer.error == error
            assert (item in outcomes.unlearned) == unlearned

    def ask(self, rows: Sequence[Row]) -> None:
        """Asks both sides without learning; answers have to be the same."""
        questions = [Question(f"m{row.model}", row.day, dict(row.features)) for row in rows]
        answers = self.engine.predict([self.slots[row.model] for row in rows], questions)
        for row, answer in zip(rows, answers, strict=True):
            expected, error = predicted(copy.deepcopy(self.rivers[row.model]), self._x(row))
            got = np.nan if answer.value is None else answer.value
            assert same(got, expected), (row, got, expected)
            assert answer.error == error

    def lifted(self, model: int) -> Any:
        """What a download of a model gives."""
        return dill.loads(self.engine.dump(self.slots[model]))

    def assert_same_state(self, *, ignoring: Sequence[str] = ("_plan",)) -> None:
        """Downloads equal the River estimators structurally."""
        for model, river in enumerate(self.rivers):
            assert difference(self.lifted(model), river, ignoring=ignoring) == ""

    def assert_compiled(self) -> None:
        """All are in fleets."""
        placements = [self.engine.placement(slot) for slot in self.slots]
        assert placements == [("compiled", "")] * len(self.slots)

    def _river(self, row: Row, *, predict: bool) -> tuple[float, str, bool]:
        river, x = self.rivers[row.model], self._x(row)
        value, error = predicted(river, x) if predict else (np.nan, "")
        try:
            river.learn_one(x, row.target)
        except Exception as raised:
            return value, error or f"{type(raised).__name__}: {raised}", True
        return value, error, False

    def _x(self, row: Row) -> Any:
        return Question(f"m{row.model}", row.day, dict(row.features)).x(self.context)


def predicted(estimator: Any, x: Any) -> tuple[float, str]:
    """A prediction as the port has it, and what it raised."""
    try:
        answer = estimator.predict_one(x)
        value = np.nan if answer is None else float(answer)
    except Exception as error:
        return np.nan, f"{type(error).__name__}: {error}"
    return (value if abs(value) <= PREDICTION_MAX else np.nan), ""


def as_batch(rows: Sequence[Row], *, columns: bool) -> Batch:
    """A batch of rows, their features in columns or row by row."""
    names = sorted({row.model for row in rows})
    features = [dict(row.features) for row in rows]
    return Batch(
        names=Names(f"m{name}" for name in names),
        index=np.array([names.index(row.model) for row in rows], np.int32),
        days=np.array([row.day for row in rows], np.int32),
        targets=np.array([row.target for row in rows], np.float64),
        columns={name: np.array([x[name] for x in features]) for name in features[0]}
        if columns and features
        else {},
        rows=None if columns else features,
    )


def same(left: float, right: float) -> bool:
    """Whether two numbers have the same bits; every NaN counts as the same."""
    both_nan = bool(np.isnan(left) and np.isnan(right))
    return both_nan or struct.pack("<d", left) == struct.pack("<d", right)
