"""Asks candidates wherever they run, and changes none of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.observation import Flavor, Question
from thalweg_server.core.ports import Answer
from thalweg_server.engines.compiled import feed
from thalweg_server.engines.compiled.answers import answer_of
from thalweg_server.engines.compiled.feed import Feed
from thalweg_server.engines.compiled.inquiry import Inquiries
from thalweg_server.engines.compiled.lowering import Lowering
from thalweg_server.engines.compiled.places import RIVER, Places
from thalweg_server.engines.compiled.runs import Run, do_all
from thalweg_server.engines.compiled.template import DONE
from thalweg_server.engines.fallback import Fallback


@dataclass(slots=True)
class Answering:
    """Questions to candidates: one at a time, or many at once."""

    river: Fallback
    lowering: Lowering
    places: Places
    inquiries: Inquiries

    def one(self, slot: int, question: Question, flavor: Flavor) -> Answer:
        """What a candidate answers."""
        fleet, row = self.places.of(slot)
        if fleet >= 0:
            inquiry = self.inquiries.of(fleet)
            if inquiry.takes(question.features):
                if inquiry.run(row, question.day, question.features) == DONE:
                    return answer_of(inquiry.value, flavor)
            else:
                at, values = np.array([slot], np.int64), np.full(1, np.nan)
                if not self._ask_fleets(at, feed.of_questions([question]), values):
                    return answer_of(float(values[0]), flavor)
        return self._ask_river(slot, question, flavor)

    def many(
        self,
        slots: NDArray[np.int64],
        days: NDArray[Any],
        columns: Mapping[str, Any],
        names: Sequence[str],
        flavor: Flavor,
    ) -> NDArray[np.float64]:
        """What slots[i] answers about days[i] and line i of the columns, as numbers."""
        values = np.full(len(slots), np.nan)
        for item in self._ask_fleets(slots, feed.of_columns(days, columns, names), values):
            question = feed.question(item, days, columns, names)
            values[item] = self._ask_river(int(slots[item]), question, flavor).number
        return values

    def _ask_fleets(
        self, slots: NDArray[np.int64], asked: Feed, values: NDArray[np.float64]
    ) -> list[int]:
        """Fills in what kernels can answer; returns the items left for River."""
        fleets = self.places.fleets[slots]
        left, runs = [np.flatnonzero(fleets < 0)], []
        for number in np.unique(fleets[fleets >= 0]).tolist():
            fleet, items = self.lowering.fleets[number], np.flatnonzero(fleets == number)
            fits = asked.acceptable(fleet, items)
            left.append(items[~fits])
            items = items[fits]
            table = asked.table(fleet, items)
            rows = self.places.rows[slots[items]]
            run = Run(fleet, rows, asked.days[items], asked.targets[items], table, learn=False)
            runs.append((items, run))
        do_all([run for _, run in runs], self.lowering.fleets.crew)
        for items, run in runs:
            values[items] = run.values
            left.append(items[run.status != DONE])
        return [int(item) for item in np.sort(np.concatenate(left))]

    def _ask_river(self, slot: int, question: Question, flavor: Flavor) -> Answer:
        """Has River answer for a candidate that runs elsewhere, too."""
        fleet, row = self.places.of(slot)
        if fleet == RIVER:
            return self.river.predict([row], [question])[0]
        estimator, context = self.lowering.lifted(fleet, row), self.lowering.context(fleet, row)
        guest = self.river.adopt(estimator, flavor, context)
        try:
            return self.river.predict([guest], [question])[0]
        finally:
            self.river.drop([guest])
