"""The short way of giving a fleet one item: no feed, and no array made."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.observation import Context, Features
from thalweg_server.engines.compiled.fleet import Fleet, Fleets
from thalweg_server.engines.compiled.shape import DATE, Shape, is_number
from thalweg_server.engines.compiled.template import DONE

SHAPES_MAX = 64
"""Sets of features whose verdict is kept per fleet."""


@dataclass(slots=True)
class Inquiry:
    """One fleet's arrays for a single item, used again and again.

    Args:
        value: what the last item's row predicted, NaN where that is not usable.
    """

    fleet: Fleet
    value: float = np.nan
    _rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    _days: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    _targets: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    _values: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    _status: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    _table: NDArray[np.float64] = field(init=False)
    _scratch: tuple[NDArray[np.float64], NDArray[np.int64]] = field(init=False)
    _verdicts: dict[tuple[str, ...], bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._table = np.empty((len(self.fleet.plan.inputs), 1))
        self._scratch = self.fleet.scratch()

    def run(
        self,
        row: int,
        day: int,
        features: Features,
        target: float = 0.0,
        *,
        predict: bool = True,
        learn: bool = False,
    ) -> int:
        """Has a row predict and learn, the features being such as it takes; returns the status."""
        for line, name in enumerate(self.fleet.plan.inputs):
            # What is not there is of the context, and no step uses it.
            self._table[line, 0] = features.get(name, np.nan)  # type: ignore[union-attr]
        self._rows[0], self._days[0], self._targets[0] = row, day, target
        self._values[0], self._status[0] = np.nan, DONE
        self.fleet.kernel.run(
            *(self._rows, self._days, self._targets, self._table, predict, learn),
            *(self._values, self._status, *self.fleet.memory(), *self._scratch),
            *self.fleet.constants,
        )
        self.value = float(self._values[0])
        return int(self._status[0])

    def takes(self, features: Features) -> bool:
        """Whether all are numbers, and as the kernel knows them."""
        if isinstance(features, str) or not all(map(is_number, features.values())):
            return False
        names = tuple(features)
        verdict = self._verdicts.get(names)
        if verdict is None:
            verdict = self._judge(names)
            if len(self._verdicts) < SHAPES_MAX:
                self._verdicts[names] = verdict
        return verdict

    def _judge(self, names: tuple[str, ...]) -> bool:
        plan, context = self.fleet.plan, self.fleet.context
        if plan.coding.coded or plan.coding.marked or DATE in names:
            return False
        if plan.dated and Context.DATE not in context:
            return False
        given = Shape(names, dict.fromkeys(names, np.zeros(1))).inputs(context)
        return plan.accepts(given, names)


@dataclass(slots=True)
class Inquiries:
    """Each fleet's."""

    fleets: Fleets
    _known: dict[int, Inquiry] = field(default_factory=dict)

    def of(self, number: int) -> Inquiry:
        """That of a fleet."""
        inquiry = self._known.get(number)
        if inquiry is None:
            inquiry = self._known[number] = Inquiry(self.fleets[number])
        return inquiry
