"""Learning numbers: from a batch to kernels and scores in arrays, with no object per row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.errors import Refusal
from thalweg_server.core.learning import Lesson, Rows, Taught, met
from thalweg_server.core.model import Judge, Model
from thalweg_server.core.observation import Batch
from thalweg_server.core.ports import Answer, Engine, Outcomes
from thalweg_server.core.registry import Registry
from thalweg_server.core.tally import RAISED, UNLEARNED, UNSCORED, Tally
from thalweg_server.core.totals import Totals

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Regression:
    """See `School`.

    Args:
        engine: what runs candidates.
        registry: the models.
        judge: how champions are chosen.
        totals: sums over all of them.
        tally: scores rows; compiled where speed is wanted.
    """

    engine: Engine
    registry: Registry
    judge: Judge
    totals: Totals
    tally: Tally

    def learn(self, batch: Batch, rows: Rows, taught: Taught, *, detailed: bool) -> None:
        """See `School.learn`."""
        rows, numbers = self._models(batch, rows, taught)
        if not len(rows):
            return
        roster = self.registry.roster
        width, at = roster.width[numbers], roster.rows(numbers)
        orders = [self._model(batch, row).order for row in rows.tolist()] if detailed else []
        items = np.repeat(rows, width)
        outcomes = self.engine.learn(roster.board.slot[at], items, batch)
        taught.raised |= {int(items[item]): text for item, text in outcomes.errors.items()}
        flags = _flags(outcomes, len(at))
        answers = self._score(batch, rows, numbers, outcomes.values, flags)
        ends = np.cumsum(width)
        begins = ends - width
        failed = self._failed(flags, begins, ends) if outcomes.errors else []
        for each in failed:
            errors = [outcomes.errors[item] for item in range(int(begins[each]), int(ends[each]))]
            taught.fail(int(rows[each]), self._model(batch, int(rows[each])), errors)
        taught.learned += len(rows) - len(failed)
        taught.changed.append((batch.names, batch.index[rows]))
        taught.answers.append((rows, answers))
        for each, order in enumerate(orders):
            given = outcomes.between(int(begins[each]), int(ends[each]))
            model = self._model(batch, int(rows[each]))
            taught.lessons.append(Lesson(int(rows[each]), model, order, given))

    def settle(
        self, row: int, model: Model, batch: Batch, stored: Sequence[Answer | None], taught: Taught
    ) -> None:
        """See `School.settle`."""
        order = model.order
        slots = np.array([candidate.slot for candidate in model.candidates], np.int64)
        learned = self.engine.learn(slots, np.zeros(len(slots), np.int64), batch, predict=False)
        flags = _flags(learned, len(slots))
        given = [met(each, learned.errors.get(i, "")) for i, each in enumerate(stored)]
        values = np.array([math.nan if a.value is None else a.value for a in given])
        flags[[i for i, each in enumerate(stored) if each is None]] |= UNSCORED
        flags[[i for i, each in enumerate(given) if each.error]] |= RAISED
        numbers = np.array([model.number])
        answers = self._score(batch, np.zeros(1, np.int64), numbers, values, flags)
        lesson = Lesson(row, model, order, given)
        taught.note(lesson)
        if lesson.failed:
            taught.fail(row, model, [answer.error for answer in given])
        else:
            taught.learned += 1
        taught.changed.append((batch.names, batch.index))
        taught.answers.append((np.array([row]), answers))
        taught.lessons.append(lesson)

    def _models(self, batch: Batch, rows: Rows, taught: Taught) -> tuple[Rows, NDArray[np.int64]]:
        """Rows that there is a model for, made where it is new, and the models' numbers."""
        index = batch.index[rows]
        numbers, known = self.registry.numbers(batch.names, index), batch.names.numbers
        for position in np.flatnonzero(numbers < 0).tolist():
            name = int(index[position])
            if known[name] < 0:
                try:
                    known[name] = self.registry.obtain(batch.names[name]).number
                except Refusal as refusal:
                    taught.refused.append((int(rows[position]), refusal))
                    continue
            numbers[position] = known[name]
        if taught.refused:
            rows, numbers = rows[numbers >= 0], numbers[numbers >= 0]
        return rows, numbers

    def _model(self, batch: Batch, row: int) -> Model:
        return self.registry.models[batch.name(row)]

    def _score(
        self,
        batch: Batch,
        rows: Rows,
        numbers: NDArray[np.int64],
        values: Floats,
        flags: NDArray[np.uint8],
    ) -> Floats:
        roster, board, groups = self.registry.roster, self.registry.roster.board, self.totals.groups
        targets = np.asarray(batch.targets, np.float64)[rows]
        answers = np.empty(len(rows))
        self.tally(
            *(numbers, targets, batch.days[rows].astype(np.int64), values, flags),
            *(answers, self.judge.by_rmse, 2.0),
            *(roster.begin, roster.width, roster.learned, roster.through, roster.touched),
            *(roster.past, roster.past_targets, roster.past_answers, roster.past_days),
            *(board.group, board.order, board.taught, board.count, board.nonfinite),
            *(board.mae, board.mse, board.recent),
            *(groups.error_sum, groups.scored, groups.unusable, groups.switches),
        )
        return answers

    @staticmethod
    def _failed(flags: NDArray[np.uint8], begins: Rows, ends: Rows) -> list[int]:
        """Positions of the rows all of whose items raised."""
        raised = np.concatenate(([0], np.cumsum(flags & RAISED != 0)))
        failed = raised[ends] - raised[begins] == ends - begins
        positions: list[int] = np.flatnonzero(failed).tolist()
        return positions


def _flags(outcomes: Outcomes, items: int) -> NDArray[np.uint8]:
    flags = np.zeros(items, np.uint8)
    flags[list(outcomes.errors)] |= RAISED
    flags[list(outcomes.unlearned)] |= UNLEARNED
    return flags
