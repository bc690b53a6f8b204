"""Rows of a batch that have the same features, of the same kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.observation import EPOCH_ORDINAL, NO_DAY, Context
from thalweg_server.engines.compiled.dictionary import FLOAT, Factor, factor, kind_of
from thalweg_server.engines.compiled.steps.base import EXACT_MAX, Inputs

ID, DATE = Context.ID.value, Context.DATE.value

NO_SUCH_DAY = -(2**40)
"""Stands for what is no day's text, where days are an array."""


@dataclass(slots=True)
class Shape:
    """Rows that have the same features.

    Args:
        names: of the features, in order.
        numbers: those that are numbers in all the rows, one value for all rows or one per row.
        others: those that are no numbers: texts, None, and ints that no float64 can be.
        position: row to its position in `numbers` and `others`; None where that is the row
            itself.
        typed: rows as they came, whose numbers may be ints and flags; None: all are floats.
        whole: whether each row is one text without features.
    """

    names: tuple[str, ...]
    numbers: Mapping[str, NDArray[np.float64]]
    others: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    position: NDArray[np.int64] | None = None
    typed: Sequence[Any] | None = None
    whole: bool = False
    _factors: dict[str, Factor] = field(default_factory=dict)
    _kinds: dict[str, NDArray[np.int64]] = field(default_factory=dict)

    def inputs(self, context: tuple[Context, ...]) -> Inputs:
        """What a pipeline is given first, the context that it asks for included."""
        names = [*self.names]
        texts = set(self.others)
        for each in (Context.ID, Context.DATE):
            if each in context and each.value not in names:
                names.append(each.value)
                texts.add(each.value)
        return Inputs(tuple(names), raw=True, text=frozenset(texts))

    def at(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions of rows in this shape."""
        return rows if self.position is None else self.position[rows]

    def number(self, name: str, at: NDArray[np.int64]) -> Any:
        """A feature at some positions."""
        column = self.numbers[name]
        return column[at] if len(column) > 1 else column[0]

    def factor(self, name: str) -> Factor:
        """A feature that is no number as its different values, computed once."""
        if name not in self._factors:
            self._factors[name] = factor(self.others[name])
        return self._factors[name]

    def marks(self, names: Sequence[str], at: NDArray[np.int64]) -> NDArray[np.int64]:
        """Per position, whether numbers are floats, ints or flags: two bits each."""
        marks = np.full(len(at), FLOAT, np.int64)
        for number, name in enumerate(names):
            if self.typed is not None:
                if name not in self._kinds:
                    kinds = [kind_of(each[name]) for each in self.typed]
                    self._kinds[name] = np.array(kinds, np.int64)
                marks |= self._kinds[name][at] << (2 * number)
        return marks

    def same_dates(self, at: NDArray[np.int64], days: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Per position, whether the rows' own feature `date` is the day that they are of."""
        if DATE not in self.others:
            return np.zeros(len(at), np.bool_)
        dates = self.factor(DATE)
        numbers = np.array([day_number(value) for value in dates.values], np.int64)
        same: NDArray[np.bool_] = numbers[pick(dates, at)] == days
        return same


def pick(factored: Factor, at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions among a factor's values; a factor of one row stands for all rows."""
    return factored.at[at] if len(factored.at) > 1 else np.zeros(len(at), np.int64)


def day_number(value: Any) -> int:
    """The day whose text a value is, as a batch has it; NO_SUCH_DAY where it is none."""
    if value == "":
        return NO_DAY
    try:
        day = date.fromisoformat(value)
    except (TypeError, ValueError):
        return NO_SUCH_DAY
    return day.toordinal() - EPOCH_ORDINAL if day.isoformat() == value else NO_SUCH_DAY


def of_columns(columns: Mapping[str, Any]) -> Shape:
    """The one shape of a batch in columns."""
    arrays = {name: each for name, each in columns.items() if isinstance(each, np.ndarray)}
    numbers = {name: np.asarray(each, np.float64) for name, each in arrays.items()}
    others = {name: each for name, each in columns.items() if name not in numbers}
    return Shape(tuple(columns), numbers, others)


def of_rows(rows: Sequence[Any], members: Sequence[int], count: int) -> Shape:
    """The shape of some of a batch's rows; `members` says which of the `count` they are."""
    position = np.full(count, -1, np.int64)
    position[list(members)] = np.arange(len(members))
    first = rows[0]
    if isinstance(first, str):
        return Shape((), {}, position=position, whole=True)
    numeric = [name for name, value in first.items() if is_number(value)]
    numbers = {name: np.array([each[name] for each in rows], np.float64) for name in numeric}
    others = {name: [each[name] for each in rows] for name in first if name not in numbers}
    return Shape(tuple(first), numbers, others, position, typed=rows)


def is_number(value: Any) -> bool:
    """Whether a feature is, as a float64, the very same number."""
    return isinstance(value, float) or (isinstance(value, int) and abs(value) <= EXACT_MAX)
