"""The durable store for failover: the event log in PostgreSQL, written by the newest server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from thalweg_server.storage.lock import FolderLock
from thalweg_server.storage.logged import LoggedStore
from thalweg_server.storage.postgres_log import PostgresLog
from thalweg_server.storage.postgres_schema import Place


class PostgresStore(LoggedStore):
    """A `Store` over a PostgreSQL database; each commit is one, synced, transaction.

    The server that reads or adds first after another one takes the database over: from then on
    the older one's store fails, and nothing of it is committed. A lost connection is a failed
    medium, for whether the last commit was made is unknown.

    Args:
        url: postgresql://user:password@host:port/name
        folder: for what is kept of this log on this machine, made where it is missing; no other
            process may use it meanwhile.
        on_failure: gets the error, once, where the medium fails; in the writer's thread.

    Attributes:
        home: the part of the folder that belongs to this log, and to no other.

    Raises:
        DirectoryInUse: another server has the directory.
        DatabaseUnusable: the database cannot be reached or used.
        CorruptStorage: the log is damaged, or of another version.
        OSError: the directory cannot be made.
    """

    name = "postgresql"

    def __init__(
        self,
        url: str,
        folder: Path,
        *,
        on_failure: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        self._lock = FolderLock(folder)
        try:
            log = PostgresLog(Place(url))
            try:
                self.home = folder / f"{self.name}-{log.id}"
                self.home.mkdir(mode=0o700, exist_ok=True)
            except BaseException:
                log.close()
                raise
        except BaseException:
            self._lock.release()
            raise
        super().__init__(log, on_failure)

    def close(self) -> None:
        """Adds what is queued and lets go of the database; idempotent."""
        super().close()
        self._lock.release()
