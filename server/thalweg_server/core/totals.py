"""Sums over everything learned, for telemetry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.mixed import freeze_json, thaw_json
from thalweg_server.core.ports import Answer, Sink, Source
from thalweg_server.core.prefixed import PrefixedSink, PrefixedSource
from thalweg_server.core.table import Table


@dataclass(frozen=True, slots=True)
class CandidateTotals:
    """Sums over all models' candidates of one name."""

    absolute_error: float = 0.0
    scored: int = 0
    nonfinite: int = 0


class Groups(Table):
    """Candidates by name: the columns that learning adds to."""

    error_sum: NDArray[np.float64]
    scored: NDArray[np.int64]
    unusable: NDArray[np.int64]

    COLUMNS: ClassVar = {
        "error_sum": (np.float64, 1),
        "scored": (np.int64, 1),
        "unusable": (np.int64, 1),
    }


@dataclass(slots=True)
class Totals:
    """Counters since the server started. Written by one thread."""

    rows: dict[str, int] = field(
        default_factory=lambda: {"learned": 0, "duplicate": 0, "rejected": 0, "failed": 0}
    )
    groups: Groups = field(default_factory=Groups)
    _numbers: dict[str, int] = field(default_factory=dict)

    def group(self, candidate: str) -> int:
        """The row of a candidate's name in `groups`."""
        number = self._numbers.get(candidate)
        if number is None:
            number = self._numbers[candidate] = self.groups.take()
        return number

    def freeze(self, sink: Sink) -> None:
        """Writes all sums."""
        freeze_json(sink, "rows", self.rows)
        freeze_json(sink, "numbers", self._numbers)
        self.groups.freeze(PrefixedSink(sink, "groups/"))

    def thaw(self, source: Source) -> None:
        """Goes on from what `freeze` wrote."""
        self.rows.update(thaw_json(source, "rows"))
        self._numbers.update(thaw_json(source, "numbers"))
        self.groups.thaw(PrefixedSource(source, "groups/"))

    def candidates(self) -> Iterator[tuple[str, CandidateTotals]]:
        """Names, and their totals, of candidates whose predictions have met a true value."""
        groups = self.groups
        for name, number in list(self._numbers.items()):
            totals = CandidateTotals(
                float(groups.error_sum[number]),
                int(groups.scored[number]),
                int(groups.unusable[number]),
            )
            if totals.scored or totals.nonfinite:
                yield name, totals

    def add_label(self, candidate: str, answer: Answer) -> None:
        """Counts a classification's answer that met its true value."""
        number = self.group(candidate)
        if answer.usable:
            self.groups.scored[number] += 1
        elif not answer.error:
            self.groups.unusable[number] += 1
