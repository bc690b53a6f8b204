"""`thalweg models`: the models with their scores, once or again and again."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

import click

from thalweg.cli import output
from thalweg.cli.connection import client_command

if TYPE_CHECKING:
    from rich.console import RenderableType

    from thalweg import Client
    from thalweg.results import ModelInfo

PAGE_MAX = 1000
"""As many models as the server lists in one answer."""
WATCH_SECONDS = 2.0
HEADINGS = ("model", "candidate", "learned", "through", *output.SCORE_HEADINGS)
LINES_BESIDE = 3
"""Of a window that shows a table: the headings, the line below, and the cursor's."""

_ORDERS = [f"{by}{way}" for by in ("name", "mae", "learned") for way in ("", " desc")]
_WORST = "mae desc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which models to list.

    Attributes:
        order_by, glob, template: as of `Client.list_models`.
        limit: at most so many, 0 = all.
    """

    order_by: str
    glob: str
    template: bool
    limit: int

    def ask(self, client: Client) -> tuple[Iterable[ModelInfo], Iterator[ModelInfo]]:
        """Return the models, and those beyond the limit; the server is asked for no more pages
        than it takes."""
        page = min(self.limit + 1, PAGE_MAX) if self.limit else PAGE_MAX
        found = client.list_models(
            order_by=self.order_by, glob=self.glob, template=self.template, page_size=page
        )
        return (islice(found, self.limit) if self.limit else found), found


@client_command()
@click.option("--order-by", type=click.Choice(_ORDERS), default="name", help="Sort the models.")
@click.option("--glob", default="", help="Only names that match; * is any text, ? any character.")
@click.option("--limit", type=click.IntRange(min=0), default=50, help="At most so many; 0 = all.")
@click.option(
    "--worst",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"The N models whose champions err most: --order-by '{_WORST}' --limit N.",
)
@click.option("--template", is_flag=True, help="Templates instead of models.")
@click.option(
    "--watch", is_flag=True, help=f"List them again every {WATCH_SECONDS:.0f} s, until Ctrl-C."
)
@output.json_option
def models(
    client: Client,
    *,
    order_by: str,
    glob: str,
    limit: int,
    worst: int | None,
    template: bool,
    watch: bool,
    as_json: bool,
) -> None:
    """List models with their scores.

    A line per candidate; * marks the champion, and "recent" is the error of the last 28. --json
    prints one object per model and line; with --watch one object per listing, its time in "at"
    and the models in "models".
    """
    if worst is not None:
        _refuse_beside_worst()
        order_by, limit = _WORST, worst
    question = Question(order_by=order_by, glob=glob, template=template, limit=limit)
    if not watch:
        _list(client, question, as_json)
        return
    if not 0 < limit <= PAGE_MAX:
        raise click.UsageError(f"--watch lists 1 to {PAGE_MAX:,} models: say so with --limit")
    if as_json:
        for at, found in _rounds(client, question):
            output.print_json({"at": at.isoformat(timespec="seconds"), "models": found})
    elif sys.stdout.isatty():
        _watch_in_place(client, question)
    else:
        for at, found in _rounds(client, question):
            click.echo(f"{at:%Y-%m-%d %H:%M:%S} UTC")
            output.print_table(HEADINGS, _rows(found), names=2)
            click.echo()


def _refuse_beside_worst() -> None:
    """Raise UsageError where --worst and what it stands for are both on the command line."""
    context = click.get_current_context()
    for name in ("order_by", "limit"):
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = "--" + name.replace("_", "-")
            raise click.UsageError(f"--worst and {option} do not go together: it has its own")


def _list(client: Client, question: Question, as_json: bool) -> None:
    shown, rest = question.ask(client)
    if as_json:
        for info in shown:
            output.print_json(info)
        return
    output.print_table(HEADINGS, _rows(shown), names=2)
    if question.limit and question.order_by != _WORST and next(rest, None) is not None:
        said = f"and more: --limit 0 lists all, this was --limit {question.limit}"
        click.echo(said, err=True)


def _rounds(client: Client, question: Question) -> Iterator[tuple[datetime, list[ModelInfo]]]:
    """Yield a moment and the models of that moment, without end."""
    while True:
        found = list(question.ask(client)[0])
        yield datetime.now(UTC), found
        time.sleep(WATCH_SECONDS)


def _watch_in_place(client: Client, question: Question) -> None:
    """Show the models in one table that stays where it is, cut to the height of the window."""
    from rich.live import Live  # noqa: PLC0415 - only who prints tables loads rich

    with Live(console=output.console(), auto_refresh=False) as live:
        for at, found in _rounds(client, question):
            live.update(_screen(at, list(_rows(found)), live.console.height), refresh=True)


def _screen(at: datetime, rows: list[tuple[str, ...]], height: int) -> RenderableType:
    from rich.console import Group  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    room = max(1, height - LINES_BESIDE)
    said = f"{at:%H:%M:%S} UTC, every {WATCH_SECONDS:.0f} s; Ctrl-C ends"
    if hidden := rows[room:]:
        said += f"; {output.counted(len(hidden), 'line')} more than fit"
    caption = Text(said, style="dim", no_wrap=True, overflow="ellipsis")
    return Group(output.table(HEADINGS, rows[:room], names=2), caption)


def _rows(found: Iterable[ModelInfo]) -> Iterator[tuple[str, ...]]:
    """Yield a line per candidate, the model's own figures on its first."""
    for info in found:
        first = (output.visible(info.model), f"{info.learned:,}", str(info.learned_through or "-"))
        for position, one in enumerate(info.candidates):
            name, learned, through = ("", "", "") if position else first
            candidate = output.candidate_cell(one.score) + " (quarantined)" * bool(one.quarantined)
            yield name, candidate, learned, through, *output.score_cells(one.score)
