"""Tokens and the file that keeps their hashes."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.callers.conftest import NOW, TokenFile
from thalweg_server.callers.checking import Tokens
from thalweg_server.callers.identity import Caller, Role
from thalweg_server.callers.problems import Unusable
from thalweg_server.callers.tokens import PREFIX, editing, hash_of, make_token, read_entries


def test_a_token_is_random_and_known_by_its_prefix() -> None:
    """256 bits, in characters that need no quoting anywhere."""
    tokens = {make_token() for _ in range(100)}
    assert len(tokens) == 100
    assert {(each.startswith(PREFIX), len(each)) for each in tokens} == {(True, 4 + 43)}


def test_the_file_holds_hashes_and_no_tokens(file: TokenFile) -> None:
    """What was added comes back; the token itself is nowhere in it."""
    token = file.add("jobs", Role.LEARN, Role.PREDICT, expires=NOW + timedelta(days=90))
    (entry,) = read_entries(file.path)
    assert (entry.name, entry.roles) == ("jobs", {Role.LEARN, Role.PREDICT})
    assert entry.sha256 == hash_of(token)
    assert entry.created == NOW.replace(microsecond=0)
    assert entry.expires == (NOW + timedelta(days=90)).replace(microsecond=0)
    assert token not in file.path.read_text()
    assert token.removeprefix(PREFIX) not in file.path.read_text()


def test_a_token_is_known_by_all_of_it(file: TokenFile) -> None:
    """Any other text, a hash of the file included, is nobody's."""
    file.add("other", Role.ADMIN)
    token = file.add("jobs", Role.LEARN)
    tokens = Tokens(file.path)
    assert tokens.caller(token) == Caller("jobs", frozenset({Role.LEARN}))
    wrong = ["", token[:-1], token + "x", token.lower(), hash_of(token), "\udcff", "é" * 1000]
    assert not any(map(tokens.caller, wrong))


def test_a_token_ends_at_its_time(file: TokenFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the second, without anybody reading the file again."""
    token = file.add("jobs", Role.LEARN, expires=NOW + timedelta(hours=1))
    tokens, end = Tokens(file.path), read_entries(file.path)[0].expires
    assert end is not None
    monkeypatch.setattr("time.time", lambda: end.timestamp() - 0.001)
    assert tokens.caller(token)
    monkeypatch.setattr("time.time", end.timestamp)
    assert tokens.caller(token) is None


def left_beside(file: TokenFile) -> list[str]:
    """Return the names of all files in the folder: of none that was to be renamed."""
    return sorted(each.name for each in file.path.parent.iterdir())


def test_a_new_file_is_its_owners_alone(file: TokenFile) -> None:
    """Mode 0600; one that was there keeps what its owner chose, and a link stays a link."""
    file.add("a", Role.LEARN)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    file.path.chmod(0o640)
    link = TokenFile(file.path.with_name("link"))
    link.path.symlink_to(file.path)
    link.add("b", Role.LEARN)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o640
    assert link.path.is_symlink()
    assert [each.name for each in read_entries(file.path)] == ["a", "b"]
    assert left_beside(file) == ["link", "tokens.json"]


def test_writers_at_the_same_time_lose_nothing(file: TokenFile) -> None:
    """Each sees what the others wrote."""

    def add_some(which: int) -> None:
        for number in range(5):
            TokenFile(file.path).add(f"{which}-{number}", Role.LEARN)

    file.add("first", Role.LEARN)
    with ThreadPoolExecutor(3) as pool:  # the lock is of the open folder, not of the process
        list(pool.map(add_some, range(3)))
    assert len(read_entries(file.path)) == 16


def test_an_edit_that_fails_changes_nothing(file: TokenFile) -> None:
    """Nor does it leave a file behind."""
    file.add("a", Role.LEARN)
    before = file.path.read_bytes()
    with pytest.raises(KeyError), editing(file.path) as entries:
        entries.clear()
        raise KeyError
    assert file.path.read_bytes() == before
    assert left_beside(file) == [file.path.name]


GOOD: dict[str, Any] = {
    "name": "a",
    "roles": ["learn"],
    "sha256": "ab" * 32,
    "created": "2026-01-01T00:00:00+00:00",
}


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"version": 2, "tokens": []}, "version 2"),
        ({"tokens": []}, "version"),
        ([], "no token file"),
        ({"version": 1, "tokens": [GOOD | {"roles": ["owner"]}]}, "'owner'"),
        ({"version": 1, "tokens": [GOOD | {"roles": "learn"}]}, "roles of 'a'"),
        ({"version": 1, "tokens": [GOOD | {"roles": []}]}, "roles of 'a'"),
        ({"version": 1, "tokens": [GOOD | {"sha256": "ab"}]}, "64 hexadecimal"),
        ({"version": 1, "tokens": [GOOD | {"sha256": "xy" * 32}]}, "hexadecimal"),
        ({"version": 1, "tokens": [GOOD | {"name": ""}]}, "name ''"),
        ({"version": 1, "tokens": [GOOD | {"name": "a\nb"}]}, "name 'a\\nb'"),
        ({"version": 1, "tokens": [GOOD, GOOD | {"sha256": "cd" * 32}]}, "two tokens"),
        ({"version": 1, "tokens": [GOOD, GOOD | {"name": "b"}]}, "two tokens"),
        ({"version": 1, "tokens": [GOOD | {"expires": "soon"}]}, "soon"),
        ({"version": 1, "tokens": [{"name": "a"}]}, "sha256"),
    ],
)
def test_what_is_no_token_file_is_refused(document: Any, says: str, file: TokenFile) -> None:
    """In one line, with the file's name and what to do."""
    file.path.write_text(json.dumps(document))
    file.path.chmod(0o600)
    with pytest.raises(Unusable) as raised:
        read_entries(file.path)
    line = str(raised.value)
    assert says in line and str(file.path) in line and "thalweg token new" in line
    assert "\n" not in line


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_refused(mode: int, file: TokenFile) -> None:
    """Who can write it can make an admin of themselves."""
    file.add("a", Role.LEARN)
    file.path.chmod(mode)
    with pytest.raises(Unusable, match=f"{mode:04o}.*chmod 600"):
        Tokens(file.path)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A missing file, and a folder."""
    with pytest.raises(Unusable, match="No such file"):
        Tokens(tmp_path / "nix")
    with pytest.raises(Unusable, match="directory"):
        Tokens(tmp_path)


def test_an_empty_list_knows_nobody(file: TokenFile) -> None:
    """As after the last token was revoked."""
    token = file.add("a", Role.LEARN)
    file.revoke("a")
    assert Tokens(file.path).caller(token) is None
