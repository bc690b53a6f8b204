"""`thalweg plot`: what the candidates of a model forecast, beside what was sold."""

from __future__ import annotations

import math
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from thalweg.cli import output, sources
from thalweg.cli.charts import Chart, Line, Point, in_terminal, to_file
from thalweg.cli.completion import model_argument
from thalweg.cli.connection import client_command
from thalweg.cli.group import Failure
from thalweg.cli.values import Scalar, day_option, feature_option, features

if TYPE_CHECKING:
    from thalweg import Client
    from thalweg.results import CandidateInfo, ModelInfo

HISTORY_DAYS = 56


@client_command()
@model_argument
@day_option("--date", help="The first day to forecast; without it the day after the last learned.")
@click.option(
    "--horizon", type=click.IntRange(2, 366), default=28, help="Forecast so many days, from --date."
)
@feature_option
@click.option(
    "--sales",
    type=click.Path(exists=True),
    metavar="PATH",
    help="Draw what was sold, too: a file as for stream.",
)
@sources.calendar_option
@click.option(
    "--history",
    "history_days",
    type=click.IntRange(0),
    default=HISTORY_DAYS,
    help="So many days of --sales before the forecast.",
)
@click.option(
    "--output",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.png",
    help="Draw into this file (.png, .svg or .pdf) instead of the terminal.",
)
@output.json_option
def plot(  # noqa: PLR0913 - one parameter per option
    client: Client,
    *,
    model: str,
    date: date | None,
    horizon: int,
    pairs: tuple[str, ...],
    sales: str | None,
    calendar: str | None,
    history_days: int,
    target: Path | None,
    as_json: bool,
) -> None:
    """Draw what the candidates of a MODEL forecast.

    One line per candidate, and with --sales one of what was sold, before the forecast and, where
    the file has them, on its days. --json prints the points.
    """
    info = client.get_model(model)
    first = date or _day_after(info)
    forecasts = _forecasts(client, info, first, horizon, features(pairs))
    days = _days_back(first, history_days), forecasts[0].points[-1].date
    sold = _sold(sales, calendar, model, days) if sales is not None else ()
    chart = Chart(model=model, first=first, last=days[1], sold=sold, forecasts=forecasts)
    if target is not None:
        to_file(chart, target)
    if as_json:
        output.print_json(chart)
    elif target is not None:
        click.echo(f"{output.visible(chart.title)}: {target}")
    else:
        click.echo(in_terminal(chart))


def _day_after(info: ModelInfo) -> date:
    if info.learned_through is None or info.learned_through == date.max:
        raise Failure(f"{output.visible(info.model)} has learned no day to go on from: say --date")
    return info.learned_through + timedelta(days=1)


def _days_back(day: date, count: int) -> date:
    return date.fromordinal(max(date.min.toordinal(), day.toordinal() - count))


def _forecasts(
    client: Client, info: ModelInfo, first: date, horizon: int, x: dict[str, Scalar]
) -> tuple[Line, ...]:
    """Return a line for each candidate that answers; complain of the others on stderr.

    Raises:
        Failure: none does.
    """
    from thalweg.errors import EstimatorFailed  # noqa: PLC0415

    lines = []
    for one in info.candidates:
        try:
            answer = client.predict(
                info.model, x, date=first, candidate=one.candidate, horizon=horizon
            )
        except EstimatorFailed as error:
            click.echo(f"thalweg: {output.visible(one.candidate)}: {error}", err=True)
            continue
        points = tuple(Point(date=day.date, value=day.mean) for day in answer.forecast)
        if any(point.value is not None for point in points):
            lines.append(_line(one, points))
    if not lines:
        raise Failure(f"no candidate of {output.visible(info.model)} has a finite answer")
    return tuple(lines)


def _line(one: CandidateInfo, points: tuple[Point, ...]) -> Line:
    return Line(
        candidate=one.candidate, champion=one.score.champion, mae=one.score.mae, points=points
    )


def _sold(
    path: str, calendar: str | None, model: str, days: tuple[date, date]
) -> tuple[Point, ...]:
    """Return the sales of a model in these days, first and last included.

    Raises:
        Failure: the file has none.
        BadSales: it is no table of sales.
    """
    from thalweg import m5  # noqa: PLC0415 - it loads NumPy and pyarrow

    sales = m5.read_sales(path, calendar)
    if m5.model_name(model) not in sales.ids:
        some = f"; its first id is {sales.ids[0]}" if sales.ids else ""
        raise Failure(f"{path}: has no sales of {model}{some}")
    sales = sales.select(ids=[model]).between(*days)
    if not sales.observations:
        raise Failure(f"{path}: has no sales of {model} from {days[0]} to {days[1]} (--history)")
    return tuple(
        Point(date=day, value=units if math.isfinite(units) else None)
        for day, units in zip(sales.days, sales.units[0].tolist(), strict=True)
    )
