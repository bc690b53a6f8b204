"""What kernels are given to do in one go, shared among threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from thalweg_server.engines.compiled.crew import Crew
from thalweg_server.engines.compiled.fleet import Fleet

ITEMS_PER_THREAD_MIN = 750
"""Half a millisecond's work or more, beside which waking a thread is cheap."""

ROWS_TOGETHER = 16
"""Rows in turn that one thread takes: neighbours would share lines of memory."""


@dataclass(slots=True)
class Run:
    """Items for one fleet, in order: each one's row predicts, then learns.

    Args:
        rows: per item, the fleet's row,
        days: its day,
        targets: and its target.
        table: the features, a line each.
        predict: whether rows predict,
        learn: and whether they learn.
        values: what rows predicted; NaN: nothing usable.
        status: what became of each item.
    """

    fleet: Fleet
    rows: NDArray[np.int64]
    days: NDArray[np.int64]
    targets: NDArray[np.float64]
    table: NDArray[np.float64]
    predict: bool = True
    learn: bool = True
    values: NDArray[np.float64] = field(init=False)
    status: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.values = np.full(len(self.rows), np.nan)
        self.status = np.zeros(len(self.rows), np.int64)

    def do(self, part: int, parts: int) -> None:
        """Does one part of it. The kernel holds no GIL."""
        if parts == 1:
            self._call_kernel()
            return
        at = np.flatnonzero(self.rows // ROWS_TOGETHER % parts == part)
        columns = np.ascontiguousarray(self.table[:, at])
        items = (self.rows[at], self.days[at], self.targets[at], columns)
        some = Run(self.fleet, *items, self.predict, self.learn)
        some.do(0, 1)
        self.values[at], self.status[at] = some.values, some.status

    def _call_kernel(self) -> None:
        fleet = self.fleet
        fleet.kernel.run(
            *(self.rows, self.days, self.targets, self.table, self.predict, self.learn),
            *(self.values, self.status, *fleet.memory(), *fleet.scratch(), *fleet.constants),
        )


def do_all(runs: Sequence[Run], crew: Crew) -> None:
    """Does all of them. Threads share each one's rows, so that a row's items stay in order."""
    items = sum(len(run.rows) for run in runs)
    parts = max(1, min(crew.size, items // ITEMS_PER_THREAD_MIN))

    def do(part: int) -> None:
        for run in runs:
            run.do(part, parts)

    if parts == 1:
        do(0)
    else:
        crew.run([partial(do, part) for part in range(parts)])
