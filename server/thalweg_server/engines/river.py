"""The engine that runs any River estimator, as it is, in this process."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dill
import numpy as np
from numpy.typing import NDArray
from river import base

from thalweg_server.core.errors import BadPayload, EstimatorFailed
from thalweg_server.core.observation import (
    Batch,
    Column,
    Context,
    Features,
    Flavor,
    Question,
    Target,
    line_of,
)
from thalweg_server.core.ports import Answer, Loaded, Outcomes
from thalweg_server.core.scores import PREDICTION_MAX
from thalweg_server.engines.asking import ask
from thalweg_server.engines.copying import Mould
from thalweg_server.engines.kinds import check_kind, final_step, known_classes, plain
from thalweg_server.engines.progression import Progression

REPR_MAX, ERROR_MAX = 8_192, 500
"""Characters of a repr and of an error that are kept: both travel in replies of bounded size."""

Call = Callable[[Any, Any, str], Any]
"""How a method is called: on the live object (`_live`), or without changing it (`ask`)."""


@dataclass(slots=True)
class _Cell:
    estimator: Any
    context: tuple[Context, ...]
    flavor: Flavor
    probabilistic: bool
    own_label: bool
    """Whether predict_one is more than the most probable class."""
    numeric: bool = field(init=False)
    progression: Progression = field(init=False)

    def __post_init__(self) -> None:
        self.numeric = self.flavor is Flavor.REGRESSION
        self.progression = Progression(self.estimator)


class RiverEngine:
    """Runs estimators one by one, in Python. See `Engine`.

    Whatever an estimator raises is an outcome, BaseException included: parts written in Rust
    raise PanicException, which is no Exception, and a model may call `sys.exit`.
    """

    name = "river"

    def __init__(self) -> None:
        self._cells: dict[int, _Cell] = {}
        self._next_slot = 0
        self._moulds: dict[int, Mould] = {}

    def __len__(self) -> int:
        return len(self._cells)

    def load(self, payload: bytes, flavor: Flavor, context: Sequence[Context]) -> Loaded:
        """See `Engine.load`."""
        estimator = _unpickle(payload)
        check_kind(estimator, flavor)
        return Loaded(
            slot=self.adopt(estimator, flavor, tuple(context)),
            estimator=_describe(estimator),
            classes=known_classes(estimator) if flavor is Flavor.MULTICLASS else frozenset(),
        )

    def clone(self, slot: int) -> int:
        """See `Engine.clone`. Raises EstimatorFailed where the estimator cannot be copied."""
        cell = self._cells[slot]
        try:
            if slot not in self._moulds:
                self._moulds[slot] = Mould(cell.estimator)
            estimator = self._moulds[slot].cast()
        except BaseException as error:
            raise EstimatorFailed(f"the estimator cannot be copied: {_text(error)}") from error
        return self._hold(
            _Cell(estimator, cell.context, cell.flavor, cell.probabilistic, cell.own_label)
        )

    def drop(self, slots: Sequence[int]) -> None:
        """See `Engine.drop`."""
        for slot in slots:
            del self._cells[slot]
            self._moulds.pop(slot, None)

    def predict(self, slots: Sequence[int], questions: Sequence[Question]) -> list[Answer]:
        """See `Engine.predict`."""
        cells = [self._cells[slot] for slot in slots]
        return [
            _answer(cell, question.x(cell.context), ask)
            for cell, question in zip(cells, questions, strict=True)
        ]

    def predict_many(
        self,
        slots: NDArray[np.int64],
        days: NDArray[np.int64],
        columns: Mapping[str, Column],
        names: Sequence[str] = (),
    ) -> NDArray[np.float64]:
        """See `Engine.predict_many`."""
        questions = [
            Question(names[line] if names else "", day, line_of(columns, line))
            for line, day in enumerate(days.tolist())
        ]
        return np.array([each.number for each in self.predict(slots.tolist(), questions)])

    def learn(
        self,
        slots: NDArray[np.int64],
        rows: NDArray[np.int64],
        batch: Batch,
        *,
        predict: bool = True,
    ) -> Outcomes:
        """See `Engine.learn`."""
        cells, numbered = self._cells, slots.tolist()
        for slot in self._moulds.keys() & set(numbered):
            del self._moulds[slot]  # a clone is of what a slot is now
        answers: list[Answer] = []
        unlearned: set[int] = set()
        question, last = Question(""), -1
        target: Target = 0.0
        for item, (slot, row) in enumerate(zip(numbered, rows.tolist(), strict=True)):
            cell = cells[slot]
            if row != last:  # the candidates of a model come one behind the other
                question, target, last = batch.question(row), batch.target(row), row
            x = question.x(cell.context)
            answer, seen = _progressive(cell, x) if predict else (Answer(), None)
            answers.append(answer)
            try:
                if seen is None:
                    cell.estimator.learn_one(x, target)
                else:
                    cell.progression.learn_one(seen, target)
            except BaseException as error:
                unlearned.add(item)
                answer.error = answer.error or _text(error)
        if not numbered or not cells[numbered[0]].numeric:
            return Outcomes(answers=answers, unlearned=frozenset(unlearned))
        return Outcomes(
            values=np.array([math.nan if a.value is None else a.value for a in answers]),
            errors={item: a.error for item, a in enumerate(answers) if a.error},
            unlearned=frozenset(unlearned),
        )

    def dump(self, slot: int) -> bytes:
        """See `Engine.dump`."""
        try:
            payload: bytes = dill.dumps(self._cells[slot].estimator, recurse=True)
        except BaseException as error:
            raise EstimatorFailed(f"the estimator cannot be serialised: {_text(error)}") from error
        return payload

    def state_bytes(self, slot: int) -> int:
        """See `Engine.state_bytes`: River's own estimate, which walks the object."""
        return size_of(self._cells[slot].estimator)

    def placement(self, slot: int) -> tuple[str, str]:
        """See `Engine.placement`."""
        return self.name, "the river engine runs every estimator"

    def close(self) -> None:
        """See `Engine.close`: there is nothing to let go of."""

    def estimator(self, slot: int) -> Any:
        """The live estimator of a slot."""
        return self._cells[slot].estimator

    def adopt(self, estimator: Any, flavor: Flavor, context: tuple[Context, ...]) -> int:
        """A new slot for a live estimator, which is the engine's from now on."""
        return self._hold(_Cell(estimator, context, flavor, *_label_methods(estimator, flavor)))

    def _hold(self, cell: _Cell) -> int:
        slot, self._next_slot = self._next_slot, self._next_slot + 1
        self._cells[slot] = cell
        return slot


