"""What the commands that stream have in common: options, a bar, totals, what was refused."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import click

from thalweg.cli import output
from thalweg.cli.group import Failure
from thalweg.cli.output import visible

if TYPE_CHECKING:
    from thalweg.account import Account, Refused
    from thalweg.progress import Report
    from thalweg.results import RowError

glob_option = click.option("--glob", default="*", help="Only items that match; * is any text.")
stream_id_option = click.option("--stream-id", help="Name this sequence, to go on with it later.")
skip_option = click.option(
    "--skip-learned-dates", is_flag=True, help="Skip days that a model has learned."
)
batch_rows_option = click.option("--batch-rows", type=click.IntRange(1), help="Rows per batch.")
errors_option = click.option(
    "--errors",
    type=click.File("a", encoding="utf-8", lazy=False),
    metavar="FILE",
    help="Append every refused row to FILE as it comes, as a line of JSON.",
)


@contextmanager
def progress(description: str) -> Iterator[Report]:
    """Yield a function that moves a bar on stderr, where somebody sees it."""
    from thalweg.progress import reporting  # noqa: PLC0415

    with reporting(sys.stderr.isatty(), description) as report:
        yield report


def listed_batch_rows(batch_rows: int | None, errors: IO[str] | None) -> int | None:
    """Return the rows per batch: few enough, where errors are listed, to have all of them named."""
    from thalweg.account import LISTED_MAX  # noqa: PLC0415

    return LISTED_MAX if batch_rows is None and errors is not None else batch_rows


def account(place: str, errors: IO[str] | None) -> Account:
    """Return an account that writes refused rows to a file.

    Args:
        place: what the source counts, "line" or "row".
        errors: the file; None = they are only counted.
    """
    from thalweg.account import Account  # noqa: PLC0415

    if errors is None:
        return Account(place)
    return Account(place, lambda refused: output.print_json(refused, errors))


def learn(
    work: Callable[[Report], object],
    counted: Account,
    *,
    errors: IO[str] | None,
    as_json: bool,
    again: str = "",
) -> None:
    """Do what learns rows, and print what became of them: where it ends early, too.

    Args:
        work: does it; gets the function that moves the bar.
        counted: counts the rows meanwhile.
        errors: where refused rows are listed.
        as_json: print for machines.
        again: what to do after Ctrl-C, in one line.

    Raises:
        Failure: some were refused.
    """
    try:
        with progress("learning") as report:
            work(report)
    except BaseException as ended:
        if counted.rows:
            print_totals(counted, as_json)
        if again and isinstance(ended, KeyboardInterrupt):
            click.echo(f"thalweg: {again}", err=True)
        raise
    print_totals(counted, as_json)
    fail_if_refused(counted.rows, counted.error_count, counted.errors, errors)


def print_totals(counted: Account, as_json: bool) -> None:
    """Print what became of the rows."""
    if as_json:
        output.print_json(_figures(counted))
        return
    click.echo(
        f"{counted.rows:,} rows in {counted.seconds:.1f} s ({counted.rows_per_second:,.0f} rows/s):"
        f" {counted.learned:,} learned, {counted.duplicates:,} duplicates, "
        f"{counted.error_count:,} refused"
    )


def _figures(counted: Account) -> dict[str, Any]:
    return {
        "seconds": counted.seconds,
        "rows": counted.rows,
        "learned": counted.learned,
        "duplicates": counted.duplicates,
        "error_count": counted.error_count,
        "errors": counted.errors,
        "rows_per_second": counted.rows_per_second,
    }


def fail_if_refused(
    rows: int,
    error_count: int,
    errors: Iterable[Refused | RowError],
    listed: IO[str] | None = None,
) -> None:
    """Raise Failure if rows were refused, with the first of them, and where the others are.

    Args:
        rows: rows sent.
        error_count: rows refused.
        errors: some of them.
        listed: the file of all of them; None = there is none.
    """
    from thalweg.results import RowError  # noqa: PLC0415

    if not error_count:
        return
    line = f"{error_count:,} of {rows:,} rows were refused"
    for error in errors:
        where = f"row {error.row + 1}" if isinstance(error, RowError) else error.where
        reason = error.reason.removeprefix("ERROR_REASON_")
        line += f"; the first is {where}: {visible(error.message)} ({reason})"
        break
    raise Failure(line if listed is None else f"{line}; all are in {listed.name}")
