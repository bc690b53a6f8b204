"""The tables of entries in PostgreSQL, and the lease that says which server may write them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from typing import Any

from thalweg_server.core.events import Entry, Event, Progress
from thalweg_server.storage.database import DatabaseUnusable, TakenOver
from thalweg_server.storage.names import ListsOfNames
from thalweg_server.storage.postgres_schema import Connection, Place, connect, read_bounds
from thalweg_server.storage.rows import COLUMNS, contiguous, to_entry
from thalweg_server.storage.schema import bounds_checksum, damaged
from thalweg_server.storage.staging import Staging

READ_AT_ONCE_MAX = 100
"""Entries read by one query: no transaction stays open while they are applied."""

# A commit is one statement, so a server that stops at any moment leaves no lock behind. All of it
# comes from `held`, which is empty where the lease is another's. A newer server takes the lease by
# an update of its row: that waits for the share lock of a commit under way, and a commit behind it
# waits for the update and then finds another generation.
_COMMIT = """
WITH held AS MATERIALIZED (
    SELECT 1 FROM lease, meta WHERE generation = %b AND next = %b FOR SHARE OF lease),
named AS (INSERT INTO names SELECT new.* FROM held, unnest(
    %b::bigint[], %b::bytea[], %b::bytea[], %b::bytea[]) AS new),
added AS (INSERT INTO log SELECT new.* FROM held, unnest(
    %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[],
    %b::bytea[], %b::bytea[]) AS new)
UPDATE meta SET next = %b, checksum = %b FROM held
"""

_TAKE = """
UPDATE lease SET generation = generation + 1, holder = %s, taken = now() RETURNING generation
"""

_READ = f"""
SELECT {COLUMNS} FROM log WHERE position >= %s AND position < %s ORDER BY position LIMIT %s
"""


class PostgresNames(ListsOfNames):
    """The table of lists of names in PostgreSQL."""

    def __init__(self, connection: Connection, place: Place) -> None:
        last = connection.execute("SELECT coalesce(max(id), 0) FROM names").fetchone()
        super().__init__(str(place), (last or (0,))[0] + 1)
        self._connection = connection

    def _id(self, digest: bytes) -> int | None:
        query = "SELECT id FROM names WHERE digest = %s"
        row = self._connection.execute(query, (digest,)).fetchone()
        return None if row is None else row[0]

    def _row(self, number: int) -> Sequence[Any] | None:
        query = "SELECT digest, body, checksum FROM names WHERE id = %s"
        return self._connection.execute(query, (number,), binary=True).fetchone()


class PostgresLog(Staging):
    """A log in a database, over one connection. Not for several threads at a time.

    The lease is taken when entries are read or staged for the first time: a server that cannot
    start for another reason leaves the one that is running alone. Nothing is ever deleted.

    Args:
        place: the database.

    Attributes:
        id: the log's own, made with its tables.

    Raises:
        CorruptStorage: it is damaged, no log, or of another version.
        DatabaseUnusable: it cannot be reached or used.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        super().__init__()
        self._generation = 0
        self._names: ListsOfNames | None = None
        self._connection = connect(place)
        try:
            self._bounds, self.id = read_bounds(self._connection, place)
        except BaseException:
            self.close()
            raise

    def stage(self, event: Event, progress: Progress) -> None:
        """Takes an event for the next commit."""
        with self._place.explaining():
            self._stage(event, progress, self._lease())

    def commit(self) -> None:
        """Makes what is staged durable, all or none.

        Raises:
            TakenOver: a newer server writes the log.
            DatabaseUnusable: it failed; whether this was committed is unknown.
        """
        if not self._rows:
            return
        bounds = self._ahead()
        with self._place.explaining():
            names = self._lease()
            done = self._connection.execute(
                _COMMIT,
                (
                    self._generation,
                    self._bounds.next,
                    *_columns(names.new, 4),
                    *_columns(self._rows, 8),
                    bounds.next,
                    bounds_checksum(bounds.first, bounds.next),
                ),
                prepare=True,
            )
            if done.rowcount != 1:
                raise self._refused()
        names.written()
        self._bounds = bounds
        self._unstage()

    def abandon(self) -> None:
        """The database failed, or is another's: forgets what is staged, and leaves it for good."""
        self._unstage()
        self.close()

    def checkpoint(self) -> None:
        """PostgreSQL does that itself."""

    def truncate(self, end: int) -> bool:
        """Deletes nothing: snapshots are one machine's, and another one needs the log."""
        return False

    def entries(self, start: int) -> Iterator[Entry]:
        """What is logged at a position and behind it; raises CorruptStorage."""
        with self._place.explaining():
            names = self._lease()
            for row in contiguous(self._read(start), start, self._bounds, str(self._place)):
                yield to_entry(row, names, str(self._place))
        names.forget_reading()

    def close(self) -> None:
        """Lets go of the database; idempotent."""
        self._connection.close()

    def _lease(self) -> ListsOfNames:
        if self._names is None:
            holder = f"{socket.gethostname()}, pid {os.getpid()}"
            taken = self._connection.execute(_TAKE, (holder,)).fetchone()
            if taken is None:
                raise damaged(str(self._place), "its table lease has no line")
            self._generation = taken[0]
            # Only now: what the server before has committed until then is all there will be of it.
            self._bounds, self.id = read_bounds(self._connection, self._place)
            self._names = PostgresNames(self._connection, self._place)
        return self._names

    def _read(self, start: int) -> Iterator[Sequence[Any]]:
        while start < self._bounds.next:
            bounds = (start, self._bounds.next, READ_AT_ONCE_MAX)
            rows = self._connection.execute(_READ, bounds, binary=True).fetchall()
            yield from rows
            if len(rows) < READ_AT_ONCE_MAX:
                return
            start = rows[-1][0] + 1

    def _refused(self) -> Exception:
        row = self._connection.execute("SELECT generation, holder FROM lease").fetchone()
        if row is None or row[0] == self._generation:
            return DatabaseUnusable(f"{self._place}: its tables were changed by another program")
        return TakenOver(f"another server ({row[1]}) has taken over this database")


def _columns(rows: Sequence[Sequence[Any]], count: int) -> Sequence[list[Any]]:
    return [[row[column] for row in rows] for column in range(count)]