def size_of(estimator: Any) -> int:
    """Bytes that an estimator takes, by River's estimate; 0 where that fails."""
    try:
        measure: Any = base.Base._raw_memory_usage
        return int(measure.fget(estimator))
    except BaseException:  # an estimate is no reason to fail
        return 0


def _unpickle(payload: bytes) -> Any:
    try:
        return dill.loads(payload)
    except BaseException as error:
        raise BadPayload(
            f"the payload ({len(payload)} bytes) does not load as dill: {_text(error)}. Send "
            "dill.dumps(estimator, recurse=True), made with this server's versions of Python "
            "and River",
            field="payload",
        ) from error


def _describe(estimator: Any) -> str:
    try:
        text = repr(estimator)
    except BaseException as error:
        text = f"{type(estimator).__name__} (its repr raised {_text(error)})"
    # Thousands of uploads share a few shapes: keep one string for each.
    return sys.intern(_sendable(text, REPR_MAX))


def _label_methods(estimator: Any, flavor: Flavor) -> tuple[bool, bool]:
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


def _progressive(cell: _Cell, x: Features) -> tuple[Answer, list[Any] | None]:
    """The answer of the live estimator, and what its progression needs to learn the same x."""
    if not cell.numeric:
        return _answer(cell, x, _live), None
    try:
        value, seen = cell.progression.predict_one(x)
        return Answer(_usable(value)), seen
    except BaseException as error:
        return Answer(error=_text(error)), None


def _answer(cell: _Cell, x: Features, call: Call) -> Answer:
    try:
        if cell.numeric:
            return Answer(value=_usable(call(cell.estimator, x, "predict_one")))
        return _classify(cell, x, call)
    except BaseException as error:
        return Answer(error=_text(error))


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


def _classify(cell: _Cell, x: Features, call: Call) -> Answer:
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


def _label(cell: _Cell, label: Any) -> Target:
    """A class as the contract knows it: a classifier of two may have learned 0 and 1 elsewhere."""
    known: Target = plain(label)
    return bool(known) if cell.flavor is Flavor.BINARY and known in (0, 1) else known


def _text(error: BaseException) -> str:
    try:
        text = f"{type(error).__name__}: {error}"
    except BaseException:
        text = f"{type(error).__name__} (its text raised, too)"
    return _sendable(text, ERROR_MAX)


def _sendable(text: str, characters_max: int) -> str:
    """The text as UTF-8 can carry it, cut where it is long."""
    text = text.encode(errors="replace").decode()
    return text if len(text) <= characters_max else f"{text[:characters_max]}…"
