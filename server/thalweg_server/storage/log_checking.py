"""Whether a log is whole: SQLite's pages, which positions there are, every list and every entry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from thalweg_server.core.errors import CorruptStorage
from thalweg_server.core.events import Entry, Learned, Streamed
from thalweg_server.storage.names import NamesTable
from thalweg_server.storage.rows import COLUMNS, to_entry
from thalweg_server.storage.schema import Bounds, damaged, read_bounds, reading

DAMAGES_MAX = 100
"""Named of a log; where there are so many, the next one helps nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFindings:
    """What was found of a log.

    Args:
        file: of SQLite.
        first: the position that it begins at,
        next: and the one behind its end; both None where that is damaged.
        entries: read, and whole.
        rows: of observations in them.
        size_bytes: of the file and its write-ahead log.
    """

    file: Path
    first: int | None = None
    next: int | None = None
    entries: int = 0
    rows: int = 0
    size_bytes: int = 0


def check_log(connection: apsw.Connection, file: Path) -> tuple[LogFindings, list[str]]:
    """Reads all of a log.

    Args:
        connection: to the log, in a read transaction.
        file: of the log.

    Returns:
        What was found, and what is wrong with it, a line each.
    """
    check = _Check(connection, file)
    for step in (check.bounds, check.pages, check.names, check.entries):
        with check.noting():
            step()
    first, following = (check.found.first, check.found.next) if check.found else (None, None)
    sizes = (file, file.with_name(f"{file.name}-wal"))
    findings = LogFindings(
        file=file,
        first=first,
        next=following,
        entries=check.whole,
        rows=check.rows,
        size_bytes=sum(path.stat().st_size for path in sizes if path.exists()),
    )
    return findings, list(check.damages)[:DAMAGES_MAX]


class _Check:
    """The steps, each of which goes on where it can, and what they have found.

    Attributes:
        damages: lines in the order found, each once.
        found: which positions there are, as the log says.
        whole: entries without damage,
        rows: and the observations in them.
    """

    def __init__(self, connection: apsw.Connection, file: Path) -> None:
        self.damages: dict[str, None] = {}
        self.found: Bounds | None = None
        self.whole = self.rows = 0
        self._expected = 1
        self._connection = connection
        self._file = file

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Takes down what is damaged, in place of raising it."""
        try:
            with reading(self._file):
                yield
        except CorruptStorage as problem:
            self.damages.setdefault(str(problem))

    def bounds(self) -> None:
        """Whether the first and the last position are those that were written."""
        self.found = read_bounds(self._connection, self._file)

    def pages(self) -> None:
        """Whether SQLite finds its own structures in order."""
        for (line,) in self._connection.execute(f"PRAGMA integrity_check({DAMAGES_MAX})"):
            if line != "ok":
                self._note(" ".join(str(line).split()))

    def names(self) -> None:
        """Whether every list of names is what was written."""
        names = NamesTable(self._connection, self._file)
        for (number,) in self._connection.execute("SELECT id FROM names"):
            with self.noting():
                try:
                    names.read(number)
                except (ValueError, TypeError) as error:
                    self._note(f"list of names {number} cannot be decoded ({error})")

    def entries(self) -> None:
        """Whether every entry is there, and is what was written."""
        names = NamesTable(self._connection, self._file)
        first = "SELECT ifnull(min(position), 1) FROM log"
        start = self.found.first if self.found else self._connection.execute(first).get
        while len(self.damages) < DAMAGES_MAX:
            try:
                end = self._read_from(start, names)
            except UnicodeError as error:  # bytes that damage has made a text
                self._note(f"entry {self._expected} cannot be read ({error})")
                start = max(start, self._expected) + 1
                continue
            except apsw.Error as error:
                what = f"{type(error).__name__}: {error}"
                self._note(f"entries from {self._expected} on cannot be read ({what})")
                return
            if end and self.found is not None:
                self._gap(self.found.next)
            return

    def _read_from(self, start: int, names: NamesTable) -> bool:
        """Reads what is at a position and behind it; whether to the end."""
        self._expected = start
        query = f"SELECT {COLUMNS} FROM log WHERE position >= ? ORDER BY position"
        for row in self._connection.execute(query, (start,)):
            self._gap(row[0])
            self._expected = row[0] + 1
            with self.noting():
                self._count(to_entry(row, names, self._file))
            if len(self.damages) >= DAMAGES_MAX:
                return False
        return True

    def _gap(self, position: int) -> None:
        first, last = self._expected, position - 1
        if first <= last:
            missing = f"entry {last} is" if last == first else f"entries {first} to {last} are"
            self._note(f"{missing} missing")

    def _count(self, entry: Entry) -> None:
        self.whole += 1
        if isinstance(entry.event, Learned | Streamed):
            self.rows += len(entry.event.batch)

    def _note(self, what: str) -> None:
        self.damages.setdefault(str(damaged(self._file, what)))
