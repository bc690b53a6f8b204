"""Observations as the core sees them: single ones, and batches in columns.

A batch is columns from the wire to the engine; a Python object per row is made only where an
engine asks for a row (`x`).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.errors import Refusal

Feature: TypeAlias = float | int | bool | str | None
Features: TypeAlias = dict[str, Feature] | str
"""What an estimator sees: features in order of their names, or one text."""

Target: TypeAlias = float | int | bool | str

NO_DAY = -(2**31)
"""Stands for "no date" where days are an array (days since 1970-01-01)."""

EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


class Flavor(enum.Enum):
    """What the models of a server predict."""

    REGRESSION = "regression"
    BINARY = "binary"
    MULTICLASS = "multiclass"


class Context(enum.Enum):
    """A part of an observation's frame that an estimator may ask to see in `x`."""

    ID = "id"
    DATE = "date"


# Bound once: in Python 3.11 looking up a member of an enum runs Python code, and x() runs per row.
_ID, _DATE = Context.ID, Context.DATE


@lru_cache(maxsize=4096)  # the days of a batch are few
def day_text(day: int) -> str:
    """Days since 1970-01-01 as `YYYY-MM-DD`; empty for NO_DAY."""
    return "" if day == NO_DAY else date.fromordinal(day + EPOCH_ORDINAL).isoformat()


@dataclass(slots=True)
class Question:
    """What a candidate is asked: an observation without its target. Never changed, but not
    frozen: one is made per row.
    """

    model: str
    day: int = NO_DAY
    features: Features = field(default_factory=dict)

    def x(self, context: Sequence[Context]) -> Features:
        """The estimator's own `x`: a fresh copy, the context asked for added where it is absent."""
        if isinstance(self.features, str):
            return self.features
        x = dict(self.features)
        if _ID in context:
            x.setdefault("id", self.model)
        if _DATE in context:
            x.setdefault("date", day_text(self.day))
        return x


Column: TypeAlias = NDArray[np.float64] | Sequence[str]
"""One feature of a batch: one value for all rows, or one per row."""


class Names(list[str]):
    """Names of models that rows point into; whoever looks them up keeps what was found here.

    Attributes:
        numbers: of the models, in the order of the names.
        version: what `numbers` are good for.
        stored: what a store keeps them under.
    """

    numbers: NDArray[np.int64]
    version: int = -1
    stored: int | None = None


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Observations in the order to learn them.

    Arrays for engines that work on arrays; for those that go row by row, plain Python values,
    converted all at once when the first row is asked for.

    Args:
        names: names of models.
        index: per row, a position in `names`.
        days: per row, days since 1970-01-01 or NO_DAY.
        targets: per row; a float64 array for regression, else a list (None = missing).
        columns: features that every row has, in order of their names.
        rows: features per row where rows came one by one; None where they came as columns.
        prediction_ids: row to the id of the prediction that it answers.
        request_ids: row to the id that makes it safe to send again.
        refused: row to what is wrong with it; such a row changes nothing.
    """

    names: Names
    index: NDArray[np.int32]
    days: NDArray[np.int32]
    targets: NDArray[np.float64] | list[Target | None]
    columns: Mapping[str, Column] = field(default_factory=dict)
    rows: Sequence[Features] | None = None
    prediction_ids: Mapping[int, str] = field(default_factory=dict)
    request_ids: Mapping[int, str] = field(default_factory=dict)
    refused: Mapping[int, Refusal] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.index)

    def name(self, row: int) -> str:
        """Name of the model of a row."""
        return self._names[row]

    def day(self, row: int) -> int:
        """The day of a row, or NO_DAY."""
        return self._days[row]

    def target(self, row: int) -> Target:
        """The target of a row, as a plain Python value; one that admission has let through."""
        return self._targets[row]  # type: ignore[return-value]

    def sent_target(self, row: int) -> Target | None:
        """The target of a row as it was sent, None where it was not."""
        return self._targets[row]

    @cached_property
    def _names(self) -> list[str]:
        names = list(self.names)
        count = len(names)  # an index beyond belongs to a refused row
        return [names[i] if i < count else "" for i in self.index.tolist()]

    @cached_property
    def _days(self) -> list[int]:
        days: list[int] = self.days.tolist()
        return days

    @cached_property
    def _targets(self) -> Sequence[Target | None]:
        return self.targets if isinstance(self.targets, list) else self.targets.tolist()

    def features(self, row: int) -> Features:
        """The features of a row, keys in order of their names."""
        if self.rows is not None:
            return self.rows[row]
        return line_of(self.columns, row)

    def reworded(self, row: int, question: Question) -> Batch:
        """A batch of one: the question, with the target of a row of this batch."""
        return Batch(
            names=Names((question.model,)),
            index=np.zeros(1, np.int32),
            days=np.array([question.day], np.int32),
            targets=self.targets[row : row + 1],
            rows=(question.features,),
        )

    def select(self, rows: NDArray[np.int64]) -> Batch:
        """Some rows, none of them refused, of a batch whose rows came one by one."""
        assert self.rows is not None
        at, given = rows.tolist(), self.targets
        return Batch(
            names=self.names,
            index=self.index[rows],
            days=self.days[rows],
            targets=[given[row] for row in at] if isinstance(given, list) else given[rows],
            rows=[self.rows[row] for row in at],
            prediction_ids=_renumbered(self.prediction_ids, at),
            request_ids=_renumbered(self.request_ids, at),
        )

    def question(self, row: int) -> Question:
        """A row without its target."""
        return Question(self._names[row], self._days[row], self.features(row))


def _renumbered(ids: Mapping[int, str], rows: Sequence[int]) -> dict[int, str]:
    return {new: ids[row] for new, row in enumerate(rows) if row in ids} if ids else {}


def line_of(columns: Mapping[str, Column], row: int) -> dict[str, Feature]:
    """One line of columns, keys in their order."""
    return {name: _cell(column, row) for name, column in columns.items()}


def _cell(column: Column, row: int) -> Feature:
    value = column[row if len(column) > 1 else 0]
    return value if isinstance(value, str) else value.item()
