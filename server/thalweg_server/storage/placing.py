"""Where a copy is made, until it is whole and gets its place."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from thalweg_server.storage.lock import LOCK, FolderLock, sync_folder
from thalweg_server.storage.snapshots import FOLDER
from thalweg_server.storage.sqlite import FILE

UNFINISHED = ".unfinished"
"""How the name of a folder ends that a copy is made in, or was when its maker died."""

OURS = frozenset((LOCK, FILE, f"{FILE}-journal", FOLDER))
"""All that is ever in such a folder: with anything else in it, it is somebody else's."""

NOTHING = frozenset((LOCK, UNFINISHED, "lost+found"))
"""What an empty directory may hold; the last is the file system's, where a volume begins."""


@contextmanager
def placed(target: Path) -> Iterator[Path]:
    """A folder for a copy, which becomes `target` unless something is raised; then it goes.

    A target that is missing appears whole, in one step. One that is there, and empty, may be
    where a volume is mounted, and stays: it is filled, the log last. Nobody else can use it
    meanwhile. The file of the lock is left in it: deleted, it could lock for two.

    Args:
        target: missing or an empty directory.

    Raises:
        DirectoryInUse: a server, or another copy, has it.
        OSError: it is not empty, or cannot be written.
    """
    target = target.absolute()
    _refuse_occupied(target)
    filled = target.is_dir()
    home = target if filled else target.with_name(target.name + UNFINISHED)
    folder = home / UNFINISHED if filled else home
    if folder.exists() and not names_in(folder) <= OURS:
        raise FileExistsError(f"{folder} is in the way, and holds what is no copy: remove it")
    lock = FolderLock(home)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        empty(folder)
        yield folder
        (_fill if filled else _rename)(folder, target)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        lock.release()


def empty(folder: Path) -> None:
    """Deletes what is copied so far."""
    (folder / FILE).unlink(missing_ok=True)
    (folder / f"{FILE}-journal").unlink(missing_ok=True)
    if (folder / FOLDER).exists():
        shutil.rmtree(folder / FOLDER)


def names_in(folder: Path) -> set[str]:
    """The names of what is in a folder."""
    return {path.name for path in folder.iterdir()}


def _refuse_occupied(target: Path) -> None:
    if target.is_symlink() or target.exists():
        if not target.is_dir():
            raise FileExistsError(f"{target} is in the way: it is no directory")
        if not names_in(target) <= NOTHING:
            raise FileExistsError(f"{target} is not empty: choose another directory")


def _rename(folder: Path, target: Path) -> None:
    folder.rename(target)
    sync_folder(target.parent)


def _fill(folder: Path, target: Path) -> None:
    """Moves all of it up, the log last: without it there is no data directory."""
    for name in names_in(folder) - {FILE}:
        (folder / name).rename(target / name)
    sync_folder(target)
    (folder / FILE).rename(target / FILE)
    folder.rmdir()
    sync_folder(target)
