"""The command line as a page: every command with its arguments, options and their variables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from inspect import cleandoc
from textwrap import dedent

import click

from thalweg.cli import cli
from thalweg.cli.health import health

from .markdown import plain, table

Shared = frozenset[str]


def text() -> str:
    """Return a section for each command, and first what all or many of them have in common."""
    # `health` does nothing but reach a server: its options are those of every such command.
    reaching = [one for one in _options(health) if one.name != "as_json"]
    shared = frozenset(one.name or "" for one in reaching)
    parts = [_paragraph(cli.epilog or ""), "## Reaching a server\n\n", _OPENING, _table(reaching)]
    for name, command in cli.commands.items():
        parts += _sections(f"thalweg {name}", command, shared, level="##")
    return "".join(parts)


_OPENING = "Every command that calls a server takes these, beside its own.\n\n"


def _sections(path: str, command: click.Command, shared: Shared, level: str) -> Iterator[str]:
    """Yield a command's section, and those of its own commands."""
    yield f"{level} {path}\n\n"
    context = click.Context(command, info_name=path)
    yield f"```text\n{' '.join(context.command_path.split())} {_usage(command, context)}\n```\n\n"
    yield from map(_paragraph, re.split(r"\n\s*\n", cleandoc(command.help or "")))
    own = [one for one in _options(command) if one.name not in shared]
    reaches = len(own) < len(_options(command))
    if own:
        yield _table(own)
    if reaches:
        yield "And the options for [reaching a server](#reaching-a-server).\n\n"
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from _sections(f"{path} {name}", each, shared, level="###")


def _paragraph(lines: str) -> str:
    """A paragraph of a help text; click keeps the lines of one that begins with a backspace."""
    if lines.startswith("\b\n"):
        return f"```text\n{dedent(lines[2:]).rstrip()}\n```\n\n"
    return f"{plain(' '.join(lines.split()))}\n\n"


def _usage(command: click.Command, context: click.Context) -> str:
    return " ".join(command.collect_usage_pieces(context))


def _options(command: click.Command) -> list[click.Option]:
    return [one for one in command.params if isinstance(one, click.Option) and not one.hidden]


def _table(options: Iterable[click.Option]) -> str:
    return table(("option and variable", "default", ""), map(_row, options))


def _row(option: click.Option) -> tuple[str, str, str]:
    names = ", ".join(option.opts)
    metavar = "" if option.is_flag else f" {_value(option)}"
    variable = f"<br>`{option.envvar}`" if isinstance(option.envvar, str) else ""
    return f"`{names}{metavar}`{variable}", _default(option), plain(option.help or "")


def _value(option: click.Option) -> str:
    """What stands for the option's value."""
    return option.make_metavar(click.Context(click.Command("")))


def _default(option: click.Option) -> str:
    """The default as a user would type it; none for flags and for what is empty without it."""
    value = option.to_info_dict()["default"]
    if option.is_flag or not option.show_default or value is None:
        return ""
    values = value if isinstance(value, list | tuple) else (value,)
    return ", ".join(f"`{each}`" for each in values)
