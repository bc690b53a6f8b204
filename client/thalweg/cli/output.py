"""Prints results: for machines one JSON object per line, for people lines and tables."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Iterable, Sequence
from typing import IO, TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from thalweg.results import CandidatePrediction, Score

SCORE_HEADINGS = ("quality", "recent", "scored")

WIDTH_WHERE_NOBODY_LOOKS = 1000
"""Columns of a table that goes into a pipe or a file: names are cut short for screens only."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print for machines.")


def print_json(value: Any, file: IO[str] | None = None) -> None:
    """Print a value as one line of JSON; dataclasses as objects, days as text, NaN as null.

    Args:
        value: what to print.
        file: where to; None = stdout.
    """
    click.echo(json.dumps(_plain(value), ensure_ascii=False, default=str), file=file)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: _plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, names: int = 1) -> None:
    """Print a table; its arguments are those of `table`."""
    console().print(table(headings, rows, names=names))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, names: int = 1) -> Table:
    """Return a table; on a narrow screen names are cut short, figures never.

    Args:
        headings: one per column.
        rows: their cells.
        names: so many columns are names and stand left, the others stand right.
    """
    from rich.table import Table  # noqa: PLC0415 - only who prints tables loads rich
    from rich.text import Text  # noqa: PLC0415

    made = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings[:names]:
        # Rich narrows columns that may wrap before others; the cells are cut instead.
        made.add_column(heading, min_width=len(heading))
    for heading in headings[names:]:
        made.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        made.add_row(*(Text(cell, no_wrap=True, overflow="ellipsis") for cell in row))
    return made


def console() -> Console:
    """Return a console on stdout that adds no colours of its own to values."""
    from rich.console import Console  # noqa: PLC0415

    width = None if sys.stdout.isatty() else WIDTH_WHERE_NOBODY_LOOKS
    return Console(width=width, highlight=False)


def visible(name: str) -> str:
    """Return a name with its control characters visible, so that it stays on one line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, in the plural where it is due."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def number(value: float | None, digits: int = 3) -> str:
    """Return a figure as text, a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:,.{digits}f}"


def candidate_cell(one: Score | CandidatePrediction) -> str:
    """Return a candidate's name, with a star if it is the champion."""
    return visible(one.candidate) + "*" * one.champion


def score_cells(score: Score) -> tuple[str, str, str]:
    """Return what there is to say of a score, under SCORE_HEADINGS."""
    recent = "" if score.mae_recent is None else number(score.mae_recent)
    return quality(score), recent, f"{score.count:,}"


def quality(score: Score) -> str:
    """Return the figure that champions are chosen by, with its name."""
    if score.mae is not None:
        return f"MAE {number(score.mae)}"
    if score.log_loss is not None:
        return f"log loss {number(score.log_loss)}"
    if score.accuracy is not None:
        return f"accuracy {score.accuracy:.1%}"
    return "-"
