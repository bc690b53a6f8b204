"""`thalweg stream`."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import TYPE_CHECKING

import click

from thalweg.cli import output, sources, streaming
from thalweg.cli.connection import client_command

if TYPE_CHECKING:
    from thalweg import Client


@client_command()
@sources.sales_argument
@sources.calendar_option
@streaming.glob_option
@sources.first_option
@sources.last_option
@streaming.stream_id_option
@streaming.skip_option
@streaming.batch_rows_option
@output.json_option
def stream(  # noqa: PLR0913 - one parameter per option
    client: Client,
    *,
    sales: str,
    calendar: str | None,
    glob: str,
    first: date | None,
    last: date | None,
    stream_id: str | None,
    skip_learned_dates: bool,
    batch_rows: int | None,
    as_json: bool,
) -> None:
    """Learn the observations in SALES.

    They are learned in order of their days. SALES is a csv or parquet file, wide as the M5 files
    (id, d_1, d_2, …) or long (id, date, y); - is long csv on stdin, learned as it arrives.
    """
    selection = sources.Selection(calendar=calendar, glob=glob, first=first, last=last)
    observations = sources.read(sales, selection, batch_rows)
    acks = client.stream_learn(
        observations.items,
        stream_id=stream_id,
        skip_learned_dates=skip_learned_dates,
        batch_rows=batch_rows,
    )
    totals = streaming.Totals()
    with streaming.progress("learning") as report:
        for _ in totals.follow(acks, report, observations.rows):
            pass
    _print(totals, as_json)
    streaming.fail_if_refused(totals.rows, totals.error_count, totals.errors)


def _print(totals: streaming.Totals, as_json: bool) -> None:
    if as_json:
        figures = dataclasses.asdict(totals) | {"rows_per_second": totals.rows_per_second}
        del figures["started"]
        output.print_json(figures)
        return
    click.echo(
        f"{totals.rows:,} rows in {totals.seconds:.1f} s ({totals.rows_per_second:,.0f} rows/s): "
        f"{totals.learned:,} learned, {totals.duplicates:,} duplicates, "
        f"{totals.error_count:,} not learned"
    )
