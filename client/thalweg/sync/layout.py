"""Which column of a result is what, and from its rows to observations."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from itertools import groupby
from typing import Any, cast

from thalweg.account import Entry, Refused
from thalweg.encode import date_text
from thalweg.observations import Feature, Row, Target

ROLES = (("model", "id"), ("date",), ("target", "y"))
"""What every result has, each by its name or another."""

ISO_DAY = len("2016-05-01")


class BadQuery(ValueError):
    """A database, query or column from which sales cannot be read."""


class Layout:
    """The columns of a result.

    Args:
        columns: their names.

    Raises:
        BadQuery: a column is missing, or there twice.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        for name in columns:
            first = name.rpartition(":")[0]  # SQLite calls a second y of a subquery y:1
            if columns.count(name) > 1 or first in columns:
                twice = first or name
                raise BadQuery(f"the query gives {twice!r} twice: leave one out or rename it")
        self._columns = columns
        self._model, self._date, self._target = (_position(columns, names) for names in ROLES)
        taken = (self._model, self._date, self._target)
        self._features = [(i, name) for i, name in enumerate(columns) if i not in taken]

    @property
    def order(self) -> tuple[str, str]:
        """The columns to sort by: days in order, and rows of the same model and day together."""
        return self._columns[self._date], self._columns[self._model]

    def entries(self, rows: Iterable[Sequence[Any]]) -> Iterator[Entry]:
        """Yield the rows, in that order, as observations.

        Rows of the same model and day are refused, all of them: one would be learned and the others
        be taken for known, a part of a day's sales for the whole.

        Raises:
            BadQuery: a value of a type that no column may have.
        """
        numbered = ((number, self._row(number, values)) for number, values in enumerate(rows, 1))
        for _, group in groupby(numbered, key=lambda pair: (pair[1].date, pair[1].model)):
            same = list(group)
            row = same[0][1]
            if len(same) > 1 and row.date and row.model:
                yield from (_repeated(number, row, len(same)) for number, row in same)
            else:
                yield from same

    def _row(self, number: int, values: Sequence[Any]) -> Row:
        try:
            return Row(
                model=_name(values[self._model]),
                # No target is the server's to refuse, in the words it has for that.
                target=cast(Target, _plain(values[self._target])),
                date=_day(values[self._date]),
                features={name: _plain(values[position]) for position, name in self._features},
            )
        except TypeError:
            raise self._blamed(number, values) from None

    def _blamed(self, number: int, values: Sequence[Any]) -> BadQuery:
        """Return the error that names the value which is of no use."""
        readers = {self._model: _name, self._date: _day}
        for position, (name, value) in enumerate(zip(self._columns, values, strict=True)):
            try:
                readers.get(position, _plain)(value)
            except TypeError as error:
                shown = repr(value)[:40]
                return BadQuery(f"row {number}: column {name!r} holds {shown}: {error}")
        raise AssertionError("every value can be read")


def _position(columns: Sequence[str], names: tuple[str, ...]) -> int:
    found = [columns.index(name) for name in names if name in columns]
    if len(found) > 1:
        raise BadQuery(f"the query gives both {' and '.join(names)}: leave one out or rename it")
    if not found:
        raise BadQuery(
            f"the query gives no column {' or '.join(names)}: it gives {', '.join(columns)}"
        )
    return found[0]


def _name(value: Any) -> str:
    """Return a model's name; "" for none, which the server refuses."""
    if value is None:
        return ""
    if isinstance(value, str | int | uuid.UUID):
        return str(value)
    raise TypeError("a name is a text or an integer")


def _day(value: Any) -> date | str | None:
    """Return a day. A text that is none is the server's to refuse.

    Raises:
        TypeError: no date; or one with a time of day, of which several could be the same day.
    """
    if isinstance(value, str) and len(value) > ISO_DAY:
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return cast(str, value)
    if isinstance(value, datetime):
        if value.time() != time():
            raise TypeError("a time of day; give the day, and add up its sales (GROUP BY)")
        return value.date()
    if value is None or isinstance(value, str | date):
        return value
    raise TypeError("a date is a DATE, or a text as 2016-05-23")


def _plain(value: Any) -> Feature:
    """Return a target or a feature as the contract can hold it."""
    if value is None or isinstance(value, str | float | int):
        return value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is neither number, text, flag nor date")


def _repeated(number: int, row: Row, count: int) -> Refused:
    return Refused(
        where=f"row {number}",
        model=row.model,
        date=date_text(row.date),
        target=row.target,
        reason="REPEATED",
        message=f"{count} rows of {row.model} on {date_text(row.date)}: add them up (GROUP BY)",
    )
