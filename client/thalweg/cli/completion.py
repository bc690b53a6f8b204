"""`thalweg completion`, and the names of models that a shell completes."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import click

from thalweg.cli.connection import opened
from thalweg.cli.group import Command, Failure

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

NAMES_MAX = 100
"""As many as a shell can show in a useful way; also one page of the server's list."""
SECONDS_MAX = 1.0
"""So long a key press may take."""

_PLAIN = "@%+=:,./-_"


def model_names(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the models whose names begin like this; none where the server does not answer."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - for shells only

    options = ctx.params | {"timeout": SECONDS_MAX}
    try:
        with opened(options) as client:
            found = client.list_models(
                glob=f"{incomplete}*",
                template=bool(ctx.params.get("template")),
                page_size=NAMES_MAX,
            )
            names = [info.model for info in islice(found, NAMES_MAX)]
    except Exception:  # whatever it is: a key press is no place for errors
        return []
    return [CompletionItem(name) for name in names if _is_plain(name)]


def _is_plain(name: str) -> bool:
    """Whether a name means itself in every shell: bash inserts it into the line as it is."""
    return name[0] != "-" and all(c.isalnum() or c in _PLAIN for c in name)


model_argument = click.argument("model", shell_complete=model_names)
models_argument = click.argument("models", nargs=-1, shell_complete=model_names)


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a script that completes commands and models in a SHELL.

    The lines to run once, each for a shell and all those to come:

    \b
    bash: thalweg completion bash >> ~/.bash_completion
    zsh:  thalweg completion zsh > "${fpath[1]}/_thalweg"
    fish: thalweg completion fish > ~/.config/fish/completions/thalweg.fish

    Names of models are those of the server in THALWEG_SERVER or, on the line, in --server.
    """
    from click.shell_completion import get_completion_class  # noqa: PLC0415

    root = click.get_current_context().find_root()
    kind = get_completion_class(shell)
    if kind is None:
        raise Failure(f"{shell} has no completion")
    click.echo(kind(root.command, {}, "thalweg", "_THALWEG_COMPLETE").source())
