"""Reading a log that another process writes, or nobody, without changing a byte of its directory.

Whether somebody writes it is for SQLite's own locks to say, not for the directory's: asking for
that one could keep a server from starting.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from thalweg_server.core.errors import CorruptStorage
from thalweg_server.storage.manifest import progress_of
from thalweg_server.storage.schema import BUSY_MS_MAX, keep_as_is, reading
from thalweg_server.storage.snapshots import FOLDER, Snapshots
from thalweg_server.storage.sqlite import FILE

OPENINGS_MAX = 3
"""A server that stops just now takes files away that were there to be opened."""

Stamp = dict[str, tuple[int, int, int]]


@contextmanager
def viewed(file: Path) -> Iterator[apsw.Connection]:
    """A connection in one read transaction: it sees what is there now, whatever comes later.

    While it lasts, a server's write-ahead log grows. Where nobody writes when it begins, nothing
    keeps a server from beginning; then what is read may be a mixture, and `stamp` has changed.

    Args:
        file: of the log.

    Raises:
        CorruptStorage: it is damaged.
        OSError: it cannot be opened.
    """
    with reading(file):
        connection = _open(file)
        try:
            yield connection
        finally:
            connection.close()


def stamp(folder: Path) -> Stamp:
    """What changes whenever the log or the choice of snapshots does."""
    log = (folder / FILE, folder / f"{FILE}-wal")
    found = {}
    for path in (*log, *snapshots_of(folder)):
        if path.exists():
            is_now = path.stat()
            found[path.name] = (is_now.st_ino, is_now.st_size, is_now.st_mtime_ns)
    return found


def snapshots_of(folder: Path) -> list[Path]:
    """A data directory's snapshots, the newest first; none where there is no folder for them."""
    if not (folder / FOLDER).is_dir():  # `Snapshots` would make it
        return []
    return Snapshots(folder, {}).newest()


def need_of(path: Path) -> int:
    """The position that the log must reach back to for a snapshot."""
    progress = progress_of(path)
    assert progress is not None, path
    return progress.batch


def need_log(folder: Path) -> Path:
    """The file of a directory's log; raises CorruptStorage or OSError where it has none."""
    file = folder / FILE
    if file.is_file():
        return file
    if snapshots_of(folder):
        raise CorruptStorage(f"{file} is missing, and there are snapshots: restore a backup")
    raise FileNotFoundError(f"{folder} is no data directory: there is no {FILE} in it")


def _open(file: Path, attempts: int = OPENINGS_MAX) -> apsw.Connection:
    address, alone = _address(file)
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    connection = apsw.Connection(address, flags=flags)
    try:
        keep_as_is(connection)
        connection.set_busy_timeout(BUSY_MS_MAX)
        connection.execute("PRAGMA cell_size_check=ON")
        if alone:  # the index of the write-ahead log is then made in memory
            connection.execute("PRAGMA locking_mode=EXCLUSIVE").fetchall()
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    except (apsw.CantOpenError, apsw.ReadOnlyError):
        connection.close()
        if attempts == 1:
            raise
        return _open(file, attempts - 1)
    except BaseException:
        connection.close()
        raise
    return connection


def _address(file: Path) -> tuple[str, bool]:
    """SQLite's name for the file, and whether the connection must be told that it is alone."""
    uri = file.absolute().as_uri()
    wal, index = (file.with_name(file.name + end) for end in ("-wal", "-shm"))
    if not wal.exists() or not wal.stat().st_size:
        # Stopped in good order: all is in the file. SQLite would make the two others to read it.
        return f"{uri}?immutable=1", False
    if index.exists():
        # A server runs, or was killed. By the locks on the index SQLite knows, and makes one of
        # its own in memory where nobody keeps it up.
        return f"{uri}?mode=ro&readonly_shm=1", False
    # Somebody has copied the files and left the index behind.
    return f"{uri}?mode=ro&vfs=unix-none", True
