"""A consistent copy of a data directory, of a server that runs or of none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from thalweg_server.core.errors import CorruptStorage
from thalweg_server.storage.checking import Findings, State, check, check_snapshot
from thalweg_server.storage.lock import sync_folder
from thalweg_server.storage.placing import empty, placed
from thalweg_server.storage.schema import read_bounds, reading
from thalweg_server.storage.snapshots import FOLDER
from thalweg_server.storage.sqlite import FILE
from thalweg_server.storage.viewing import need_log, need_of, snapshots_of, viewed

PAGES_AT_ONCE = 1_000
"""Copied between two reports: 4 MB."""

SNAPSHOTS_MAX = 2
"""Copied, as many as a server keeps: the newer may rot."""

ATTEMPTS_MAX = 3
"""A server takes a minute at least between two snapshots; copying one takes seconds."""

Report = Callable[[int, int | None], None]
"""Takes the pages of the log that are copied, and all."""


@dataclass(frozen=True, slots=True)
class Copied:
    """A copy that is whole.

    Args:
        findings: of the copy, under the name that it had while it was made.
        passed_over: snapshots of the original that are damaged and were not needed, a line each.
    """

    findings: Findings
    passed_over: Sequence[str]


def copy_directory(
    source: Path, target: Path, versions: Mapping[str, str], report: Report
) -> Copied:
    """Copies a data directory at one point of its log, reads the copy, and only then names it.

    Nothing is left behind where anything raises.

    Args:
        source: the data directory; it is not changed, and may be in use.
        target: missing or empty.
        versions: of all that would read its snapshots here.
        report: gets the progress.

    Raises:
        CorruptStorage: what is copied is damaged.
        DirectoryInUse: a server, or another copy, has the target.
        OSError: the target is not empty or cannot be written, or the source is no such directory.
    """
    need_log(source)
    with placed(target) as folder:
        for _ in range(ATTEMPTS_MAX):
            passed_over = _copy(source, folder, versions, report)
            findings = check(folder, versions)
            if findings.whole:
                return Copied(findings, passed_over)
            empty(folder)
            # A server that has just begun to write may have spoilt the copy; damage is there still.
            if damages := check(source, versions).damages:
                raise CorruptStorage(damages[0])
        raise CorruptStorage(f"the copy is not what was read: {findings.damages[0]}")


def _copy(source: Path, folder: Path, versions: Mapping[str, str], report: Report) -> list[str]:
    """Copies snapshots, then the log; returns what is wrong with those passed over.

    In this order no snapshot is ahead of the log. In return the log may have lost its beginning
    when its turn comes, for a server deletes what is before the older of its two snapshots. Then
    these are newer than those here, and are copied in their place. Whether they are needed is
    known before the log is copied, and it does not change while it is.
    """
    for _ in range(ATTEMPTS_MAX):
        copies, passed_over = _copy_snapshots(source, folder, versions)
        with viewed(source / FILE) as connection:
            first = read_bounds(connection, source / FILE).first
            reached = [path for path in copies if need_of(path) >= first]
            if reached or first == 1:
                _copy_log(connection, folder / FILE, report)
                break
        empty(folder)
    else:
        raise CorruptStorage(
            f"{source} cannot be recovered: its log begins at position {first}, and there is no "
            "whole snapshot of what was before"
        )
    for path in copies:
        if path not in reached:
            path.unlink()
    files = [folder / FILE, *reached]
    _sync(folder, files)
    return passed_over


def _copy_snapshots(
    source: Path, folder: Path, versions: Mapping[str, str]
) -> tuple[list[Path], list[str]]:
    """Copies the newest that are whole; returns the copies, and what is wrong with others."""
    copies: list[Path] = []
    passed_over: list[str] = []
    (folder / FOLDER).mkdir(mode=0o700)
    for path in snapshots_of(source):
        if len(copies) == SNAPSHOTS_MAX:
            break
        found = check_snapshot(path, versions)
        if found is not None and found.state is State.DAMAGED:
            passed_over.append(found.remark)
        elif found is not None:
            copy = folder / FOLDER / path.name
            try:
                shutil.copyfile(path, copy)
            except FileNotFoundError:  # the server has deleted it
                continue
            copies.append(copy)
    return copies, passed_over


def _copy_log(source: apsw.Connection, file: Path, report: Report) -> None:
    """Copies what the connection's transaction sees, however much is written meanwhile."""
    with reading(file):
        target = apsw.Connection(str(file))
        try:
            # It is synced once, at the end, and thrown away where that is not reached.
            target.execute("PRAGMA journal_mode=OFF").fetchall()
            target.execute("PRAGMA synchronous=OFF")
            with target.backup("main", source, "main") as backup:
                while not backup.done:
                    backup.step(PAGES_AT_ONCE)
                    report(backup.page_count - backup.remaining, backup.page_count)
        finally:
            target.close()


def _sync(folder: Path, files: Sequence[Path]) -> None:
    """Has the disk know all of it, and the system forget it: what is checked is on the disk."""
    for path in files:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
    sync_folder(folder / FOLDER)
    sync_folder(folder)
