"""Where observations come from: a file of sales, or rows of csv on stdin as they arrive."""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, TextIO

import click

from thalweg.cli.group import Failure
from thalweg.cli.values import Scalar, day_option, scalar

if TYPE_CHECKING:
    from thalweg.account import Entry
    from thalweg.observations import Columns, Row

STDIN = "-"
INTEGER_MAX = 2**63 - 1
"""The largest that the contract carries."""
_BATCH_ROWS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """Observations to stream.

    Attributes:
        entries: rows, or batches of columns, each with its place; or what is no row.
        place: what their places count, "line" or "row".
        rows: how many observations; None = nobody knows before the end.
    """

    entries: Iterable[Entry]
    place: str
    rows: int | None

    @property
    def items(self) -> Iterator[Row | Columns]:
        """The rows or columns alone; the first that is no row is a Failure."""
        for entry in self.entries:
            if not isinstance(entry, tuple):
                raise Failure(f"stdin: {entry.where}: {entry.message}")
            yield entry[1]


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
        return Observations(entries=rows_of(_stdin()), place="line", rows=None)
    from thalweg import m5  # noqa: PLC0415 - it loads NumPy and pyarrow
    from thalweg.account import placed  # noqa: PLC0415

    sales = m5.read_sales(path, selection.calendar)
    sales = sales.select(selection.glob).between(selection.first, selection.last)
    if not sales.observations:
        left = "the file has none" if selection.everything else "none is left by the selection"
        raise Failure(f"{path}: no observation to learn: {left}")
    batches = sales.columns(batch_rows or _BATCH_ROWS)
    return Observations(entries=placed(batches), place="row", rows=sales.observations)


def rows_of(lines: Iterable[str]) -> Iterator[Entry]:
    """Yield the rows of a csv with the columns id, date and y; without a y there is none.

    A line with too few or too many cells is refused, as the server would refuse it, and the rest
    goes on: a feed has nobody who could mend it.

    Raises:
        Failure: a column is missing, or the text is not UTF-8.
    """
    from thalweg import Row  # noqa: PLC0415
    from thalweg.account import Refused  # noqa: PLC0415

    reader = csv.reader(lines)
    header = _cells(reader) or []
    if missing := [column for column in ("id", "date", "y") if column not in header]:
        raise Failure(f"stdin: column {missing[0]!r} is missing: needs the columns id, date and y")
    of_id, of_date, of_y = (header.index(column) for column in ("id", "date", "y"))
    while (cells := _cells(reader)) is not None:
        if len(cells) != len(header):
            if cells:
                message = f"{len(cells)} cells, not {len(header)}"
                yield Refused(where=f"line {reader.line_num}", reason="BAD_LINE", message=message)
            continue
        target = _target(cells[of_y].strip())
        if target is not None:
            row = Row(model=_name(cells[of_id]), target=target, date=cells[of_date].strip() or None)
            yield reader.line_num, row


def _cells(reader: Iterator[list[str]]) -> list[str] | None:
    """Return the cells of the next line, None after the last.

    Raises:
        Failure: the text is not UTF-8, or a cell without end.
    """
    try:
        return next(reader, None)
    except UnicodeDecodeError as error:
        raise Failure(f"stdin is not UTF-8: {error.reason}") from error
    except csv.Error as error:
        raise Failure(f"stdin is no csv: {error}") from error


def _target(text: str) -> Scalar:
    """Return a target, None for none. What no float can hold is not finite, and refused as such."""
    value = scalar(text) if text else None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > INTEGER_MAX:
        return math.inf
    return value


def _name(sales_id: str) -> str:
    """Return the model of an official M5 id; any other id is the model's name."""
    return sales_id.removesuffix("_evaluation").removesuffix("_validation")


def _stdin() -> TextIO:
    """Return stdin as text of its own: a thread that waits in sys.stdin could not be left behind
    at Ctrl-C."""
    if sys.stdin is not sys.__stdin__:
        return sys.stdin
    return open(0, newline="", encoding="utf-8-sig", closefd=False)
