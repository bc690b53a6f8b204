"""What becomes of one call of `learn`, gathered from fleets and the river engine."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.ports import Outcomes
from thalweg_server.engines.compiled.feed import Feed


@dataclass(slots=True)
class Lesson:
    """Items on their way.

    Args:
        feed: the batch.
        slots: per item, the candidate.
        rows: per item, the row of the batch.
        predict: whether candidates predict before they learn.
        river: items that the river engine has to do.
    """

    feed: Feed
    slots: NDArray[np.int64]
    rows: NDArray[np.int64]
    predict: bool
    river: list[int] = field(default_factory=list)
    values: NDArray[np.float64] = field(init=False)
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
            self.values[item] = math.nan if answer.value is None else answer.value
            if answer.error:
                self.errors[item] = answer.error
            if position in outcomes.unlearned:
                self.unlearned.add(item)

    def outcomes(self) -> Outcomes:
        """All of it, as the port wants it."""
        return Outcomes(values=self.values, errors=self.errors, unlearned=frozenset(self.unlearned))
