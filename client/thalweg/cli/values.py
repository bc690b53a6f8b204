"""Reads what users type: targets and features, days, contexts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, TypeVar

import click

Scalar = float | int | bool | str | None
_F = TypeVar("_F", bound=Callable[..., Any])

feature_option = click.option(
    "--feature",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    help='A feature; as often as needed. VALUE as in JSON (1.5, true, null, "1"), or else a text.',
)


def scalar(text: str) -> Scalar:
    """Return a value: a number, true, false, null or a "quoted text" as in JSON, else the text."""
    try:
        value: Any = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, dict | list) else value


def features(pairs: Iterable[str]) -> dict[str, Scalar]:
    """Return features from texts like `price=1.5`.

    Raises:
        click.BadParameter: no `=`, no name, or a name twice.
    """
    found: dict[str, Scalar] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE", param_hint="--feature")
        if name in found:
            raise click.BadParameter(f"{name!r} is there twice", param_hint="--feature")
        found[name] = scalar(value)
    return found


def day(ctx: click.Context, param: click.Parameter, value: str | None) -> date | None:
    """Return an option's day, or fail in one line; a callback of click."""
    if value is None:
        return None
    try:
        found = date.fromisoformat(value)
    except ValueError:
        found = None
    # fromisoformat also reads 20160522 and 2016-W20-7, which are more likely mistakes.
    if found is None or found.isoformat() != value:
        raise click.BadParameter(f"{value!r} is no day: write YYYY-MM-DD", ctx, param)
    return found


def day_option(name: str, *parameter: str, help: str) -> Callable[[_F], _F]:
    """Return an option that takes a day."""
    return click.option(name, *parameter, metavar="YYYY-MM-DD", callback=day, help=help)


def context_option(default: str) -> Callable[[_F], _F]:
    """Return the option that says what is added to an estimator's `x`."""
    return click.option(
        "--context",
        metavar="id,date",
        default=default,
        callback=_context,
        help="What to add to the x that estimators see: id, date, or both.",
    )


def _context(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    fields = tuple(field.strip() for field in value.split(",") if field.strip())
    for field in fields:
        if field not in ("id", "date"):
            raise click.BadParameter(f"{field!r} is neither id nor date", ctx, param)
    return fields
