"""The options that say how to reach a server, the same for every command that talks to one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from thalweg.cli.group import Command, Failure, one_line

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
            target = options.pop("server")
            settings = {name: options.pop(name) for name in _SETTINGS}
            _run(function, target, settings, options)

        # click lists the options last declared first; own ones are to lead in --help.
        own = run.__dict__.pop("__click_params__", [])
        for option in reversed(_OPTIONS):
            option(run)
        run.__dict__["__click_params__"] += own
        return click.command(*args, cls=Command, **kwargs)(run)

    return decorate


_SETTINGS = (
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


def _run(
    function: Callable[..., None], target: str, settings: dict[str, Any], options: dict[str, Any]
) -> None:
    """Run a command's function with a client; say which server it was that failed."""
    from thalweg import Client, errors  # noqa: PLC0415 - gRPC takes longer to load than --help

    client = Client(
        target,
        timeout=settings["timeout"],
        tls=settings["ca"] or settings["tls"],
        certificate=settings["cert"],
        key=settings["key"],
        server_name=settings["server_name"],
        token=_token(settings["token"], settings["token_file"]),
        allow_insecure_token=settings["allow_insecure_token"],
    )
    with client:
        try:
            function(client, **options)
        except (errors.Unavailable, errors.DeadlineExceeded) as error:
            if error.reason:
                raise
            raise Failure(f"no answer from {target} (--server): {one_line(str(error))}") from error
