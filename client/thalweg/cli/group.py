"""What all commands share: environment variables, and errors that are one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

ENVVAR_PREFIX = "THALWEG"


class Failure(click.ClickException):
    """What a command could not do; printed as one line, exit code 1."""


class Interrupted(click.ClickException):
    """Ctrl-C; the exit code is the shell's for SIGINT."""

    exit_code = 130

    def __init__(self) -> None:
        super().__init__("interrupted")


class Command(click.Command):
    """A command whose every option is also the environment variable THALWEG_<OPTION>."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for parameter in self.params:
            if isinstance(parameter, click.Option):
                longest = max(parameter.opts, key=len).lstrip("-").replace("-", "_")
                parameter.envvar = f"{ENVVAR_PREFIX}_{longest.upper()}"
                parameter.show_envvar = True
                parameter.show_default = parameter.default not in ("", ())


class Group(click.Group):
    """Commands in the order they were added; one line on stderr for whatever fails."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the day's work, not of the alphabet."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what fails in ways that users meet becomes a `Failure`."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except KeyboardInterrupt:
            raise Interrupted from None
        except BrokenPipeError:
            raise
        except Exception as error:
            message = explained(error)
            if message is None:
                raise
            raise Failure(message) from error
        return result

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run the command line and exit: 0, 1 (failed), 2 (wrong usage) or 130 (Ctrl-C)."""
        # gRPC's own log lines would stand beside the one line of an error, or among completions.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        extra.pop("standalone_mode", None)
        try:
            code = super().main(args, prog_name, standalone_mode=False, **extra)
        except click.ClickException as error:
            show(error)
            code = error.exit_code
        except click.Abort:
            show(Interrupted())
            code = Interrupted.exit_code
        sys.exit(code if isinstance(code, int) else 0)


def show(error: click.ClickException) -> None:
    """Print an error as one line on stderr."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return
    line = one_line(error.format_message())
    if isinstance(error, click.UsageError) and error.ctx is not None:
        line = f"{line.rstrip('.')} (see {error.ctx.command_path} --help)"
    click.echo(f"thalweg: {line}", err=True)


def explained(error: Exception) -> str | None:
    """Return in one line what an error says to a user, None where only a programmer can tell."""
    errors = sys.modules.get("thalweg.errors")
    if errors is not None and isinstance(error, errors.ThalwegError):
        reason = error.reason.removeprefix(errors.REASON_PREFIX)
        if reason:
            return f"{error} ({reason})"
        if error.request_id and isinstance(error, errors.Unknown | errors.Internal):
            return f"{error} (the server's log names it by {error.request_id})"
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, ValueError | ImportError | OSError):
        return str(error)
    return None


def one_line(text: str) -> str:
    """Return a text on one line, its control characters visible."""
    words = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)


def print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    """Print the version and exit, where it is wanted."""
    if wanted:
        import thalweg  # noqa: PLC0415 - reading the version takes longer than --help

        click.echo(f"thalweg {thalweg.__version__}")
        ctx.exit()
