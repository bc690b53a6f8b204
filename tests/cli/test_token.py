"""`thalweg token`, and commands that bring one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.cli.conftest import line_of
from tests.conftest import StartServer
from thalweg.cli import cli
from thalweg.cli.token import ROLES
from thalweg_server.callers.checking import Tokens
from thalweg_server.callers.identity import Role
from thalweg_server.callers.tokens import read_entries

Token = Callable[..., Result]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A token file that is not there yet."""
    return tmp_path / "tokens.json"


@pytest.fixture
def token(path: Path) -> Token:
    """Run `thalweg token …` on that file."""

    def invoke(*args: str) -> Result:
        env = {"THALWEG_TOKENS": str(path)}
        return CliRunner().invoke(cli, ["token", *args], env=env, prog_name="thalweg")

    return invoke


def test_the_roles_are_the_servers() -> None:
    """The command line knows them without loading the server."""
    assert list(ROLES) == [role.value for role in Role]


def test_new_prints_the_token_and_nothing_else(token: Token, path: Path) -> None:
    """So that it can be put into a variable; stderr says what it is."""
    made = token("new", "--role", "learn", "--role", "predict", "--name", "jobs")
    assert made.exit_code == 0
    secret = made.stdout.removesuffix("\n")
    assert secret.startswith("thl_") and "\n" not in secret
    assert made.stderr == f"jobs: learn, predict, never expires; its hash is in {path}\n"
    assert secret not in path.read_text()
    caller = Tokens(path).caller(secret)
    assert caller is not None
    assert (caller.name, caller.roles) == ("jobs", {Role.LEARN, Role.PREDICT})


def test_new_for_machines(token: Token, path: Path) -> None:
    """One object with the token; a name is made where none is given."""
    made = json.loads(token("new", "--role", "upload-code", "--expires", "90d", "--json").stdout)
    assert set(made) == {"token", "name", "roles", "created", "expires", "file"}
    assert made["name"].startswith("upload-code-")
    assert made["roles"] == ["upload-code"] and made["file"] == str(path)
    left = datetime.fromisoformat(made["expires"]) - datetime.now(UTC)
    assert timedelta(days=89) < left <= timedelta(days=90)
    (entry,) = read_entries(path)
    assert entry.name == made["name"]


def test_a_name_is_taken_once(token: Token, path: Path) -> None:
    """A second token of a name is refused, and the file is as it was."""
    token("new", "--role", "learn", "--name", "jobs")
    before = path.read_bytes()
    again = token("new", "--role", "admin", "--name", "jobs")
    assert again.exit_code == 1
    assert "'jobs'" in line_of(again)
    assert path.read_bytes() == before


def test_a_bad_name_makes_no_file(token: Token, path: Path) -> None:
    """It would stand in messages and logs."""
    assert "printable" in line_of(token("new", "--role", "learn", "--name", "a\nb"))
    assert not path.exists()


def test_list_shows_names_roles_and_ends(token: Token) -> None:
    """For people a table, for machines one object per line; never a hash."""
    token("new", "--role", "learn", "--name", "jobs")
    token("new", "--role", "admin", "--name", "me", "--expires", "12h")
    shown = token("list").stdout
    assert "jobs" in shown and "never expires" in shown and "admin" in shown
    listed = [json.loads(line) for line in token("list", "--json").stdout.splitlines()]
    assert [each["name"] for each in listed] == ["jobs", "me"]
    assert [set(each) for each in listed] == [{"name", "roles", "created", "expires"}] * 2


def test_revoke_removes_one(token: Token, path: Path) -> None:
    """By its name; one that is not there is an error that names those that are."""
    first = token("new", "--role", "learn", "--name", "first").stdout.strip()
    second = token("new", "--role", "learn", "--name", "second").stdout.strip()
    assert token("revoke", "first").stdout == "first is revoked\n"
    tokens = Tokens(path)
    assert tokens.caller(first) is None
    assert tokens.caller(second)
    again = token("revoke", "first")
    assert again.exit_code == 1
    assert "it has 'second'" in line_of(again)


def test_a_missing_file_is_not_made_by_looking(token: Token, path: Path) -> None:
    """Neither by list nor by revoke."""
    for args in (["list"], ["revoke", "a"]):
        assert "No such file" in line_of(token(*args))
    assert not path.exists()


@pytest.mark.parametrize("how", ["--token", "--token-file", "THALWEG_TOKEN", "THALWEG_TOKEN_FILE"])
def test_commands_bring_a_token(
    how: str, token: Token, path: Path, start_server: StartServer, tmp_path: Path
) -> None:
    """As an option, a variable, or a file, that ends with a newline as files do."""
    secret = token("new", "--role", "predict").stdout.strip()
    file = tmp_path / "secret"
    file.write_text(f"{secret}\n")
    server = start_server(tokens=path)
    value = str(file) if "FILE" in how.upper() else secret
    env = {"THALWEG_SERVER": server.address}
    bare = CliRunner().invoke(cli, ["models"], env=env, prog_name="thalweg")
    assert bare.exit_code == 1
    assert bare.stderr.endswith("(BAD_TOKEN)\n")
    args = [how, value] if how.startswith("-") else []
    env |= {} if args else {how: value}
    assert CliRunner().invoke(cli, ["models", *args], env=env).exit_code == 0
    assert CliRunner().invoke(cli, ["health"], env={"THALWEG_SERVER": server.address}).stdout == (
        "serving\n"
    )
