"""`thalweg predict` and `thalweg learn`: one call each."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import click

from thalweg.cli import output
from thalweg.cli.completion import model_argument
from thalweg.cli.connection import client_command
from thalweg.cli.group import Failure
from thalweg.cli.values import day_option, feature_option, features, scalar

if TYPE_CHECKING:
    from thalweg import Client
    from thalweg.results import Learned, Predicted, Prediction

_DATE = day_option("--date", help="The day it is about.")
_TEXT = click.option("--text", help="The text of a text model, instead of features.")


@client_command()
@model_argument
@_DATE
@feature_option
@_TEXT
@click.option("--prediction-id", default="", help="Keep the answers, for a later learn.")
@click.option("--candidate", default="", help="Ask this one instead of the champion.")
@click.option("--all-candidates", is_flag=True, help="Show what every candidate answers.")
@click.option(
    "--horizon", type=click.IntRange(0, 366), default=0, help="Forecast so many days, from --date."
)
@output.json_option
def predict(  # noqa: PLR0913 - one parameter per option
    client: Client,
    *,
    model: str,
    date: date | None,
    pairs: tuple[str, ...],
    text: str | None,
    prediction_id: str,
    candidate: str,
    all_candidates: bool,
    horizon: int,
    as_json: bool,
) -> None:
    """Predict with a MODEL; changes nothing.

    * marks the champion, which answers where no candidate is named.
    """
    answer = client.predict(
        model,
        features(pairs),
        date=date,
        text=text,
        prediction_id=prediction_id,
        candidate=candidate,
        all_candidates=all_candidates,
        horizon=horizon,
    )
    if as_json:
        output.print_json(answer)
    else:
        _print_predicted(answer)
    if answer.prediction is None and not answer.forecast:
        raise Failure(f"no candidate of {output.visible(model)} has a finite answer")


@client_command(context_settings={"ignore_unknown_options": True})
@model_argument
@click.argument("target")
@_DATE
@feature_option
@_TEXT
@click.option("--prediction-id", default="", help="Score what was predicted under this id.")
@click.option("--request-id", default="", help="Your name for this observation: learned once.")
@output.json_option
def learn(  # noqa: PLR0913 - one parameter per option
    client: Client,
    *,
    model: str,
    target: str,
    date: date | None,
    pairs: tuple[str, ...],
    text: str | None,
    prediction_id: str,
    request_id: str,
    as_json: bool,
) -> None:
    """Let a MODEL learn that TARGET happened.

    TARGET is read as in JSON (3, 2.5, true, "1"), or else as a text. Prints what each candidate
    had predicted; * marks the champion.
    """
    value = scalar(target)
    if value is None:
        raise click.BadParameter("null is no target", param_hint="TARGET")
    answer = client.learn(
        model,
        value,
        features(pairs),
        date=date,
        text=text,
        prediction_id=prediction_id,
        request_id=request_id,
    )
    if as_json:
        output.print_json(answer)
    else:
        _print_learned(answer)


def _print_predicted(answer: Predicted) -> None:
    through = f" through {answer.learned_through}" if answer.learned_through else ""
    if answer.prediction is not None:
        click.echo(
            f"{_said(answer.prediction)} by {output.visible(answer.candidate)}, "
            f"after {output.counted(answer.learned, 'observation')}{through}"
        )
    if answer.candidates:
        rows = [
            (
                output.candidate_cell(one),
                _said(one.prediction) if one.prediction else one.error or "-",
            )
            for one in answer.candidates
        ]
        output.print_table(("candidate", "answer"), rows)
    if answer.forecast:
        days = [(str(point.date), output.number(point.mean)) for point in answer.forecast]
        output.print_table(("date", "mean"), days)


def _print_learned(answer: Learned) -> None:
    name, learned = output.visible(answer.model), output.counted(answer.learned, "observation")
    if answer.duplicate:
        click.echo(f"{name} had learned this before; it has {learned}")
        return
    click.echo(f"{name} has learned {learned}")
    predicted = {one.candidate: one for one in answer.candidates}
    rows = []
    for score in answer.scores:
        one = predicted.get(score.candidate)
        said = _said(one.prediction) if one and one.prediction else "-"
        rows.append((output.candidate_cell(score), said, *output.score_cells(score)))
    output.print_table(("candidate", "had predicted", *output.SCORE_HEADINGS), rows)


def _said(prediction: Prediction) -> str:
    """Return an answer as text: the value, or the label with its probability."""
    if prediction.value is not None:
        return output.number(prediction.value)
    label = prediction.label
    probability = prediction.probabilities.get(label)
    share = f" ({probability:.1%})" if probability is not None else ""
    return f"{output.visible(label)}{share}"
