"""The table of entries: what is written in one transaction, read back, and deleted."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw

from thalweg_server.core.errors import CorruptStorage
from thalweg_server.core.events import Entry, Event, Progress
from thalweg_server.storage.codec import decode, encode
from thalweg_server.storage.names import NamesTable
from thalweg_server.storage.schema import (
    Bounds,
    checksum,
    connect,
    damaged,
    keep_as_is,
    read_bounds,
    reading,
    write_bounds,
)

TRUNCATED_AT_ONCE_MAX = 1_000
"""Entries deleted in one transaction: what is to be added waits for it."""

CHECKPOINT_PAGES = 1_000
"""The write-ahead log is copied into the file from this size on (4 MB), as SQLite would."""

Row = tuple[int, int, int, int, int, int | None, bytes, bytes]

_COLUMNS = "position, kind, batch, row, event, names, body, checksum"
_FRAME = struct.Struct("<qqqqqq")


class LogFile:
    """The file of the log, over one connection. Not for several threads at a time.

    Args:
        file: of SQLite; made where it is missing.
        vfs: of SQLite, where not the default one.

    Raises:
        CorruptStorage: it is damaged, no log, or of another version.
        OSError: it cannot be opened or made.
    """

    def __init__(self, file: Path, vfs: str | None = None) -> None:
        self._file = file
        self._rows: list[Row] = []
        self._bytes = 0
        self._connection = connect(file, vfs)
        try:
            with reading(file):
                self._bounds = read_bounds(self._connection, file)
                self._names = NamesTable(self._connection, file)
        except BaseException:
            self.abandon()
            self.close()
            raise
        self._pages = 0
        # In place of SQLite's own checkpoints, which say nothing where a sync fails, and sync
        # again the next time as if what was lost were still there.
        self._connection.set_wal_hook(self._committed)

    @property
    def last(self) -> int:
        """The position of what was staged last."""
        return self._bounds.next + len(self._rows) - 1

    @property
    def staged(self) -> int:
        """Events that the next commit writes,"""
        return len(self._rows)

    @property
    def staged_bytes(self) -> int:
        """and their size."""
        return self._bytes

    def stage(self, event: Event, progress: Progress) -> None:
        """Takes an event for the next commit."""
        position = self.last + 1
        encoded = encode(event)
        names = None if encoded.names is None else self._names.number(encoded.names)
        frame = (position, encoded.kind, progress.batch, progress.row, progress.event, names)
        self._rows.append((*frame, encoded.body, _checksum(frame, encoded.body)))
        self._bytes += len(encoded.body)

    def commit(self) -> None:
        """Makes what is staged durable, all or none; raises apsw.Error where the medium fails."""
        if not self._rows:
            return
        bounds = Bounds(self._bounds.first, self._bounds.next + len(self._rows))
        self._connection.execute("BEGIN IMMEDIATE")
        self._names.write()
        self._connection.executemany("INSERT INTO log VALUES(?, ?, ?, ?, ?, ?, ?, ?)", self._rows)
        write_bounds(self._connection, bounds)
        self._connection.execute("COMMIT")
        self._bounds = bounds
        self._rows.clear()
        self._bytes = 0

    def abandon(self) -> None:
        """The medium failed: forgets what is staged, and leaves the file as it is."""
        self._rows.clear()
        self._bytes = 0
        keep_as_is(self._connection)

    def checkpoint(self) -> None:
        """Copies the write-ahead log into the file where it has grown; raises apsw.Error."""
        if self._pages >= CHECKPOINT_PAGES:
            with suppress(apsw.BusyError):  # a backup is at it
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    def truncate(self, end: int) -> bool:
        """Deletes some of what is before a position; raises apsw.Error where the medium fails.

        Returns:
            Whether there is more of it.
        """
        end = min(end, self._bounds.next)
        first = min(end, self._bounds.first + TRUNCATED_AT_ONCE_MAX)
        if first <= self._bounds.first:
            return False
        bounds = Bounds(first, self._bounds.next)
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("DELETE FROM log WHERE position < ?", (first,))
        if first == end:
            self._names.remove_unused()
        write_bounds(self._connection, bounds)
        self._connection.execute("COMMIT")
        self._bounds = bounds
        return first < end

    def entries(self, start: int) -> Iterator[Entry]:
        """What is logged at a position and behind it; raises CorruptStorage."""
        first, following = self._bounds.first, self._bounds.next
        if start < first:
            raise CorruptStorage(
                f"{self._file} cannot be read from position {start} on: entries before {first} "
                "were truncated; restore the directory from a backup"
            )
        if start > following:
            raise damaged(self._file, f"it ends before position {following}, not {start}")
        expected = start
        query = f"SELECT {_COLUMNS} FROM log WHERE position >= ? ORDER BY position"
        with reading(self._file):
            for row in self._connection.execute(query, (start,)):
                if row[0] != expected:
                    raise damaged(self._file, f"entry {expected} is missing")
                yield self._entry(row)
                expected += 1
        if expected != following:
            raise damaged(self._file, f"entry {expected} is missing")
        self._names.forget_reading()

    def close(self) -> None:
        """Lets go of the file; idempotent."""
        self._connection.close()

    def _committed(self, _: apsw.Connection, __: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def _entry(self, row: tuple[Any, ...]) -> Entry:
        *frame, body, check = row
        position, kind, batch, line, event, names = frame
        try:
            whole = check == _checksum(frame, body)
        except (struct.error, TypeError):  # something that is no number, or no bytes
            whole = False
        if not whole:
            raise damaged(self._file, f"entry {position} does not match its checksum")
        stored = None if names is None else self._names.read(names)
        try:
            return Entry(position, decode(kind, body, stored), Progress(batch, line, event))
        except Exception as error:  # whole, and yet nothing that this version has written
            what = f"entry {position} cannot be decoded ({type(error).__name__}: {error})"
            raise damaged(self._file, what) from error


def _checksum(frame: Sequence[int | None], body: bytes) -> bytes:
    return checksum(_FRAME.pack(*(value or 0 for value in frame)), body)
