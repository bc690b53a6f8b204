"""Sums over everything learned, for telemetry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.groups import ALL, GROUPS_MAX, OTHER, GroupRule
from thalweg_server.core.mixed import freeze_json, thaw_json
from thalweg_server.core.ports import Answer
from thalweg_server.core.prefixed import PrefixedSink, PrefixedSource
from thalweg_server.core.storing import Sink, Source
from thalweg_server.core.table import Table


@dataclass(frozen=True, slots=True)
class CandidateTotals:
    """What candidates of one name add up to, in all models or in those of one group.

    Args:
        absolute_error: sum of absolute errors; of regression.
        scored: predictions that were scored.
        nonfinite: predictions that were not usable.
        switches: times that one became its model's champion in place of a sibling.
    """

    absolute_error: float = 0.0
    scored: int = 0
    nonfinite: int = 0
    switches: int = 0

    def __add__(self, other: CandidateTotals) -> CandidateTotals:
        return CandidateTotals(
            self.absolute_error + other.absolute_error,
            self.scored + other.scored,
            self.nonfinite + other.nonfinite,
            self.switches + other.switches,
        )


class Groups(Table):
    """Candidates by group and name: the columns that learning adds to."""

    error_sum: NDArray[np.float64]
    scored: NDArray[np.int64]
    unusable: NDArray[np.int64]
    switches: NDArray[np.int64]

    COLUMNS: ClassVar = {
        "error_sum": (np.float64, 1),
        "scored": (np.int64, 1),
        "unusable": (np.int64, 1),
        "switches": (np.int64, 1),
    }


@dataclass(slots=True)
class Totals:
    """Counters since the server was new. Written by one thread.

    Args:
        rule: how models are grouped.
        rows: sent to learn, by what became of them.
        groups: sums by group and candidate.
        learned_at: when the last row came that was learned, in seconds since the epoch; None
            before there is one.
    """

    rule: GroupRule = field(default_factory=GroupRule)
    rows: dict[str, int] = field(
        default_factory=lambda: {"learned": 0, "duplicate": 0, "rejected": 0, "failed": 0}
    )
    groups: Groups = field(default_factory=Groups)
    learned_at: float | None = None
    _keys: dict[tuple[str, str], int] = field(default_factory=dict)
    _labels: set[str] = field(default_factory=lambda: {OTHER})

    def group(self, model: str, candidate: str) -> int:
        """The row of a model's candidate in `groups`."""
        key = self._label(model), candidate
        number = self._keys.get(key)
        if number is None:
            number = self._keys[key] = self.groups.take()
        return number

    def _label(self, model: str) -> str:
        label = self.rule.label(model)
        if label in self._labels:
            return label
        if len(self._labels) == GROUPS_MAX:
            return OTHER
        self._labels.add(label)
        return label

    @property
    def keys(self) -> list[tuple[str, str]]:
        """Group and candidate of each row of `groups`. Any thread."""
        return list(self._keys)

    def by_key(self) -> Iterator[tuple[str, str, CandidateTotals]]:
        """Groups and candidates whose predictions have met a true value, and their sums."""
        groups = self.groups
        for row, (label, candidate) in enumerate(self.keys):
            totals = CandidateTotals(
                float(groups.error_sum[row]),
                int(groups.scored[row]),
                int(groups.unusable[row]),
                int(groups.switches[row]),
            )
            if totals.scored or totals.nonfinite:
                yield label, candidate, totals

    def candidates(self) -> Iterator[tuple[str, CandidateTotals]]:
        """Names of candidates whose predictions have met a true value, and their sums."""
        sums: dict[str, CandidateTotals] = {}
        for _, candidate, each in self.by_key():
            sums[candidate] = sums.get(candidate, CandidateTotals()) + each
        yield from sums.items()

    def add_label(self, number: int, answer: Answer) -> None:
        """Counts a classification's answer that met its true value, in a row of `groups`."""
        if answer.usable:
            self.groups.scored[number] += 1
        elif not answer.error:
            self.groups.unusable[number] += 1

    def freeze(self, sink: Sink) -> None:
        """Writes all sums."""
        freeze_json(sink, "rows", self.rows)
        freeze_json(sink, "keys", list(self._keys))
        grouping = {"rule": self.rule.text, "labels": sorted(self._labels)}
        freeze_json(sink, "grouping", grouping | {"learned_at": self.learned_at})
        self.groups.freeze(PrefixedSink(sink, "groups/"))

    def thaw(self, source: Source) -> bool:
        """Goes on from what `freeze` wrote; whether models were grouped by another rule then.

        These have to be asked for their `group` anew. What was added to a group stays there.
        """
        self.rows.update(thaw_json(source, "rows"))
        self.groups.thaw(PrefixedSource(source, "groups/"))
        try:
            keys, grouping = thaw_json(source, "keys"), thaw_json(source, "grouping")
        except KeyError:  # written when there were no groups
            keys = [(ALL, candidate) for candidate in thaw_json(source, "numbers")]
            grouping = {"rule": "", "labels": [ALL, OTHER], "learned_at": None}
        self._keys.update({(label, name): row for row, (label, name) in enumerate(keys)})
        self.learned_at = grouping["learned_at"]
        if grouping["rule"] != self.rule.text:
            return True
        self._labels.update(grouping["labels"])
        return False
