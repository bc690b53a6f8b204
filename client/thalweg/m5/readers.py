"""Readers of sales files: the official wide form and the long form, csv or parquet."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from os import PathLike
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from thalweg.m5 import tables
from thalweg.m5.sales import BadSales, Sales, days_since_epoch, model_name

OFFICIAL_FIRST_DAY = date(2011, 1, 29)
"""The day `d_1` of the competition's own calendar."""

_DAY_COLUMN = re.compile(r"d_[1-9][0-9]*")
_OFFICIAL_STEMS = ("sales_train_evaluation", "sales_train_validation")


def read_sales(path: str | PathLike[str], calendar: str | PathLike[str] | None = None) -> Sales:
    """Read sales, whatever form they have.

    *Wide*, as the competition's own files: a column `id` and one column `d_N` per day. *Long*:
    the columns `id`, `date` (`YYYY-MM-DD`) and `y`. Other columns are ignored. An empty cell is
    a day without observation. Ids lose their `_evaluation` or `_validation`.

    Args:
        path: a .csv, .csv.gz or .parquet file, or a directory that holds one named `sales_…`;
            the official `sales_train_evaluation` is preferred.
        calendar: the table (`d`, `date`) that dates the columns of the wide form. Without it,
            `calendar.csv` or `calendar.parquet` beside the file; without these, `d_1` is
            2011-01-29, as in the competition.

    Raises:
        BadSales: no such file, a missing column, an id twice, a bad date, a cell that is no
            number; the message names the file and says what to do.
    """
    table = _sales_file(Path(path))
    names = tables.column_names(table)
    days = [name for name in names if _DAY_COLUMN.fullmatch(name)]
    if "id" in names and days:
        return _read_wide(table, days, _calendar_file(table, calendar))
    if {"id", "date", "y"} <= set(names):
        return _read_long(table)
    raise BadSales(f"{table}: needs the columns id and d_1, d_2, … or id, date and y")


def _sales_file(path: Path) -> Path:
    """Return the file itself, or the one file of sales in a directory."""
    if not path.is_dir():
        return path
    found = sorted(file for file in path.glob("sales_*") if file.name.endswith(tables.ENDINGS))
    for stem in _OFFICIAL_STEMS:
        for file in found:
            if file.name.partition(".")[0] == stem:
                return file
    if len(found) == 1:
        return found[0]
    listed = ", ".join(file.name for file in found) or "none"
    raise BadSales(f"{path}: one file sales_*.csv or .parquet is needed, found {listed}: name it")


def _calendar_file(table: Path, calendar: str | PathLike[str] | None) -> Path | None:
    """Return the calendar that was given, or else one beside the sales, or None."""
    if calendar is not None:
        return Path(calendar)
    beside = (table.with_name(f"calendar{ending}") for ending in tables.ENDINGS)
    return next((file for file in beside if file.exists()), None)


def _read_wide(table: Path, columns: Sequence[str], calendar: Path | None) -> Sales:
    """Read one row per item and one column per day."""
    dated = sorted(zip(_dates(columns, calendar), columns, strict=True))
    types = {"id": pa.string()} | {column: pa.float64() for column in columns}
    read = tables.read(table, types)
    ids = [model_name(sales_id) for sales_id in _texts(table, read, "id")]
    # Column-major, since sales are read, and later streamed, day by day.
    units = np.empty((len(ids), len(dated)), order="F")
    for position, (_, column) in enumerate(dated):
        units[:, position] = read[column].to_numpy()
    return _sales(table, ids, np.array([day for day, _ in dated], dtype=np.int32), units)


def _dates(columns: Sequence[str], calendar: Path | None) -> list[int]:
    """Return the day of each column d_N, in days since 1970-01-01."""
    if calendar is None:
        first = days_since_epoch(OFFICIAL_FIRST_DAY)
        return [first + int(column.removeprefix("d_")) - 1 for column in columns]
    tables.require(calendar, ("d", "date"), tables.column_names(calendar))
    read = tables.read(calendar, {"d": pa.string(), "date": pa.string()})
    texts = dict(zip(_texts(calendar, read, "d"), _texts(calendar, read, "date"), strict=True))
    if missing := [column for column in columns if column not in texts]:
        raise BadSales(f"{calendar}: no date for {missing[0]}: give the calendar of these sales")
    return [_parsed(calendar, texts[column]) for column in columns]


def _read_long(table: Path) -> Sales:
    """Read one row per observation."""
    read = tables.read(table, {"id": pa.string(), "date": pa.string(), "y": pa.float64()})
    names = [model_name(sales_id) for sales_id in _texts(table, read, "id")]
    texts = _texts(table, read, "date")
    by_text = {text: _parsed(table, text) for text in set(texts)}
    ids = list(dict.fromkeys(names))
    dates = np.array(sorted(set(by_text.values())), dtype=np.int32)
    item_of = {name: position for position, name in enumerate(ids)}
    items = np.array([item_of[name] for name in names], dtype=np.int64)
    columns = np.searchsorted(dates, [by_text[text] for text in texts])
    _refuse_repeats(table, items * len(dates) + columns, names, texts)
    units = np.full((len(ids), len(dates)), np.nan, order="F")
    units[items, columns] = read["y"].to_numpy()
    return _sales(table, ids, dates, units)


def _sales(
    table: Path, ids: list[str], dates: NDArray[np.int32], units: NDArray[np.float64]
) -> Sales:
    """Return the sales read from a file; what contradicts itself is told with the file's name."""
    try:
        return Sales(ids=ids, dates=dates, units=units)
    except BadSales as error:
        raise BadSales(f"{table}: {error}") from None


def _refuse_repeats(
    table: Path, cells: NDArray[np.int64], names: Sequence[str], texts: Sequence[str]
) -> None:
    """Raise BadSales if two rows are of the same item and day."""
    unique, first = np.unique(cells, return_index=True)
    if len(unique) < len(cells):
        row = min(set(range(len(cells))).difference(first.tolist()))
        raise BadSales(f"{table}: {names[row]} has two rows on {texts[row]}: keep one")


def _texts(table: Path, read: pa.Table, column: str) -> list[str]:
    """Return a column of texts, none of them empty."""
    texts: list[str] = read[column].to_pylist()
    if not all(texts):
        row = next(i for i, text in enumerate(texts) if not text)
        raise BadSales(f"{table}: row {row + 1} has no {column}: fill it in or drop the row")
    return texts


def _parsed(path: Path, text: str) -> int:
    """Return the days since 1970-01-01 of a date as YYYY-MM-DD."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    # fromisoformat also reads 20160522 and 2016-W20-7, which are more likely mistakes.
    if day is None or day.isoformat() != text:
        raise BadSales(f"{path}: {text!r} is no date: write YYYY-MM-DD")
    return days_since_epoch(day)
