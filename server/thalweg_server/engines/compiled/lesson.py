"""What becomes of one call of `learn`, gathered from fleets and the river engine."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.observation import Batch, Flavor
from thalweg_server.core.ports import Answer, Outcomes
from thalweg_server.engines.compiled.answers import answer_of
from thalweg_server.engines.compiled.feed import Feed
from thalweg_server.engines.compiled.template import DATELESS, RAISED

RAISES = {
    DATELESS: "ValueError: Invalid isoformat string: ''",
    RAISED + 1: "OverflowError: (34, 'Numerical result out of range')",
}
"""What River raises where a kernel stops."""


@dataclass(slots=True)
class Lesson:
    """Items on their way.

    Args:
        batch: what there is to learn.
        slots: per item, the candidate.
        rows: per item, the row of the batch.
        predict: whether candidates predict before they learn.
        flavor: what the candidates predict.
        river: items that the river engine has to do.
        feed: the batch, as kernels want it; there once it is wanted.
    """

    batch: Batch
    slots: NDArray[np.int64]
    rows: NDArray[np.int64]
    predict: bool
    flavor: Flavor = Flavor.REGRESSION
    river: list[int] = field(default_factory=list)
    values: NDArray[np.float64] = field(init=False)
    feed: Feed = field(init=False)
    labelled: dict[int, Answer] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)
    unlearned: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.values = np.full(len(self.slots), np.nan)

    def raised(self, item: int, error: str) -> None:
        """Notes what an item's learn raised."""
        self.errors[item] = error
        self.unlearned.add(item)

    def answered(self, items: list[int], outcomes: Outcomes) -> None:
        """Takes over what the river engine made of these items."""
        for position, answer in enumerate(outcomes.between(0, len(items))):
            item = items[position]
            if self.flavor is Flavor.REGRESSION:
                self.values[item] = math.nan if answer.value is None else answer.value
            else:
                self.labelled[item] = answer
            if answer.error:
                self.errors[item] = answer.error
            if position in outcomes.unlearned:
                self.unlearned.add(item)

    def outcomes(self) -> Outcomes:
        """All of it, as the port wants it."""
        unlearned = frozenset(self.unlearned)
        if self.flavor is Flavor.REGRESSION:
            return Outcomes(values=self.values, errors=self.errors, unlearned=unlearned)
        return Outcomes(answers=[*map(self._answer, range(len(self.slots)))], unlearned=unlearned)

    def _answer(self, item: int) -> Answer:
        answer = self.labelled.get(item) or answer_of(float(self.values[item]), self.flavor)
        answer.error = self.errors.get(item, answer.error)
        return answer
