"""Sums over many candidates at once, by their names."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.totals import Totals

Ints = NDArray[np.int64]


class Names:
    """Candidates' names as numbers, so that sums by name are a matter of arrays. One thread.

    Args:
        totals: whose rows, one for each name in each group of models, candidates point to.
    """

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        self._numbers: dict[str, int] = {}
        self._of_row: Ints = np.zeros(0, np.int64)

    def sums(self, rows: Ints, weights: NDArray[Any] | None = None) -> dict[str, float]:
        """Sums by name; without those that are 0.

        Args:
            rows: of the totals, which say whose the weights are.
            weights: what to sum; None = count.
        """
        self._refresh()  # after `rows` were read: it knows all of them
        sums = np.bincount(self._of_row[rows], weights, len(self._numbers)).tolist()
        return {name: sums[number] for name, number in self._numbers.items() if sums[number]}

    def _refresh(self) -> None:
        keys = self._totals.keys
        if len(keys) != len(self._of_row):
            numbers = self._numbers
            of_row = [numbers.setdefault(name, len(numbers)) for _, name in keys]
            self._of_row = np.array(of_row, np.int64)
