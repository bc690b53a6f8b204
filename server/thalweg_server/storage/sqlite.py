"""The durable store: the event log in one SQLite file, written by one thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from thalweg_server.storage.lock import FolderLock, sync_folder
from thalweg_server.storage.log import LogFile
from thalweg_server.storage.logged import LoggedStore

FILE = "log.sqlite"
"""Name of the log in its directory; SQLite keeps `-wal` and `-shm` beside it."""


class SqliteStore(LoggedStore):
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

    def __init__(
        self,
        folder: Path,
        *,
        vfs: str | None = None,
        on_failure: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        self._lock = FolderLock(folder)
        try:
            log = LogFile(folder / FILE, vfs)
            sync_folder(folder)
        except BaseException:
            self._lock.release()
            raise
        super().__init__(log, on_failure)

    def close(self) -> None:
        """Adds what is queued and lets go of the file; idempotent."""
        super().close()
        self._lock.release()
