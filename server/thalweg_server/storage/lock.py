"""One server per directory."""

from __future__ import annotations

import fcntl
import os
import weakref
from pathlib import Path

LOCK = "lock"
"""Name of the file that is locked; it stays, for deleted it could lock for two."""


class DirectoryInUse(OSError):
    """Another process holds the directory."""


class FolderLock:
    """A directory of its own: made where it is missing, and locked until `release`.

    The lock goes with the process, however that ends. A forked child does not hold it.

    Args:
        folder: the directory.

    Raises:
        DirectoryInUse: another server has it.
        OSError: it cannot be made or written.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True)
            sync_folder(folder.parent)
        # Not to be seen by programs that this process starts; Python opens that way, too.
        self._file: int | None = os.open(
            folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 32, 0).decode(errors="replace").strip() or "unknown"
            self.release()
            message = f"{folder} is in use by another server (lock held by pid {holder})"
            raise DirectoryInUse(message) from None
        except BaseException:
            self.release()
            raise
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        # A child that writes a snapshot may outlive a server that was killed; its copy of the
        # open file would keep the next server out.
        release = weakref.WeakMethod(self.release)
        os.register_at_fork(after_in_child=lambda: (method := release()) and method())

    def release(self) -> None:
        """Lets others have the directory; idempotent."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def sync_folder(folder: Path) -> None:
    """Makes durable which files are in a directory."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
