"""Where observations come from: a file of sales, or rows of csv on stdin as they arrive."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, TextIO

import click

from thalweg.cli.group import Failure
from thalweg.cli.values import day_option, scalar

if TYPE_CHECKING:
    from thalweg.observations import Row

STDIN = "-"
_BATCH_ROWS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """Observations to stream.

    Attributes:
        items: rows, or batches of columns.
        rows: how many observations; None = nobody knows before the end.
    """

    items: Iterable[Any]
    rows: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which of the observations in a file."""

    calendar: str | None
    glob: str
    first: date | None
    last: date | None

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self.glob == "*" and self.first is None and self.last is None


sales_argument = click.argument("sales", type=click.Path(exists=True, allow_dash=True))
calendar_option = click.option(
    "--calendar",
    type=click.Path(exists=True, dir_okay=False),
    help="Dates the columns d_N; else one beside SALES, else d_1 is 2011-01-29.",
)
first_option = day_option("--first-day", "first", help="Leave out what is earlier.")
last_option = day_option("--last-day", "last", help="Leave out what is later.")


def read(path: str, selection: Selection, batch_rows: int | None = None) -> Observations:
    """Return the observations of a file, day by day, or of stdin (`-`), as they come.

    Raises:
        Failure: a selection from stdin, or one that selects nothing.
        BadSales: a file that is no table of sales.
    """
    if path == STDIN:
        if not selection.everything or selection.calendar:
            raise Failure("--glob, --first-day, --last-day and --calendar need a file, not stdin")
        return Observations(items=rows_of(_stdin()), rows=None)
    from thalweg import m5  # noqa: PLC0415 - it loads NumPy and pyarrow

    sales = m5.read_sales(path, selection.calendar)
    sales = sales.select(selection.glob).between(selection.first, selection.last)
    if not sales.observations:
        raise Failure(f"{path}: no observation is left by --glob, --first-day and --last-day")
    return Observations(items=sales.columns(batch_rows or _BATCH_ROWS), rows=sales.observations)


def rows_of(lines: Iterable[str]) -> Iterator[Row]:
    """Yield the rows of a csv with the columns id, date and y; without a y there is none.

    Raises:
        Failure: a column is missing, or a line has too few cells.
    """
    from thalweg import Row  # noqa: PLC0415

    reader = csv.reader(lines)
    header = next(reader, [])
    if missing := [column for column in ("id", "date", "y") if column not in header]:
        raise Failure(f"stdin: column {missing[0]!r} is missing: needs the columns id, date and y")
    of_id, of_date, of_y = (header.index(column) for column in ("id", "date", "y"))
    for cells in reader:
        if len(cells) != len(header):
            if not cells:
                continue
            raise Failure(
                f"stdin: line {reader.line_num} has {len(cells)} cells, not {len(header)}"
            )
        target = scalar(cells[of_y].strip()) if cells[of_y].strip() else None
        if target is not None:
            yield Row(model=_name(cells[of_id]), target=target, date=cells[of_date].strip() or None)


def _name(sales_id: str) -> str:
    """Return the model of an official M5 id; any other id is the model's name."""
    return sales_id.removesuffix("_evaluation").removesuffix("_validation")


def _stdin() -> TextIO:
    """Return stdin as text of its own: a thread that waits in sys.stdin could not be left behind
    at Ctrl-C."""
    if sys.stdin is not sys.__stdin__:
        return sys.stdin
    return open(0, newline="", encoding="utf-8-sig", closefd=False)
