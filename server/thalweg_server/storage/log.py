"""The table of entries: what is written in one transaction, read back, and deleted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw

from thalweg_server.core.events import Entry, Event, Progress
from thalweg_server.storage.names import NamesTable
from thalweg_server.storage.rows import COLUMNS, contiguous, to_entry
from thalweg_server.storage.schema import (
    Bounds,
    connect,
    keep_as_is,
    read_bounds,
    reading,
    write_bounds,
)
from thalweg_server.storage.staging import Staging

TRUNCATED_AT_ONCE_MAX = 1_000
"""Entries deleted in one transaction: what is to be added waits for it."""

CHECKPOINT_PAGES = 1_000
"""The write-ahead log is copied into the file from this size on (4 MB), as SQLite would."""


class LogFile(Staging):
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
        super().__init__()
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

    def stage(self, event: Event, progress: Progress) -> None:
        """Takes an event for the next commit."""
        self._stage(event, progress, self._names)

    def commit(self) -> None:
        """Makes what is staged durable, all or none; raises apsw.Error where the medium fails."""
        if not self._rows:
            return
        bounds = self._ahead()
        self._connection.execute("BEGIN IMMEDIATE")
        self._names.write()
        self._connection.executemany("INSERT INTO log VALUES(?, ?, ?, ?, ?, ?, ?, ?)", self._rows)
        write_bounds(self._connection, bounds)
        self._connection.execute("COMMIT")
        self._bounds = bounds
        self._unstage()

    def abandon(self) -> None:
        """The medium failed: forgets what is staged, and leaves the file as it is."""
        self._unstage()
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
        query = f"SELECT {COLUMNS} FROM log WHERE position >= ? ORDER BY position"
        with reading(self._file):
            rows = self._connection.execute(query, (start,))
            for row in contiguous(rows, start, self._bounds, self._file):
                yield self._entry(row)
        self._names.forget_reading()

    def close(self) -> None:
        """Lets go of the file; idempotent."""
        self._connection.close()

    def _committed(self, _: apsw.Connection, __: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def _entry(self, row: Sequence[Any]) -> Entry:
        return to_entry(row, self._names, self._file)
