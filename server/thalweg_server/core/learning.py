"""Progressive validation: every candidate predicts, is scored, then learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.errors import EstimatorFailed, Refusal
from thalweg_server.core.ledger import Done, Ledger, Pending
from thalweg_server.core.model import Model, best_answer
from thalweg_server.core.observation import Batch
from thalweg_server.core.ports import Answer
from thalweg_server.core.registry import Registry

Rows = NDArray[np.int64]


@dataclass(slots=True)
class Lesson:
    """What became of one row, for those who want to know.

    Args:
        row: its position in the batch.
        model: who learned it.
        order: positions of the candidates, the champion first, as they stood before.
        answers: what each candidate answered before it learned, and what it raised.
    """

    row: int
    model: Model
    order: Sequence[int]
    answers: Sequence[Answer]

    @property
    def failed(self) -> bool:
        """Whether every candidate raised."""
        return "" not in [answer.error for answer in self.answers]

    @property
    def candidates(self) -> list[str]:
        """Names of the candidates that answered."""
        return [candidate.name for candidate in self.model.candidates]

    @property
    def champion(self) -> Answer:
        """The answer that a caller would have got."""
        return self.answers[best_answer(self.order, self.answers)]


@dataclass(slots=True)
class Taught:
    """What became of an event's rows.

    Attributes:
        learned: rows that some candidate learned.
        failed: rows that every candidate raised on, with the error.
        refused: rows that no model could be made for, with the error.
        changed: names, and the positions in these of models that learned.
        answers: rows, and what a caller would have got for them as numbers, NaN for none.
        lessons: where they are wanted, one per row.
        raised: rows that some candidate raised on, with what it said.
    """

    learned: int = 0
    failed: list[tuple[int, Refusal]] = field(default_factory=list)
    refused: list[tuple[int, Refusal]] = field(default_factory=list)
    changed: list[tuple[Sequence[str], NDArray[np.int32]]] = field(default_factory=list)
    answers: list[tuple[Rows, NDArray[np.float64]]] = field(default_factory=list)
    lessons: list[Lesson] = field(default_factory=list)
    raised: dict[int, str] = field(default_factory=dict)

    def note(self, lesson: Lesson) -> None:
        """Notes what candidates raised."""
        errors = [answer.error for answer in lesson.answers if answer.error]
        if errors:
            self.raised[lesson.row] = errors[0]

    def fail(self, row: int, model: Model, errors: Sequence[str]) -> None:
        """Notes a row that every candidate raised on."""
        names = [candidate.name for candidate in model.candidates]
        raised = "; ".join(f"{name}: {e}" for name, e in zip(names, errors, strict=True))
        self.failed.append(
            (
                row,
                EstimatorFailed(
                    f"every candidate of {model.name!r} raised, and the observation is used up: "
                    f"{raised}",
                    consumed="true",
                ),
            )
        )


class School(Protocol):
    """How the models of one kind of target learn and are scored."""

    def learn(self, batch: Batch, rows: Rows, taught: Taught, *, detailed: bool) -> None:
        """Has rows learned in order; `detailed` asks for lessons."""

    def settle(
        self, row: int, model: Model, batch: Batch, stored: Sequence[Answer | None], taught: Taught
    ) -> None:
        """Has a model learn the one row of a batch, scored with what it answered back then.

        Args:
            row: its position in the caller's batch.
            model: who learns.
            batch: the row.
            stored: per candidate what it answered; None for those that were not asked.
            taught: where the outcome goes, a lesson included.
        """


@dataclass(slots=True)
class Learner:
    """Teaches admitted rows: the same rows in the same order give the same models.

    Args:
        registry: the models.
        ledger: predictions that wait, and requests done.
        school: how they learn; it depends on the flavor.
    """

    registry: Registry
    ledger: Ledger
    school: School

    def apply(self, batch: Batch, rows: Rows, at: float, *, detailed: bool = False) -> Taught:
        """Learns these rows of a batch in order; `at` is when it came."""
        taught = Taught()
        begin = 0
        if batch.prediction_ids:
            for position, row in enumerate(rows.tolist()):
                if row in batch.prediction_ids:
                    self.school.learn(batch, rows[begin:position], taught, detailed=detailed)
                    self._learn_predicted(batch, row, at, taught)
                    begin = position + 1
        self.school.learn(batch, rows[begin:], taught, detailed=detailed)
        if batch.request_ids:
            self._record(batch, rows.tolist(), at, taught)
        return taught

    def _learn_predicted(self, batch: Batch, row: int, at: float, taught: Taught) -> None:
        prediction_id = batch.prediction_ids[row]
        pending = self.ledger.prediction(prediction_id)
        assert isinstance(pending, Pending)  # admission saw to it
        try:
            model = self.registry.obtain(pending.question.model)
        except Refusal as refusal:
            taught.refused.append((row, refusal))
            return
        self.ledger.settle(prediction_id, Done(model.name, at))
        stored = [pending.answers.get(candidate.uploaded) for candidate in model.candidates]
        self.school.settle(row, model, batch.reworded(row, pending.question), stored, taught)

    def _record(self, batch: Batch, rows: Sequence[int], at: float, taught: Taught) -> None:
        refused = {row for row, _ in taught.refused}
        for row in rows:
            request_id = batch.request_ids.get(row)
            if request_id and row not in refused:
                prediction = self.ledger.prediction(batch.prediction_ids.get(row, ""))
                name = prediction.model if isinstance(prediction, Done) else batch.name(row)
                self.ledger.record(request_id, Done(name, at))


def met(stored: Answer | None, raised: str) -> Answer:
    """What a candidate answered back then, with what its learning raised now."""
    answer = stored or Answer()
    return replace(answer, error=raised) if raised else answer
