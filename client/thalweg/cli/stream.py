"""`thalweg stream`."""

from __future__ import annotations

from datetime import date
from typing import IO, TYPE_CHECKING

import click

from thalweg.cli import output, sources, streaming
from thalweg.cli.connection import client_command

if TYPE_CHECKING:
    from thalweg import Client
    from thalweg.progress import Report


@client_command()
@sources.sales_argument
@sources.calendar_option
@streaming.glob_option
@sources.first_option
@sources.last_option
@streaming.stream_id_option
@click.option(
    "--skip-learned-dates/--no-skip-learned-dates",
    default=None,
    help="Skip days up to the last one that a model has learned.  [default: for a file]",
)
@streaming.errors_option
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
    skip_learned_dates: bool | None,
    errors: IO[str] | None,
    batch_rows: int | None,
    as_json: bool,
) -> None:
    """Learn the observations in SALES.

    They are learned in order of their days. SALES is a csv or parquet file, wide as the M5 files
    (id, d_1, d_2, …) or long (id, date, y); - is long csv on stdin, learned as it arrives.

    A file may be streamed again, after Ctrl-C or with days added: what was learned is skipped.
    Feed stdin again under the same --stream-id and --batch-rows, or with --skip-learned-dates.
    """
    is_file = sales != sources.STDIN
    if not stream_id:  # under an id the batches have to be those of the run before
        batch_rows = streaming.listed_batch_rows(batch_rows, errors)
    selection = sources.Selection(calendar=calendar, glob=glob, first=first, last=last)
    observations = sources.read(sales, selection, batch_rows)
    counted = streaming.account(observations.place, errors)

    def work(report: Report) -> None:
        acks = client.stream_learn(
            counted.sending(observations.entries),
            stream_id=stream_id,
            skip_learned_dates=is_file if skip_learned_dates is None else skip_learned_dates,
            batch_rows=batch_rows,
        )
        for _ in counted.follow(acks, report, observations.rows):
            pass

    again = "the same command goes on from here" if is_file else ""
    streaming.learn(work, counted, errors=errors, as_json=as_json, again=again)
