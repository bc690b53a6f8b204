"""The options that say how to reach a server, the same for every command that talks to one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from thalweg.cli.group import Command, Failure, one_line

if TYPE_CHECKING:
    from thalweg import Client

DEFAULT_SERVER = "127.0.0.1:50051"

_FILE = click.Path(exists=True, dir_okay=False)
_OPTIONS = (
    click.option("--server", metavar="HOST:PORT", default=DEFAULT_SERVER, help="Where it listens."),
    click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        default=10.0,
        help="For a call, its retries included; streams have none.",
    ),
    click.option("--tls", is_flag=True, help="Encrypt, trusting the system's authorities."),
    # Not --tls-…: these are the server's, and a container's health check sees its variables.
    click.option("--ca", type=_FILE, help="Encrypt, trusting the authorities in this file."),
    click.option("--cert", type=_FILE, help="This client's certificate chain (PEM), for mTLS."),
    click.option("--key", type=_FILE, help="The key of --cert (PEM)."),
    click.option("--server-name", default="", help="Name expected in the server's certificate."),
    click.option("--token", help="Bearer token; better given as the variable, or as a file."),
    click.option("--token-file", type=_FILE, help="File of the bearer token, read at each call."),
    click.option(
        "--allow-insecure-token",
        is_flag=True,
        help="Send the token to another machine in clear, too.",
    ),
)


def client_command(*args: Any, **kwargs: Any) -> Callable[[Callable[..., None]], click.Command]:
    """Make a command of a function that takes an open client before its own parameters.

    Args:
        args, kwargs: as of `click.command`.
    """

    def decorate(function: Callable[..., None]) -> click.Command:
        @functools.wraps(function)
        def run(**options: Any) -> None:
            settings = {name: options.pop(name) for name in _SETTINGS}
            _run(function, settings, options)

        # click lists the options last declared first; own ones are to lead in --help.
        own = run.__dict__.pop("__click_params__", [])
        for option in reversed(_OPTIONS):
            option(run)
        run.__dict__["__click_params__"] += own
        return click.command(*args, cls=_ClientCommand, **kwargs)(run)

    return decorate


_SETTINGS = (
    "server",
    "timeout",
    "tls",
    "ca",
    "cert",
    "key",
    "server_name",
    "token",
    "token_file",
    "allow_insecure_token",
)


def _token(token: str | None, file: str | None) -> str | Callable[[], str] | None:
    """Return the token: the option's or else the file's, which may change meanwhile."""
    if token is not None or file is None:
        return token
    path = Path(file)
    return lambda: path.read_text(encoding="utf-8").strip()


class _ClientCommand(Command):
    """A command whose help tells its own options from those that say how to reach a server."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write both kinds, each under its heading."""
        own: list[tuple[str, str]] = []
        reaching: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record and isinstance(parameter, click.Option):
                (reaching if parameter.name in _SETTINGS else own).append(record)
        for heading, records in (("Options", own), ("How to reach the server", reaching)):
            with formatter.section(heading):
                formatter.write_dl(records)


def opened(settings: Mapping[str, Any]) -> Client:
    """Return a client of the server that a command's options name; the caller closes it.

    Args:
        settings: the options, by the names of their parameters; others may be among them.
    """
    from thalweg import Client  # noqa: PLC0415 - gRPC takes longer to load than --help

    return Client(
        settings["server"],
        timeout=settings["timeout"],
        tls=settings["ca"] or settings["tls"],
        certificate=settings["cert"],
        key=settings["key"],
        server_name=settings["server_name"],
        token=_token(settings["token"], settings["token_file"]),
        allow_insecure_token=settings["allow_insecure_token"],
    )


def _run(function: Callable[..., None], settings: dict[str, Any], options: dict[str, Any]) -> None:
    """Run a command's function with a client; say which server it was that failed."""
    from thalweg import errors  # noqa: PLC0415

    with opened(settings) as client:
        try:
            function(client, **options)
        except (errors.Unavailable, errors.DeadlineExceeded) as error:
            if error.reason:
                raise
            asked = f"no answer from {client.target} (--server)"
            raise Failure(f"{asked}: {one_line(str(error))}") from error
