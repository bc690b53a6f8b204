"""Snapshots on disk: a file each, whole or not there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from thalweg_server.core.events import Progress
from thalweg_server.core.storing import Sink
from thalweg_server.storage.lock import sync_folder
from thalweg_server.storage.manifest import name_of, progress_of
from thalweg_server.storage.snapshot_sink import SnapshotSink
from thalweg_server.storage.snapshot_source import SnapshotSource

FOLDER = "snapshots"

UNFINISHED = ".unfinished-"
"""How the name of a file begins that is being written, or was when its writer died."""


class Snapshots:
    """The snapshots of a data directory, each named by how far the log is applied in it.

    What they hold is unpickled: whoever can write to the folder can have the server run anything.

    Args:
        folder: the data directory; they are in `snapshots/`.
        versions: of all that writes and reads state; a snapshot of others is not opened.
    """

    def __init__(self, folder: Path, versions: Mapping[str, str]) -> None:
        self.folder = folder / FOLDER
        self._versions = dict(versions)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(
        self,
        progress: Progress,
        freeze: Callable[[Sink], None],
        previous: Path | None,
        *,
        created: float,
    ) -> Path:
        """Writes a snapshot, reads it back, and only then gives it its name.

        One at a time. Nothing is left behind where anything raises; what a writer that was killed
        has left goes first, for the disk may have no room for both.

        Args:
            progress: how far the log is applied.
            freeze: writes the state.
            previous: what this state came from: the snapshot that the server began with, or the
                last that it wrote since. Dumps of the same name and version are copied out of
                it, and in another one they may be something else.
            created: the time, in seconds since the epoch.

        Raises:
            CorruptStorage: it is not on the disk as it was written.
            OSError: the disk is full, or has failed.
        """
        path = self.folder / name_of(progress)
        unfinished = self.folder / f"{UNFINISHED}{path.name}"
        self._sweep()
        try:
            with (
                unfinished.open("wb") as file,
                contextlib.closing(SnapshotSink(file, _source(previous))) as sink,
            ):
                freeze(sink)
                sink.finish(progress, self._versions, created)
                file.flush()
                os.fsync(file.fileno())
                _forget(file.fileno())
            self.verify(unfinished)
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
        sync_folder(self.folder)
        return path

    def verify(self, path: Path) -> None:
        """Reads all of it; raises CorruptStorage, which names the file and what is wrong."""
        SnapshotSource(path).verify()

    def newest(self) -> list[Path]:
        """All there are, the newest first."""
        found = [(progress_of(path), path) for path in self.folder.glob("*.zip")]
        named = [(_order(progress), path) for progress, path in found if progress is not None]
        return [path for _, path in sorted(named, reverse=True)]

    def open(self, path: Path) -> tuple[Progress, SnapshotSource]:
        """How far the log is applied in a snapshot, and its parts.

        A part is checked when it is asked for, and that may raise CorruptStorage, too.

        Raises:
            OtherVersion: it is whole, but not of the versions here.
            CorruptStorage: it is damaged.
        """
        source = SnapshotSource(path)
        source.manifest.check_versions(path, self._versions)
        return source.manifest.progress, source

    def progress(self, path: Path) -> Progress:
        """How far the log is applied in a snapshot, by its name."""
        progress = progress_of(path)
        assert progress is not None, path
        return progress

    def prune(self, keep: int = 2) -> list[Path]:
        """Deletes all but the newest, and what interrupted writers have left.

        Not while one is being written. Returns those that are kept, the newest first.
        """
        kept = self.newest()
        for path in kept[keep:]:
            path.unlink(missing_ok=True)
        self._sweep()
        sync_folder(self.folder)
        return kept[:keep]

    def _sweep(self) -> None:
        """Deletes what interrupted writers have left."""
        for path in self.folder.glob(f"{UNFINISHED}*"):
            path.unlink(missing_ok=True)


def _order(progress: Progress) -> tuple[int, int, int]:
    return progress.batch, progress.row, progress.event


def _source(path: Path | None) -> SnapshotSource | None:
    if path is not None:
        with contextlib.suppress(Exception):  # then nothing is copied out of it
            return SnapshotSource(path)
    return None


def _forget(file: int) -> None:
    """Has the system forget a file's pages, so that it is the disk that is read next."""
    if hasattr(os, "posix_fadvise"):
        with contextlib.suppress(OSError):
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
