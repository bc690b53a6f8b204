"""Whether a data directory is whole: its log, its snapshots, and the two together.

Nothing is unpickled, so nothing that is stored can run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from thalweg_server.core.errors import CorruptStorage
from thalweg_server.core.events import Progress
from thalweg_server.storage.log_checking import LogFindings, check_log
from thalweg_server.storage.manifest import OtherVersion, progress_of
from thalweg_server.storage.snapshot_source import SnapshotSource
from thalweg_server.storage.viewing import need_log, need_of, snapshots_of, stamp, viewed

LOOKS_MAX = 3
"""Damage that is found while a server changes the files is looked for so often."""


class State(StrEnum):
    """What a snapshot is good for."""

    WHOLE = "whole"
    OTHER_VERSION = "other version"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFindings:
    """What was found of a snapshot.

    Args:
        path: its file.
        progress: how far the log is applied in it, by its name.
        size_bytes: of the file.
        created: when, in seconds since the epoch; None where that cannot be read.
        state: whether it is whole, and was written with the versions here.
        remark: what is wrong with it, or not the same.
    """

    path: Path
    progress: Progress
    size_bytes: int
    created: float | None
    state: State
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was found of a data directory.

    Args:
        folder: the directory.
        log: what there is of its log.
        snapshots: the newest first.
        damages: what is wrong, each in one line with the file and the place; none of whole ones.
    """

    folder: Path
    log: LogFindings
    snapshots: Sequence[SnapshotFindings]
    damages: Sequence[str]

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.damages


def check(folder: Path, versions: Mapping[str, str]) -> Findings:
    """Reads all of a directory and changes nothing, whether a server uses it or not.

    Args:
        folder: the data directory.
        versions: of all that would read its snapshots here. One of others is no damage.

    Raises:
        CorruptStorage: there is no log where there must be one.
        OSError: it is no data directory, or cannot be read.
    """
    for _ in range(LOOKS_MAX):
        before = stamp(folder)
        findings = _check(folder, versions)
        if findings.whole or stamp(folder) == before:
            break
    return findings


def _check(folder: Path, versions: Mapping[str, str]) -> Findings:
    file = need_log(folder)
    # Listed before the log is read, none of them is ahead of it.
    paths = snapshots_of(folder)
    try:
        with viewed(file) as connection:
            # Before the log, which takes longest: a server deletes old ones.
            snapshots = _check_snapshots(paths, versions)
            log, damages = check_log(connection, file)
    except CorruptStorage as problem:
        log, damages = LogFindings(file=file), [str(problem)]
        snapshots = _check_snapshots(paths, versions)
    damages += [each.remark for each in snapshots if each.state is State.DAMAGED]
    damages += _misfits(folder, log, snapshots)
    return Findings(folder=folder, log=log, snapshots=snapshots, damages=damages)


def _check_snapshots(paths: Sequence[Path], versions: Mapping[str, str]) -> list[SnapshotFindings]:
    found = (check_snapshot(path, versions) for path in paths)
    return [each for each in found if each is not None]


def check_snapshot(path: Path, versions: Mapping[str, str]) -> SnapshotFindings | None:
    """Reads all of a snapshot; None where the server has deleted it."""
    progress = progress_of(path)
    assert progress is not None, path
    created, state, remark, size_bytes = None, State.WHOLE, "", 0
    try:
        size_bytes = path.stat().st_size
        source = SnapshotSource(path)
        created = source.manifest.created
        source.verify()
        if source.manifest.progress != progress:
            raise CorruptStorage(f"snapshot {path} is damaged: it is of another moment than named")
        source.manifest.check_versions(path, versions)
    except OtherVersion as problem:
        state, remark = State.OTHER_VERSION, str(problem)
    except (CorruptStorage, FileNotFoundError) as problem:
        if not path.exists():
            return None
        state, remark = State.DAMAGED, str(problem)
    return SnapshotFindings(
        path=path,
        progress=progress,
        size_bytes=size_bytes,
        created=created,
        state=state,
        remark=remark,
    )


def _misfits(folder: Path, log: LogFindings, snapshots: Sequence[SnapshotFindings]) -> list[str]:
    """Why no server could start from log and snapshots, however whole each of them is."""
    if log.first is None or log.next is None:  # there is worse to be told of this log
        return []
    good = [each for each in snapshots if each.state is not State.DAMAGED]
    misfits = [
        f"snapshot {each.path} is ahead of the log: {log.file} ends before position {log.next}"
        for each in good
        if each.progress.batch > log.next or each.progress.event >= log.next
    ]
    if log.first > 1 and not any(need_of(each.path) >= log.first for each in good):
        misfits.append(
            f"{folder} cannot be recovered: {log.file} begins at position {log.first}, and there "
            "is no whole snapshot of what was before; restore the directory from a backup"
        )
    return misfits
