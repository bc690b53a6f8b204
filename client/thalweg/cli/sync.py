"""`thalweg sync`."""

from __future__ import annotations

from datetime import date, timedelta
from typing import IO, TYPE_CHECKING

import click

from thalweg.cli import output, streaming, values
from thalweg.cli.connection import client_command

if TYPE_CHECKING:
    from thalweg import Client


def _day(ctx: click.Context, param: click.Parameter, value: str | None) -> date | None:
    """Return the day of --date; a callback of click."""
    days_ago = {"today": 0, "yesterday": 1}
    if value in days_ago:
        return date.today() - timedelta(days=days_ago[value])
    return values.day(ctx, param, value)


@client_command()
@click.option(
    "--dsn",
    required=True,
    metavar="URL",
    help="The database; with a password better as the variable.",
)
@click.option(
    "--query",
    "sql",
    required=True,
    metavar="SQL",
    help="A SELECT. :day is --date; cast it by CAST(:day AS …), not by two colons.",
)
@click.option(
    "--date",
    "day",
    metavar="YYYY-MM-DD",
    callback=_day,
    help="What :day is; also today, yesterday.  [default: today]",
)
@streaming.errors_option
@streaming.batch_rows_option
@output.json_option
def sync(
    client: Client,
    *,
    dsn: str,
    sql: str,
    day: date | None,
    errors: IO[str] | None,
    batch_rows: int | None,
    as_json: bool,
) -> None:
    """Learn sales from a SQL database, each of them once.

    The columns of the query go by name: model (or id), date, target (or y), one row per model and
    day; any others are features. A day that a model has learned, or a later one, is skipped, so
    that a run that was killed is made good by the next.

    \b
      thalweg sync --dsn postgresql://reader@db/shop --query '
        SELECT item AS model, day AS date, sum(units) AS target
        FROM sales WHERE day = :day GROUP BY item, day'
    """
    from thalweg import sync as job  # noqa: PLC0415 - it loads SQLAlchemy

    if job.Query(dsn=dsn, sql=sql).takes_day:
        day = day or date.today()
    elif day is not None:
        raise click.UsageError("--date is for :day, which is not in the query")
    query = job.Query(dsn=dsn, sql=sql, day=day)
    counted = streaming.account("row", errors)
    batch_rows = streaming.listed_batch_rows(batch_rows, errors)
    streaming.learn(
        lambda report: job.run(client, query, counted, batch_rows=batch_rows, report=report),
        counted,
        errors=errors,
        as_json=as_json,
        again="the same command goes on from here",
    )
