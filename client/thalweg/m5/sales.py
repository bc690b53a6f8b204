"""`Sales`: units sold, items by days. What every reader returns and every command streams."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import cast

import numpy as np
from numpy.typing import NDArray

from thalweg.observations import Columns, Row

_SUFFIXES = ("_evaluation", "_validation")
_EPOCH = date(1970, 1, 1)


class BadSales(ValueError):
    """Sales that contradict themselves, or a file of them that cannot be understood."""


def model_name(sales_id: str) -> str:
    """Return the model of an official id: the id without `_evaluation` or `_validation`."""
    for suffix in _SUFFIXES:
        sales_id = sales_id.removesuffix(suffix)
    return sales_id


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Sales:
    """Units sold of some items on some days.

    Args:
        ids: the items, distinct; one model each.
        dates: the days, in days since 1970-01-01, ascending.
        units: items by days; NaN = no observation.

    Raises:
        BadSales: shapes that do not fit, an id or a day twice, days out of order, infinite units.
    """

    ids: list[str]
    dates: NDArray[np.int32]
    units: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.units.shape != (len(self.ids), len(self.dates)):
            raise BadSales(
                f"{len(self.ids)} ids and {len(self.dates)} days, but units {self.units.shape}"
            )
        if len(set(self.ids)) < len(self.ids):
            raise BadSales(f"id {_first_repeated(self.ids)!r} is there twice: keep one row per id")
        if np.any(np.diff(self.dates) <= 0):
            raise BadSales("days must be distinct and ascending")
        if np.isinf(self.units).any():
            item = int(np.isinf(self.units).any(axis=1).argmax())
            raise BadSales(f"id {self.ids[item]!r} has infinite units: leave the cell empty")

    def __repr__(self) -> str:
        days = self.days
        span = f", {days[0]} to {days[-1]}" if days else ""
        return f"Sales({len(self.ids)} items, {len(days)} days{span})"

    @property
    def days(self) -> list[date]:
        """The days, as dates."""
        return [_EPOCH + timedelta(days=int(day)) for day in self.dates]

    @property
    def observations(self) -> int:
        """How many units are known: the rows that `columns` and `rows` give."""
        return int(np.count_nonzero(~np.isnan(self.units)))

    def select(
        self, glob: str = "*", *, ids: Collection[str] | None = None, first: int | None = None
    ) -> Sales:
        """Return some items, in the order they have here.

        Args:
            glob: `*` is any text, `?` any character; case-sensitive.
            ids: only these, with or without the official suffix.
            first: at most so many of those that are left.

        Raises:
            KeyError: one of `ids` is not here.
        """
        wanted = set(self.ids) if ids is None else {model_name(name) for name in ids}
        if missing := wanted.difference(self.ids):
            raise KeyError(f"no sales of {min(missing)!r}")
        matches = _glob(glob).fullmatch
        rows = [i for i, name in enumerate(self.ids) if name in wanted and matches(name)][:first]
        return Sales(ids=[self.ids[i] for i in rows], dates=self.dates, units=self.units[rows])

    def between(self, first: date | str | None = None, last: date | str | None = None) -> Sales:
        """Return the days from `first` to `last`, both included; None = no bound.

        Raises:
            ValueError: a text that is no `YYYY-MM-DD`.
        """
        start = 0 if first is None else np.searchsorted(self.dates, _day(first), side="left")
        stop = None if last is None else np.searchsorted(self.dates, _day(last), side="right")
        return self.at(slice(start, stop))

    def at(self, days: slice) -> Sales:
        """Return days by position: `slice(21)` is the first 21, `slice(-7, None)` the last 7."""
        return Sales(ids=self.ids, dates=self.dates[days], units=self.units[:, days])

    def units_of(self, name: str, day: date | str) -> float:
        """Return the units of one item on one day; NaN = no observation.

        Raises:
            KeyError: no such item, or no such day.
        """
        item, column = self._cell(name, day)
        return float(self.units[item, column])

    def without(self, name: str, day: date | str) -> Sales:
        """Return the same sales with one observation less.

        Raises:
            KeyError: no such item, or no such day.
        """
        units = self.units.copy()
        units[self._cell(name, day)] = np.nan
        return Sales(ids=self.ids, dates=self.dates, units=units)

    def columns(self, batch_rows_max: int = 16_384) -> Iterator[Columns]:
        """Yield every observation in batches, day by day, items in their order.

        Args:
            batch_rows_max: rows in a batch, at most; a batch holds one day.
        """
        for column, day in enumerate(self.dates):
            known = np.flatnonzero(~np.isnan(self.units[:, column]))
            for start in range(0, len(known), batch_rows_max):
                items = known[start : start + batch_rows_max]
                yield Columns(
                    models=[self.ids[item] for item in items],
                    # A float64 buffer is taken as it is, though it is no Sequence.
                    targets=cast(Sequence[float], self.units[items, column]),
                    date_days=[int(day)],
                )

    def rows(self) -> Iterator[Row]:
        """Yield every observation, day by day, items in their order."""
        for column, day in enumerate(self.days):
            for name, units in zip(self.ids, self.units[:, column].tolist(), strict=True):
                if units == units:  # noqa: PLR0124 — false for NaN alone, at a tenth of isnan
                    yield Row(model=name, target=units, date=day)

    def histories(self) -> Iterator[tuple[str, list[tuple[str, float]]]]:
        """Yield each item with its observations: (`YYYY-MM-DD`, units), oldest first."""
        days = [day.isoformat() for day in self.days]
        for name, units in zip(self.ids, self.units, strict=True):
            pairs = zip(days, units.tolist(), strict=True)
            yield name, [(day, sold) for day, sold in pairs if sold == sold]  # noqa: PLR0124

    def _cell(self, name: str, day: date | str) -> tuple[int, int]:
        """Return the position of an item and of a day, or raise KeyError."""
        name, wanted = model_name(name), _day(day)
        column = int(np.searchsorted(self.dates, wanted))
        if name not in self.ids or column == len(self.dates) or self.dates[column] != wanted:
            raise KeyError(f"no sales of {name!r} on {day}")
        return self.ids.index(name), column


def days_since_epoch(day: date) -> int:
    """Return a date as days since 1970-01-01."""
    return (day - _EPOCH).days


def _day(day: date | str) -> int:
    return days_since_epoch(date.fromisoformat(day) if isinstance(day, str) else day)


def _glob(glob: str) -> re.Pattern[str]:
    """Return a glob as a pattern. Not `fnmatch`, for which brackets are special too."""
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(c, re.escape(c)) for c in glob), re.DOTALL)


def _first_repeated(names: list[str]) -> str:
    seen: set[str] = set()
    return next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
