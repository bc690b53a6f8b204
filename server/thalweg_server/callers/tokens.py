"""Bearer tokens: what one looks like, and the file that knows them by their hashes."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from thalweg_server.callers.identity import Role
from thalweg_server.callers.problems import Unusable

PREFIX = "thl_"
"""So that scanners of repositories and logs know one where they see one."""

TOKEN_BYTES = 32
"""Random bytes of a token. Nobody tries 2^256 of them, so a plain SHA-256 keeps them: slow hashes
are for passwords, which people choose, and would cost every call milliseconds."""

FILE_BYTES_MAX = 4 * 1024 * 1024
"""Of a token file: room for some 20,000. More than that is not a token file."""

NAME_CHARACTERS_MAX = 64
"""Of a token's name: it stands in messages and logs."""

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a file knows of one token.

    Args:
        name: the caller's name, of its own within the file.
        roles: what it may do.
        sha256: hexadecimal, of the token's UTF-8.
        created: when.
        expires: when it ends; None = never.
    """

    name: str
    roles: frozenset[Role]
    sha256: str
    created: datetime
    expires: datetime | None = None


def make_token() -> str:
    """A new token; random, and never to be had again from its hash."""
    return PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def hash_of(token: str) -> str:
    """What a file keeps of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def read_entries(path: Path) -> tuple[Entry, ...]:
    """The tokens of a file.

    Raises:
        Unusable: it cannot be read, others may write it, or it is no token file.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            _check_mode(path, status)
            text = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise Unusable(
            f"cannot read the token file {path} (--tokens): {error.strerror}; "
            "`thalweg token new` makes one"
        ) from error
    if len(text) > FILE_BYTES_MAX:
        raise Unusable(f"the token file {path} has more than {FILE_BYTES_MAX} bytes")
    try:
        return _entries(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Unusable(
            f"{path} is no token file ({type(error).__name__}: {error}): mend it, or make a new "
            "one with `thalweg token new`"
        ) from error


@contextmanager
def editing(path: Path) -> Iterator[list[Entry]]:
    """The tokens of a file, to be changed in place; what they are at the end is written at once.

    A reader sees the file before or after, never half of it; a second writer waits. A file that
    is not there begins empty, with mode 0600; one that is keeps its owner and who may read it.

    Raises:
        Unusable: as `read_entries`.
        OSError: it cannot be written.
    """
    path = path.resolve()  # a link stays one
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        entries = list(read_entries(path)) if path.exists() else []
        yield entries
        _write(path, entries)
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(path: Path, entries: Sequence[Entry]) -> None:
    tokens = [_plain(each) for each in entries]
    text = json.dumps({"version": VERSION, "tokens": tokens}, indent=2, ensure_ascii=False) + "\n"
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor
            file.write(text)
            file.flush()
            if path.exists():
                status = path.stat()
                os.fchown(descriptor, status.st_uid, status.st_gid)
                os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
            os.fsync(descriptor)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _check_mode(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Unusable(f"the token file {path} is no regular file")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise Unusable(
            f"others may write the token file {path} (mode {stat.S_IMODE(status.st_mode):04o}), "
            f"and so give themselves roles: chmod 600 {path}"
        )


def _entries(document: Any) -> tuple[Entry, ...]:
    if document["version"] != VERSION:
        raise ValueError(f"version {document['version']!r} is not {VERSION}")
    entries = tuple(_entry(each) for each in document["tokens"])
    for which in ("name", "sha256"):
        seen: set[str] = set()
        for each in entries:
            value: str = getattr(each, which)
            if value in seen:
                raise ValueError(f"two tokens have the {which} {value!r}")
            seen.add(value)
    return entries


def _entry(item: Any) -> Entry:
    name, sha256 = item["name"], item["sha256"]
    check_token_name(name)
    if len(bytes.fromhex(sha256)) != hashlib.sha256().digest_size:
        raise ValueError(f"sha256 of {name!r} is not 64 hexadecimal digits")
    if isinstance(item["roles"], str) or not item["roles"]:
        raise ValueError(f"roles of {name!r} is not a list of at least one")
    expires = item.get("expires")
    return Entry(
        name=name,
        roles=frozenset(Role(each) for each in item["roles"]),
        sha256=sha256.lower(),
        created=_instant(item["created"]),
        expires=None if expires is None else _instant(expires),
    )


def check_token_name(name: Any) -> None:
    """Refuses what is no name for a token.

    Raises:
        ValueError: it is no text, empty, too long, or holds what cannot be printed.
    """
    if not (isinstance(name, str) and 0 < len(name) <= NAME_CHARACTERS_MAX and name.isprintable()):
        raise ValueError(
            f"the token name {name!r} is not 1 to {NAME_CHARACTERS_MAX} printable characters"
        )


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _plain(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "roles": sorted(entry.roles),
        "sha256": entry.sha256,
        "created": entry.created.isoformat(timespec="seconds"),
        "expires": entry.expires and entry.expires.isoformat(timespec="seconds"),
    }
