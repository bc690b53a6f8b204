"""Learning labels, answer by answer."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

import numpy as np

from thalweg_server.core.errors import Refusal
from thalweg_server.core.learning import Lesson, Rows, Taught, met
from thalweg_server.core.model import Judge, Model
from thalweg_server.core.observation import Batch, Flavor
from thalweg_server.core.ports import Answer, Engine
from thalweg_server.core.registry import Registry
from thalweg_server.core.totals import Totals


@dataclass(slots=True)
class Classification:
    """See `School`.

    Args:
        engine: what runs candidates.
        registry: the models.
        judge: how champions are chosen.
        totals: sums over all of them.
    """

    engine: Engine
    registry: Registry
    judge: Judge
    totals: Totals

    def learn(self, batch: Batch, rows: Rows, taught: Taught, *, detailed: bool) -> None:
        """See `School.learn`."""
        models = []
        for row in rows.tolist():
            try:
                models.append((row, self.registry.obtain(batch.name(row))))
            except Refusal as refusal:
                taught.refused.append((row, refusal))
        slots = [c.slot for _, model in models for c in model.candidates]
        lines = [row for row, model in models for _ in model.candidates]
        outcomes = self.engine.learn(np.array(slots, np.int64), np.array(lines, np.int64), batch)
        item = 0
        for row, model in models:
            first, item = item, item + len(model.candidates)
            lesson = Lesson(row, model, model.order, outcomes.between(first, item))
            unlearned = {i - first for i in outcomes.unlearned if first <= i < item}
            self._absorb(lesson, batch, row, taught, unlearned=unlearned)
            if detailed:
                taught.lessons.append(lesson)

    def settle(
        self, row: int, model: Model, batch: Batch, stored: Sequence[Answer | None], taught: Taught
    ) -> None:
        """See `School.settle`."""
        slots = np.array([candidate.slot for candidate in model.candidates], np.int64)
        learned = self.engine.learn(slots, np.zeros(len(slots), np.int64), batch, predict=False)
        raised = [each.error for each in learned.between(0, len(slots))]
        given = [met(each, error) for each, error in zip(stored, raised, strict=True)]
        lesson = Lesson(row, model, model.order, given)
        unscored = {i for i, each in enumerate(stored) if each is None}
        self._absorb(lesson, batch, 0, taught, unlearned=learned.unlearned, unscored=unscored)
        taught.lessons.append(lesson)

    def _absorb(
        self,
        lesson: Lesson,
        batch: Batch,
        line: int,
        taught: Taught,
        *,
        unlearned: Container[int],
        unscored: Container[int] = (),
    ) -> None:
        model, target = lesson.model, batch.target(line)
        roster = self.registry.roster
        for position, (candidate, answer) in enumerate(
            zip(model.candidates, lesson.answers, strict=True)
        ):
            roster.board.taught[candidate.row] += position not in unlearned
            if position not in unscored:
                roster.board.score_label(candidate.row, target, answer)
                self.totals.add_label(int(roster.board.group[candidate.row]), answer)
        if model.label_kind is None and self.judge.flavor is Flavor.MULTICLASS:
            model.label_kind = type(target)
        through = max(model.learned_through, batch.day(line))
        roster.through[model.number] = through
        taught.note(lesson)
        if lesson.failed:
            taught.fail(lesson.row, model, [answer.error for answer in lesson.answers])
        else:
            roster.learned[model.number] += 1
            taught.learned += 1
        champion = model.champion
        self.judge.reselect(model)
        if model.champion is not champion:
            self.totals.groups.switches[roster.board.group[model.champion.row]] += 1
        roster.touched[model.number] = True
        taught.changed.append((batch.names, batch.index[[line]]))
        several = self.judge.flavor is Flavor.MULTICLASS  # labels, of which none is a number
        number = np.nan if several else lesson.champion.number
        taught.answers.append((np.array([lesson.row]), np.array([number])))
