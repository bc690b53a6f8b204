"""`thalweg warmup`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

import click

from thalweg.cli import estimators, output, sources, streaming
from thalweg.cli.connection import client_command
from thalweg.cli.values import context_option

if TYPE_CHECKING:
    from thalweg import Client
    from thalweg.results import WarmUp

M5_PIPELINES = ("knn=thalweg.m5:knn", "lm=thalweg.m5:lm")


@client_command()
@sources.sales_argument
@sources.calendar_option
@click.option(
    "--mode",
    type=click.Choice(["remote", "local"]),
    default="remote",
    help="Where candidates learn SALES: on the server, or here.",
)
@click.option(
    "--estimator",
    "named",
    multiple=True,
    metavar="NAME=SOURCE",
    default=M5_PIPELINES,
    help="A candidate: a file of dill bytes or module:function; as often as needed.",
)
@context_option("date")
@streaming.glob_option
@sources.first_option
@sources.last_option
@click.option("--replace", is_flag=True, help="Take the place of candidates of these names.")
@click.option("--keep-all", is_flag=True, help="Local: upload all candidates, not only the best.")
@streaming.stream_id_option
@streaming.skip_option
@streaming.batch_rows_option
@output.json_option
def warmup(  # noqa: PLR0913 - one parameter per option
    client: Client,
    *,
    sales: str,
    calendar: str | None,
    mode: Literal["remote", "local"],
    named: tuple[str, ...],
    glob: str,
    first: date | None,
    last: date | None,
    keep_all: bool,
    as_json: bool,
    **how: Any,
) -> None:
    """Make one model per item of SALES.

    SALES is as for stream.

    Remote: upload every candidate once, as a template for all names that match --glob, stream
    the history, and let the server pick. Local: fit here, item by item, and upload the best.
    """
    _refuse_idle_options(mode, keep_all, how)
    candidates = dict(_candidate(pair) for pair in named)
    selection = sources.Selection(calendar=calendar, glob=glob, first=first, last=last)
    observations = sources.read(sales, selection, how["batch_rows"])
    with streaming.progress("learning" if mode == "remote" else "fitting") as report:
        outcome = client.warm_up(
            observations.items,
            candidates,
            mode=mode,
            glob=glob,
            keep="all" if keep_all else "best",
            progress=lambda done, total: report(done, total or observations.rows),
            **how,
        )
    _print(outcome, as_json)
    streaming.fail_if_refused(outcome.rows, outcome.error_count, outcome.errors)


def _refuse_idle_options(mode: str, keep_all: bool, how: Mapping[str, Any]) -> None:
    """Raise UsageError for options that the mode has no use for."""
    if mode == "remote" and keep_all:
        raise click.UsageError("--keep-all is for --mode local: the server keeps all candidates")
    if mode == "local" and (how["stream_id"] or how["skip_learned_dates"] or how["batch_rows"]):
        raise click.UsageError(
            "--stream-id, --skip-learned-dates and --batch-rows are for --mode remote"
        )


def _candidate(pair: str) -> tuple[str, Any]:
    name, equals, source = pair.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"{pair!r} is not NAME=SOURCE", param_hint="--estimator")
    return name, estimators.load(source)


def _print(outcome: WarmUp, as_json: bool) -> None:
    rate = outcome.rows / outcome.seconds
    if as_json:
        output.print_json(dataclasses.asdict(outcome) | {"rows_per_second": rate})
        return
    click.echo(
        f"{outcome.models:,} models, {outcome.rows:,} rows in {outcome.seconds:.1f} s "
        f"({rate:,.0f} rows/s): {outcome.learned:,} learned, {outcome.duplicates:,} duplicates, "
        f"{outcome.error_count:,} not learned"
    )
    if outcome.mae:
        won = sum(outcome.won.values())
        rows = [
            (name, f"{outcome.won.get(name, 0) / won:.1%}" if won else "-", output.number(mae))
            for name, mae in outcome.mae.items()
        ]
        output.print_table(("candidate", "best for", "mean error"), rows)
