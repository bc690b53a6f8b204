"""`thalweg watch`: score changes as they happen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from thalweg.cli import output
from thalweg.cli.completion import models_argument
from thalweg.cli.connection import client_command

if TYPE_CHECKING:
    from thalweg import Client
    from thalweg.results import ScoreUpdate


@client_command()
@models_argument
@click.option("--glob", default="", help="Models whose names match, those to come included.")
@output.json_option
def watch(client: Client, models: tuple[str, ...], glob: str, as_json: bool) -> None:
    """Print scores as they change.

    First the current scores of MODELS, or of all, then every change, until Ctrl-C; * marks the
    champion. --json prints one object per line.
    """
    for update in client.watch_scores(models, glob=glob):
        if as_json:
            output.print_json(update)
        else:
            click.echo(_line(update))


def _line(update: ScoreUpdate) -> str:
    name = output.visible(update.model)
    if update.deleted:
        return f"{name}: deleted"
    through = f" through {update.learned_through}" if update.learned_through else ""
    scores = ", ".join(
        f"{output.candidate_cell(score)} {output.quality(score)}" for score in update.scores
    )
    return f"{name}: {update.learned:,} learned{through}; {scores}"
