"""The options that say how to reach a server, the same for every command that talks to one."""

from __future__ import annotations

import functools
from collections.abc import Callable
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
    click.option("--tls-ca", type=_FILE, help="Encrypt, trusting the authorities in this file."),
    click.option("--tls-certificate", type=_FILE, help="This client's certificate chain (PEM)."),
    click.option("--tls-key", type=_FILE, help="The key of --tls-certificate (PEM)."),
    click.option("--tls-server-name", default="", help="Name expected in the certificate."),
    click.option("--token", help="Bearer token; better given as the variable."),
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
    "tls_ca",
    "tls_certificate",
    "tls_key",
    "tls_server_name",
    "token",
)


def _run(
    function: Callable[..., None], target: str, settings: dict[str, Any], options: dict[str, Any]
) -> None:
    """Run a command's function with a client; say which server it was that failed."""
    from thalweg import Client, errors  # noqa: PLC0415 - gRPC takes longer to load than --help

    client = Client(
        target,
        timeout=settings["timeout"],
        tls=settings["tls_ca"] or settings["tls"],
        certificate=settings["tls_certificate"],
        key=settings["tls_key"],
        server_name=settings["tls_server_name"],
        token=settings["token"],
    )
    with client:
        try:
            function(client, **options)
        except (errors.Unavailable, errors.DeadlineExceeded) as error:
            if error.reason:
                raise
            raise Failure(f"no answer from {target} (--server): {one_line(str(error))}") from error
