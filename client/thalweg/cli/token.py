"""`thalweg token new`, `list` and `revoke`: the file that a server knows its callers by."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from thalweg.cli import output
from thalweg.cli.group import Command, Failure, Group

if TYPE_CHECKING:
    from thalweg_server.callers.tokens import Entry

ROLES = ("predict", "learn", "upload", "upload-code", "admin")

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}

_file_option = click.option(
    "--tokens",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    default=Path("thalweg-tokens.json"),
    help="The file that `thalweg serve --tokens` reads; a running server sees the change.",
)


def _lifetime(_: click.Context, __: click.Parameter, text: str | None) -> timedelta | None:
    """Return a length of time given as 90d, 12h or 30m."""
    if text is None:
        return None
    try:
        lifetime = int(text[:-1]) * _UNITS[text[-1:]]
        datetime.now(UTC) + lifetime
    except (ValueError, KeyError, OverflowError):
        raise click.BadParameter(f"{text!r} is no length of time: say 90d, 12h or 30m") from None
    if lifetime <= timedelta(0):
        raise click.BadParameter(f"{text!r} is over before it begins: say 90d, 12h or 30m")
    return lifetime


@click.group(cls=Group)
def token() -> None:
    """Make, list and revoke callers' tokens.

    They are kept in the file of `thalweg serve --tokens`.
    """


@token.command(cls=Command)
@click.option(
    "--role",
    "roles",
    type=click.Choice(ROLES),
    multiple=True,
    required=True,
    help="What its holder may do; several may be given. admin has all roles.",
)
@click.option("--name", default="", help="The caller's name; by default its roles and a number.")
@_file_option
@click.option(
    "--expires", "lifetime", callback=_lifetime, metavar="90d", help="When it ends; else never."
)
@output.json_option
def new(
    roles: tuple[str, ...], name: str, path: Path, lifetime: timedelta | None, as_json: bool
) -> None:
    """Make a token, print it this once, and add its hash to the file.

    The token is all there is on stdout; nobody can get it back from the file.
    """
    from thalweg_server.callers.identity import Role  # noqa: PLC0415 - the client needs none
    from thalweg_server.callers.tokens import (  # noqa: PLC0415
        Entry,
        check_token_name,
        editing,
        hash_of,
        make_token,
    )

    secret, now = make_token(), datetime.now(UTC)
    entry = Entry(
        name=name or f"{'-'.join(sorted(set(roles)))}-{secrets.token_hex(2)}",
        roles=frozenset(map(Role, roles)),
        sha256=hash_of(secret),
        created=now,
        expires=now + lifetime if lifetime else None,
    )
    check_token_name(entry.name)
    with _explained(), editing(path) as entries:
        if any(each.name == entry.name for each in entries):
            raise Failure(
                f"{path} has a token of the name {entry.name!r}: take another name, or end that "
                f"one with `thalweg token revoke`"
            )
        entries.append(entry)
    if as_json:
        output.print_json({"token": secret, **_facts(entry), "file": str(path)})
        return
    click.echo(secret)
    click.echo(f"{entry.name}: {_roles(entry)}, {_end(entry)}; its hash is in {path}", err=True)


@token.command("list", cls=Command)
@_file_option
@output.json_option
def list_tokens(path: Path, as_json: bool) -> None:
    """List the tokens of the file: names, roles, days.

    There is no more to be had: the file holds only hashes.
    """
    from thalweg_server.callers.tokens import read_entries  # noqa: PLC0415

    with _explained():
        entries = read_entries(path)
    if as_json:
        for entry in entries:
            output.print_json(_facts(entry))
        return
    rows = [(each.name, _roles(each), f"{each.created:%Y-%m-%d}", _end(each)) for each in entries]
    output.print_table(("name", "roles", "created", "expires"), rows, names=4)


@token.command(cls=Command)
@click.argument("name")
@_file_option
@output.json_option
def revoke(name: str, path: Path, as_json: bool) -> None:
    """Remove the token NAME from the file.

    A running server refuses it a second later.
    """
    from thalweg_server.callers.tokens import editing, read_entries  # noqa: PLC0415

    with _explained():
        read_entries(path)  # a file that is not there is not to be made
        with editing(path) as entries:
            left = [each for each in entries if each.name != name]
            if len(left) == len(entries):
                names = ", ".join(repr(each.name) for each in entries) or "none"
                raise Failure(f"{path} has no token of the name {name!r}; it has {names}")
            entries[:] = left
    if as_json:
        output.print_json({"revoked": name, "file": str(path)})
    else:
        click.echo(f"{name} is revoked")


@contextmanager
def _explained() -> Iterator[None]:
    from thalweg_server.callers.problems import Unusable  # noqa: PLC0415

    try:
        yield
    except Unusable as problem:
        raise Failure(str(problem)) from problem


def _roles(entry: Entry) -> str:
    return ", ".join(sorted(entry.roles))


def _end(entry: Entry) -> str:
    if entry.expires is None:
        return "never expires"
    verb = "expires" if entry.expires > datetime.now(UTC) else "EXPIRED"
    return f"{verb} {entry.expires:%Y-%m-%d %H:%M} UTC"


def _facts(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "roles": sorted(entry.roles),
        "created": entry.created.isoformat(timespec="seconds"),
        "expires": entry.expires.isoformat(timespec="seconds") if entry.expires else None,
    }
