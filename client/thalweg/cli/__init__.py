"""The command line: `thalweg serve`, commands for its data, and one for every call of the client.

Importing this package loads click and nothing else: each command imports what it needs when it
runs, so that `thalweg --help` answers at once and the client's commands need no River.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import click

from thalweg.cli.ask import learn, predict
from thalweg.cli.completion import completion
from thalweg.cli.data import backup, restore, verify
from thalweg.cli.demo import demo
from thalweg.cli.group import Group, print_version
from thalweg.cli.health import health
from thalweg.cli.lifecycle import delete, download, init, upload
from thalweg.cli.models import models
from thalweg.cli.plot import plot
from thalweg.cli.serve import serve
from thalweg.cli.stream import stream
from thalweg.cli.sync import sync
from thalweg.cli.token import token
from thalweg.cli.warmup import warmup
from thalweg.cli.watch import watch

__all__ = ["cli", "main"]

COMMANDS = (
    serve,
    demo,
    health,
    init,
    warmup,
    upload,
    download,
    delete,
    predict,
    plot,
    learn,
    stream,
    sync,
    models,
    watch,
    token,
    verify,
    backup,
    restore,
    completion,
)

EXIT_CODES = """\b
Exit codes:
  0    done
  1    failed, also where only some rows were refused; stderr says why
  2    wrong usage
  130  ended by Ctrl-C
"""


@click.group(cls=Group, epilog=EXIT_CODES)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_version,
    help="Print the version and exit.",
)
def cli() -> None:
    """Online learning over gRPC: one River model per item, tens of thousands of them.

    Every option is also an environment variable: --server is THALWEG_SERVER, and so on. Results
    are on stdout, with --json for machines; progress and complaints are on stderr.
    """


for command in COMMANDS:
    cli.add_command(command)


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    Args:
        args: the arguments; None = the process's own.
    """
    cli.main(args, prog_name="thalweg")
