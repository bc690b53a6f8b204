"""What the commands that stream have in common: options, totals, a bar, what was refused."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from thalweg.cli.group import Failure
from thalweg.cli.output import visible

if TYPE_CHECKING:
    from thalweg.progress import Report
    from thalweg.results import Ack, RowError

ERRORS_KEPT = 100
"""As many as one ack carries: enough to see what is wrong."""

glob_option = click.option("--glob", default="*", help="Only items that match; * is any text.")
stream_id_option = click.option("--stream-id", help="Name this sequence, to go on with it later.")
skip_option = click.option(
    "--skip-learned-dates", is_flag=True, help="Skip days that a model has learned."
)
batch_rows_option = click.option("--batch-rows", type=click.IntRange(1), help="Rows per batch.")


@dataclass(slots=True)
class Totals:
    """What has become of a stream so far."""

    started: float = field(default_factory=time.perf_counter)
    seconds: float = 0.0
    rows: int = 0
    learned: int = 0
    duplicates: int = 0
    error_count: int = 0
    errors: list[RowError] = field(default_factory=list)

    def add(self, ack: Ack) -> None:
        """Take note of a batch; its errors are counted from the start of the stream."""
        for error in ack.errors[: ERRORS_KEPT - len(self.errors)]:
            self.errors.append(dataclasses.replace(error, row=self.rows + error.row))
        self.rows += ack.rows
        self.learned += ack.learned
        self.duplicates += ack.duplicates
        self.error_count += ack.error_count
        self.seconds = time.perf_counter() - self.started

    @property
    def rows_per_second(self) -> float:
        """Rows acked per second, 0 before the first."""
        return self.rows / self.seconds if self.seconds else 0.0

    def follow(self, acks: Iterable[Ack], report: Report, total: int | None) -> Iterator[Ack]:
        """Yield the acks, counted and reported."""
        report(0, total)
        for ack in acks:
            self.add(ack)
            report(self.rows, total)
            yield ack


@contextmanager
def progress(description: str) -> Iterator[Report]:
    """Yield a function that moves a bar on stderr, where somebody sees it."""
    from thalweg.progress import reporting  # noqa: PLC0415

    with reporting(sys.stderr.isatty(), description) as report:
        yield report


def fail_if_refused(rows: int, error_count: int, errors: Iterable[RowError]) -> None:
    """Raise Failure if the server refused rows, with the first of them.

    Args:
        rows: rows sent.
        error_count: rows refused.
        errors: some of them.
    """
    if not error_count:
        return
    example = ""
    for error in errors:
        reason = error.reason.removeprefix("ERROR_REASON_")
        example = f"; the first is row {error.row + 1}: {visible(error.message)} ({reason})"
        break
    raise Failure(f"{error_count:,} of {rows:,} rows were not learned{example}")
