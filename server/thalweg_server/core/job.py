"""One batch on its way through admission and models, a slice at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.admission import Admission
from thalweg_server.core.errors import Refusal
from thalweg_server.core.learning import Rows, Taught
from thalweg_server.core.observation import Batch
from thalweg_server.core.pace import Pace
from thalweg_server.core.screening import screen
from thalweg_server.core.totals import Totals


@dataclass(slots=True)
class Report:
    """What became of a batch so far.

    Attributes:
        learned, duplicates, error_count: rows.
        errors: the first of the errors, by row.
        predictions: per row, what a caller would have got, NaN for rows that were not learned.
        raised: rows that some candidate raised on, with what it said.
    """

    learned: int = 0
    duplicates: int = 0
    error_count: int = 0
    errors: list[tuple[int, Refusal]] = field(default_factory=list)
    predictions: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    raised: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class BatchJob:
    """Learns a batch, slice by slice.

    Args:
        batch: the rows.
        admission: makes an admission for the next slice.
        learn: has a slice's admitted rows learned.
        pace: sizes slices.
        errors_listed_max: row errors kept one by one.
        totals: counts rows.
        predictions: whether `report.predictions` is wanted.
        next: the first row that no slice has had yet.
    """

    batch: Batch
    admission: Callable[[], Admission]
    learn: Callable[[Batch, Rows], Taught]
    pace: Pace
    errors_listed_max: int
    totals: Totals
    predictions: bool = False
    next: int = 0
    report: Report = field(default_factory=Report)

    def __post_init__(self) -> None:
        if self.predictions:
            self.report.predictions = np.full(len(self.batch), np.nan)

    def step(self) -> bool:
        """Learns the next slice; returns whether the batch is done."""
        self._advance(len(self.batch))
        return self.next == len(self.batch)

    def advance(self, row: int) -> None:
        """Learns all rows up to this one, which comes next."""
        while self.next < row:
            self._advance(row)

    def _advance(self, stop: int) -> None:
        with self.pace.slice(stop - self.next) as rows:
            self._slice(self.next + rows)

    def _slice(self, stop: int) -> None:
        screened = screen(self.admission(), self.batch, range(self.next, stop))
        taught = self.learn(self.batch, screened.admitted)
        self.report.duplicates += screened.duplicates
        self.totals.rows["duplicate"] += screened.duplicates
        self._note(taught)
        self._refuse(screened.refused, [*taught.refused, *taught.failed])
        self.next = stop

    def _note(self, taught: Taught) -> None:
        self.report.learned += taught.learned
        self.totals.rows["learned"] += taught.learned
        self.report.raised |= taught.raised
        if self.predictions:
            for rows, answers in taught.answers:
                self.report.predictions[rows] = answers

    def _refuse(
        self, rejected: list[tuple[int, Refusal]], failed: list[tuple[int, Refusal]]
    ) -> None:
        self.totals.rows["rejected"] += len(rejected)
        self.totals.rows["failed"] += len(failed)
        self.report.error_count += len(rejected) + len(failed)
        # What admission refused comes before what failed to learn: back into the rows' order.
        room = self.errors_listed_max - len(self.report.errors)
        self.report.errors += sorted((*rejected, *failed), key=itemgetter(0))[:room]
