"""The SQLite file of the event log: how it is opened, what is in it, and which part is kept."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import apsw

from thalweg_server.core.errors import CorruptStorage

FORMAT = 1
"""Version of the file's layout and of the codec."""

SYNCHRONOUS = "FULL"
"""Each commit is on the disk before it is reported. Tests turn it off to see themselves fail."""

BUSY_MS_MAX = 5_000
"""Waits so long for a backup that has the file to itself."""

TABLES = """
CREATE TABLE log(position INTEGER PRIMARY KEY, kind INTEGER, batch INTEGER, row INTEGER,
    event INTEGER, names INTEGER, body BLOB, checksum BLOB);
CREATE INDEX log_names ON log(names) WHERE names IS NOT NULL;
CREATE TABLE names(id INTEGER PRIMARY KEY, digest BLOB UNIQUE, body BLOB, checksum BLOB);
CREATE TABLE meta(format INTEGER, first INTEGER, next INTEGER, checksum BLOB);
"""

_BOUNDS = struct.Struct("<qqq")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which positions the log holds.

    SQLite keeps no checksums: were the last entries lost by a flipped bit, only this would tell.

    Args:
        first: kept, or to be written next.
        next: to be written.
    """

    first: int = 1
    next: int = 1


def connect(file: Path, vfs: str | None = None) -> apsw.Connection:
    """Opens the file of a log and makes its tables where there are none.

    Args:
        file: the SQLite file.
        vfs: of SQLite, where not the default one.

    Raises:
        CorruptStorage: it is damaged, no log, or of another version.
        OSError: it cannot be opened or made.
    """
    with reading(file):
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        connection = apsw.Connection(str(file), flags=flags, vfs=vfs)
        try:
            connection.set_busy_timeout(BUSY_MS_MAX)
            _prepare(connection, file)
        except BaseException:
            keep_as_is(connection)
            connection.close()
            raise
    return connection


def _prepare(connection: apsw.Connection, file: Path) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={SYNCHRONOUS}")
    connection.execute("PRAGMA cell_size_check=ON")  # finds damage before it is acted upon
    if connection.execute("SELECT count(*) FROM sqlite_master").get:
        return
    if connection.execute("PRAGMA page_count").get > 1:
        raise damaged(file, "it has data but no tables")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(TABLES)
    connection.execute("INSERT INTO meta VALUES(?, 1, 1, ?)", (FORMAT, bounds_checksum(1, 1)))
    connection.execute("COMMIT")


def keep_as_is(connection: apsw.Connection) -> None:
    """Has `close` leave the write-ahead log alone, as befits a medium that has failed."""
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)


def read_bounds(connection: apsw.Connection, file: Path) -> Bounds:
    """Which positions are there; raises CorruptStorage where that is not what was written."""
    rows = connection.execute("SELECT format, first, next, checksum FROM meta").fetchall()
    ends = connection.execute("SELECT min(position) FROM log").get
    last = connection.execute("SELECT max(position) FROM log").get
    return check_bounds(file, rows, (ends, last))


def check_bounds(
    place: Path | str, rows: Sequence[Sequence[Any]], found: tuple[int | None, int | None]
) -> Bounds:
    """Which positions are there; raises CorruptStorage where that is not what was written.

    Args:
        place: of the log, for messages.
        rows: of the table meta: format, first, next, checksum.
        found: the first and the last position in the table of entries.
    """
    if len(rows) != 1:
        raise damaged(place, f"its table meta has {len(rows)} lines where there must be 1")
    version, first, following, check = rows[0]
    if version != FORMAT:
        raise CorruptStorage(
            f"{place} has format {version}, and this server reads format {FORMAT}: run the server "
            f"that wrote it, or choose another {_whole(place).removeprefix('the ')}"
        )
    if not (isinstance(first, int) and isinstance(following, int)):
        raise damaged(place, "its table meta holds no numbers")
    if check != bounds_checksum(first, following):
        raise damaged(place, "its table meta does not match its checksum")
    ends, last = found
    there = Bounds(following, following)
    if ends is not None and last is not None:
        there = Bounds(ends, last + 1)
    if there != Bounds(first, following):
        raise damaged(
            place,
            f"it holds positions {there.first} to {there.next - 1} "
            f"where {first} to {following - 1} were written",
        )
    return there


def write_bounds(connection: apsw.Connection, bounds: Bounds) -> None:
    """Says which positions there are, in the transaction that makes it so."""
    first, following = bounds.first, bounds.next
    connection.execute(
        "UPDATE meta SET first=?, next=?, checksum=?",
        (first, following, bounds_checksum(first, following)),
    )


def checksum(*parts: bytes) -> bytes:
    """Eight bytes that tell damage."""
    digest = blake2b(digest_size=8)
    for part in parts:
        digest.update(part)
    return digest.digest()


def damaged(place: Path | str, what: str) -> CorruptStorage:
    """The error for a damaged log: in a file, or in a database, by its URL."""
    return CorruptStorage(f"{place} is damaged: {what}; restore {_whole(place)} from a backup")


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Turns what SQLite raises on reading into CorruptStorage, or OSError where nothing is lost."""
    try:
        yield
    except (apsw.CantOpenError, apsw.PermissionsError, apsw.ReadOnlyError) as error:
        raise OSError(f"{file} cannot be opened: {error}") from error
    except apsw.FullError as error:
        raise OSError(f"{file} cannot be written: {error}") from error
    except apsw.BusyError as error:
        raise OSError(f"{file} is locked by another program: {error}") from error
    except (apsw.Error, UnicodeError) as error:  # bytes that damage has made a text
        raise damaged(file, f"{type(error).__name__}: {error}") from error


def bounds_checksum(first: int, following: int) -> bytes:
    """The checksum of the table meta."""
    return checksum(_BOUNDS.pack(FORMAT, first, following))


def _whole(place: Path | str) -> str:
    return "the directory" if isinstance(place, Path) else "the database"
