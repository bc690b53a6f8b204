"""Bringing a server back to where its event log ends: the newest good snapshot, then the log."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from pathlib import Path

from thalweg_server.core.errors import CorruptStorage
from thalweg_server.core.events import Progress
from thalweg_server.core.freezing import thaw
from thalweg_server.core.ports import NotReady
from thalweg_server.core.replay import Replay
from thalweg_server.core.service import Service
from thalweg_server.core.storing import Source, Store
from thalweg_server.logs import log
from thalweg_server.storage.snapshots import Snapshots


@dataclass(frozen=True, slots=True)
class Recovered:
    """How a server came back.

    Args:
        snapshot: what it began with, if there was one.
        entries: entries of the log behind that.
        seconds: how long it took.
    """

    snapshot: Path | None
    entries: int
    seconds: float


def recover(service: Service, store: Store, snapshots: Snapshots) -> Recovered:
    """Fills an empty service. Raises CorruptStorage: the server must not start.

    A snapshot is a cache: one that is damaged or of another version is passed over for an older
    one, or for the log alone where that is whole.
    """
    start = time.perf_counter()
    gc.disable()  # what comes back stays: collections would only go over it again and again
    try:
        snapshot, progress, problems = _begin(service, snapshots)
    finally:
        gc.freeze()
        gc.enable()
    replay = Replay(service, progress)
    try:
        replay.run(store.entries(progress.batch))
    except CorruptStorage as problem:
        if not problems:
            raise
        raise CorruptStorage(f"{problem} And its snapshots do not help: {problems[0]}") from problem
    return Recovered(snapshot, replay.entries, time.perf_counter() - start)


def _begin(
    service: Service, snapshots: Snapshots
) -> tuple[Path | None, Progress, list[CorruptStorage]]:
    problems: list[CorruptStorage] = []
    for path in snapshots.newest():
        try:
            progress, source = snapshots.open(path)
            snapshots.verify(path)  # whole: there is no way back from half a state
        except CorruptStorage as problem:
            log().warning("snapshot passed over", reason=str(problem))
            problems.append(problem)
            continue
        _thaw(service, source)
        return path, progress, problems
    return None, Progress(), problems


def _thaw(service: Service, source: Source) -> None:
    while True:
        try:
            thaw(service, source)
        except NotReady as making:
            making.wait()
        else:
            return
