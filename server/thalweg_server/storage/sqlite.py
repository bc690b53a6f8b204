"""The durable store: the event log in one SQLite file, written by one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue

from thalweg_server.core.errors import StorageFailed
from thalweg_server.core.events import Entry, Event, Progress, Raised, Streamed
from thalweg_server.storage.lock import FolderLock, sync_folder
from thalweg_server.storage.log import LogFile
from thalweg_server.storage.writer import Addition, Note, Then, Truncation, Writer

FILE = "log.sqlite"
"""Name of the log in its directory; SQLite keeps `-wal` and `-shm` beside it."""


class SqliteStore:
    """A `Store` over SQLite in WAL mode; each commit is synced.

    What is added during one commit goes into the next one, all together.

    Args:
        folder: its directory, made where it is missing; no other process may use it meanwhile.
        vfs: SQLite's way to the disk, where not the default one.
        on_failure: gets the error, once, where the medium fails; in the writer's thread.

    Raises:
        DirectoryInUse: another server has the directory.
        CorruptStorage: the log is damaged, or of another version.
        OSError: the directory cannot be made, or the file not opened.
    """

    name = "sqlite"
    durable = True

    def __init__(
        self,
        folder: Path,
        *,
        vfs: str | None = None,
        on_failure: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        self._lock = FolderLock(folder)
        try:
            self._log = LogFile(folder / FILE, vfs)
            sync_folder(folder)
        except BaseException:
            self._lock.release()
            raise
        self._writer = Writer(self._log, on_failure)

    def append(self, events: Sequence[Event], progress: Progress) -> int:
        """Adds events, all or none, and waits until they are durable; see `Store`."""
        answer: SimpleQueue[int | None] = SimpleQueue()
        self._writer.put(Addition(events, progress, answer.put))
        position = answer.get()
        if position is None:
            reason = self._writer.failure or "it was closed"
            raise StorageFailed(
                f"the event log failed ({reason}): nothing is acknowledged any more; retry when "
                "the server is back"
            )
        return position

    def submit(self, event: Streamed, then: Then) -> None:
        """Adds an event without waiting; see `Store`."""
        self._writer.put(Addition((event,), Progress(), then))

    def note(self, event: Raised) -> None:
        """Adds an event with whatever is added next, or on closing; see `Store`."""
        self._writer.put(Note(event))

    def entries(self, start: int) -> Iterator[Entry]:
        """What is logged at `start` and behind it, in order; see `Store`."""
        for entry in self._log.entries(start):
            if self._writer.started:
                break
            yield entry
        if self._writer.started:
            raise RuntimeError("the log is read before anything is added to it")

    def truncate(self, end: int) -> None:
        """Forgets what is logged before a position, little by little; see `Store`."""
        self._writer.put(Truncation(end))

    def close(self) -> None:
        """Adds what is queued and lets go of the file; idempotent."""
        self._writer.close()
        self._log.close()
        self._lock.release()
