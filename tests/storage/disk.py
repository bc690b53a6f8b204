"""A disk that can lose power, fail and fill up, under SQLite.

Files are real ones, so that the process sees what it wrote; beside them every operation is
recorded in order. What of it a loss of power leaves is computed from that record: what was synced,
and of the rest anything.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import pytest

from thalweg_server.storage import sqlite

SECTOR = 512
"""What a disk writes at once; the last write may be torn at its bounds, or anywhere."""


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes went to a file."""

    file: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Resize:
    """A file was cut."""

    file: str
    size: int


@dataclass(frozen=True, slots=True)
class Sync:
    """A file was synced, or that failed: then what was not synced may be lost for good."""

    file: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """A file was deleted."""

    file: str


@dataclass(frozen=True, slots=True)
class SyncFolder:
    """The directory was synced: what was deleted stays so."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that the test wants to find in the order of things."""

    what: str
    value: int


Operation = Write | Resize | Sync | Delete | SyncFolder | Mark


@dataclass(slots=True)
class Disk:
    """A record of what happened to files, and what is to go wrong.

    Attributes:
        before: what was on it at first.
        operations: in order.
        syncs_left: the sync after so many fails; None for none.
        writes_left: the write after so many finds no room; None for none.
    """

    before: dict[str, bytes] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    syncs_left: int | None = None
    writes_left: int | None = None

    def mark(self, what: str, value: int) -> None:
        """Notes something in the order of things; any thread."""
        self.operations.append(Mark(what, value))

    def after_crash(self, end: int, rng: random.Random) -> dict[str, bytes]:
        """What a loss of power after so many operations may leave: file to content."""
        files = {name: _File(bytearray(data)) for name, data in self.before.items()}
        for operation in self.operations[:end]:
            if isinstance(operation, SyncFolder):
                files = {name: file for name, file in files.items() if not file.deleted}
            elif isinstance(operation, Write | Resize):
                file = files.setdefault(operation.file, _File())
                file.pending.append(operation)
                file.deleted = False
            elif isinstance(operation, Sync) and operation.file in files:
                files[operation.file].settle(rng if operation.failed else None)
            elif isinstance(operation, Delete):
                files[operation.file].deleted = True
        files = {
            name: file for name, file in files.items() if not file.deleted or rng.random() < 0.5
        }
        for file in files.values():
            file.settle(rng)
        return {name: bytes(file.durable) for name, file in files.items()}

    def _count(self, name: str) -> bool:
        left = getattr(self, name)
        if left is not None and left >= 0:
            setattr(self, name, left - 1)
        return left == 0


@dataclass(slots=True)
class _File:
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Write | Resize] = field(default_factory=list)
    deleted: bool = False

    def settle(self, rng: random.Random | None) -> None:
        """Makes what was written durable, or, without power, whatever of it."""
        for operation in self.pending if rng is None else _survivors(self.pending, rng):
            if isinstance(operation, Resize):
                del self.durable[operation.size :]
                continue
            end = operation.offset + len(operation.data)
            self.durable.extend(bytes(max(0, end - len(self.durable))))
            self.durable[operation.offset : end] = operation.data
        self.pending.clear()


def _survivors(pending: list[Write | Resize], rng: random.Random) -> list[Write | Resize]:
    fate = rng.choice(("none", "all", "first", "some", "some"))
    if fate == "none" or not pending:
        return []
    kept = list(pending)
    if fate == "first":
        kept = kept[: rng.randint(1, len(kept))]
    elif fate == "some":
        kept = [each for each in kept if rng.random() < 0.5]
    if fate != "all" and kept and isinstance(last := kept[-1], Write):
        cut = rng.randint(0, len(last.data))
        if rng.random() < 0.5:
            cut -= cut % SECTOR
        kept[-1] = Write(last.file, last.offset, last.data[:cut])
    return kept


class DiskFile(apsw.VFSFile):
    """A real file, whose changes are recorded."""

    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        self._name = Path(name.filename() if isinstance(name, apsw.URIFilename) else name).name

    def xWrite(self, data: bytes, offset: int) -> None:
        """Writes, and records it before: a crash may come between."""
        if self._disk._count("writes_left"):
            raise apsw.FullError("the simulated disk is full")
        self._disk.operations.append(Write(self._name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        """Cuts."""
        self._disk.operations.append(Resize(self._name, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        """Records it; there is no need to bother the real disk."""
        failed = self._disk._count("syncs_left")
        self._disk.operations.append(Sync(self._name, failed))
        if failed:
            raise apsw.IOError("the simulated disk cannot sync")


class DiskVFS(apsw.VFS):
    """SQLite's way to the simulated disk."""

    def __init__(self, disk: Disk, name: str) -> None:
        self._disk = disk
        super().__init__(name, base="")

    def xOpen(self, name: Any, flags: list[int]) -> DiskFile:  # type: ignore[override]
        """Opens a file that is recorded."""
        return DiskFile(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        """Deletes."""
        super().xDelete(filename, syncdir)
        self._disk.operations.append(Delete(Path(filename).name))


@contextmanager
def mounted(disk: Disk, folder: Path) -> Iterator[str]:
    """Puts what is on a disk into a directory; yields the name of its VFS."""
    put(disk.before, folder)
    vfs = DiskVFS(disk, f"disk-{id(disk)}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "sync_folder", lambda _: disk.operations.append(SyncFolder()))
        try:
            yield f"disk-{id(disk)}"
        finally:
            vfs.unregister()


def put(files: dict[str, bytes], folder: Path) -> Path:
    """Writes files into a directory of their own."""
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder
