"""The engine that runs any River estimator, as it is, in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
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
    Flavor,
    Question,
    Target,
    line_of,
)
from thalweg_server.core.policy import SAFE, Origin
from thalweg_server.core.ports import Answer, Health, Loaded, Outcomes, Vitals
from thalweg_server.core.storing import Sink, Source
from thalweg_server.engines.asking import ask
from thalweg_server.engines.cell import (
    Cell,
    Quarantined,
    answer_of,
    label_methods,
    learned,
    outcomes_of,
)
from thalweg_server.engines.copying import Mould
from thalweg_server.engines.freezing import freeze_cells, thaw_cells
from thalweg_server.engines.kinds import check_kind, known_classes
from thalweg_server.engines.pickling import serialise
from thalweg_server.engines.texts import describe, text_of


class RiverEngine:
    """Runs estimators one by one, in Python. See `Engine`.

    Whatever an estimator raises is an outcome, BaseException included: parts written in Rust
    raise PanicException, which is no Exception, and a model may call `sys.exit`.
    """

    name = "river"

    def __init__(self) -> None:
        self._cells: dict[int, Cell] = {}
        self._next_slot = 0
        self._moulds: dict[int, Mould] = {}
        self._quarantined: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._cells)

    def load(
        self, payload: bytes, flavor: Flavor, context: Sequence[Context], origin: Origin = SAFE
    ) -> Loaded:
        """See `Engine.load`. Takes whatever dill loads, wherever it comes from."""
        estimator = _unpickle(payload)
        check_kind(estimator, flavor)
        return Loaded(
            slot=self.adopt(estimator, flavor, tuple(context)),
            estimator=describe(estimator),
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
            raise EstimatorFailed(f"the estimator cannot be copied: {text_of(error)}") from error
        return self._hold(
            Cell(estimator, cell.context, cell.flavor, cell.probabilistic, cell.own_label)
        )

    def drop(self, slots: Sequence[int]) -> None:
        """See `Engine.drop`."""
        for slot in slots:
            del self._cells[slot]
            self._quarantined.pop(slot, None)
            self._moulds.pop(slot, None)

    def predict(self, slots: Sequence[int], questions: Sequence[Question]) -> list[Answer]:
        """See `Engine.predict`."""
        cells = [self._cells[slot] for slot in slots]
        return [
            answer_of(cell, question.x(cell.context), ask)
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
            cell.changes += 1
            answer, missed = learned(cell, x, target, predict=predict)
            answers.append(answer)
            if missed:
                unlearned.add(item)
        numeric = bool(numbered) and cells[numbered[0]].numeric
        return outcomes_of(answers, unlearned, numeric=numeric)

    def meanwhile(self, function: Callable[[], None]) -> None:
        """See `Engine.meanwhile`: there is no other process."""

    def health(self, slot: int) -> Health:
        """See `Engine.health`."""
        return Health(quarantined=self._quarantined.get(slot, ""))

    def condemned(self) -> Mapping[int, str]:
        """See `Engine.condemned`: what misbehaves here ends the process."""
        return {}

    def quarantine(self, slot: int, reason: str) -> None:
        """See `Engine.quarantine`."""
        cell = self._cells[slot]
        self._cells[slot] = replace(cell, estimator=Quarantined(reason), changes=cell.changes + 1)
        self._quarantined[slot] = reason

    @property
    def vitals(self) -> Vitals:
        """See `Engine.vitals`: there are no processes."""
        return Vitals(quarantined=len(self._quarantined))

    def dump(self, slot: int) -> bytes:
        """See `Engine.dump`."""
        return serialise(self._cells[slot].estimator)

    def state_bytes(self, slot: int) -> int:
        """See `Engine.state_bytes`: River's own estimate, which walks the object."""
        return size_of(self._cells[slot].estimator)

    def placement(self, slot: int) -> tuple[str, str]:
        """See `Engine.placement`."""
        return self.name, "the river engine runs every estimator"

    def census(self, slots: NDArray[np.int64]) -> Mapping[str, int]:
        """See `Engine.census`."""
        return {self.name: len(slots)}

    def freeze(self, sink: Sink) -> None:
        """See `Engine.freeze`. Raises EstimatorFailed where one cannot be serialised."""
        freeze_cells(self._cells, self._next_slot, sink)

    def thaw(self, source: Source) -> None:
        """See `Engine.thaw`."""
        self._cells, self._next_slot = thaw_cells(source)
        estimators = {slot: cell.estimator for slot, cell in self._cells.items()}
        self._quarantined = {
            slot: each.reason for slot, each in estimators.items() if isinstance(each, Quarantined)
        }

    def close(self) -> None:
        """See `Engine.close`: there is nothing to let go of."""

    def estimator(self, slot: int) -> Any:
        """The live estimator of a slot."""
        return self._cells[slot].estimator

    def adopt(self, estimator: Any, flavor: Flavor, context: tuple[Context, ...]) -> int:
        """A new slot for a live estimator, which is the engine's from now on."""
        return self._hold(Cell(estimator, context, flavor, *label_methods(estimator, flavor)))

    def _hold(self, cell: Cell) -> int:
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
            f"the payload ({len(payload)} bytes) does not load as dill: {text_of(error)}. Send "
            "dill.dumps(estimator, recurse=True), made with this server's versions of Python "
            "and River",
            field="payload",
        ) from error
