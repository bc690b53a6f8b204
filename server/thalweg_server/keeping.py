"""When a snapshot is due, and what the log may forget behind it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from thalweg_server.core.events import Progress
from thalweg_server.core.freezing import freeze
from thalweg_server.core.service import Service
from thalweg_server.core.storing import Store
from thalweg_server.logs import log
from thalweg_server.models_thread import ModelsThread
from thalweg_server.snapshotting import Result, Snapshotter
from thalweg_server.storage.snapshots import Snapshots
from thalweg_server.telemetry import Snapshot

KEPT = 2
"""Snapshots that are kept, with the log behind the older one: the newer may rot."""

LOOK_SECONDS = 1.0
"""How often it is asked whether one is due."""


class Keeper:
    """Takes snapshots of a service as it learns.

    One is due after so much learning, for a restart would have to repeat that.

    Args:
        service: what is kept.
        store: its log.
        snapshots: where they go.
        previous: what the service began with, if anything.
        learning_seconds: of learning, after which one is due.
        pause_seconds: between two of them, at least.

    Attributes:
        newest: the last one that was finished.
        failures: that failed, since the start.
    """

    def __init__(
        self,
        service: Service,
        store: Store,
        snapshots: Snapshots,
        *,
        previous: Path | None,
        learning_seconds: float,
        pause_seconds: float,
    ) -> None:
        self._service = service
        self._store = store
        self._snapshots = snapshots
        self._learning_seconds = learning_seconds
        self._pause_seconds = pause_seconds
        self._snapshotter = Snapshotter(self._write, self._done, previous=previous)
        self._learned = 0.0 if previous is None else service.tempo.learned_seconds
        self._taken = time.monotonic() - pause_seconds
        self.newest = None if previous is None else self._described(previous, None)
        self.failures = 0
        snapshots.prune(KEPT)

    @property
    def due(self) -> bool:
        """Whether a restart would take long, and the last one is a while ago."""
        learned = self._service.tempo.learned_seconds - self._learned
        rested = time.monotonic() - self._taken >= self._pause_seconds
        return rested and learned >= self._learning_seconds and not self._snapshotter.busy

    async def run(self, models_thread: ModelsThread) -> None:
        """Looks again and again until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self.due:
                await models_thread.slice(self.take)

    def take(self) -> None:
        """Begins a snapshot. The models' thread."""
        self._taken = time.monotonic()
        self._learned = self._service.tempo.learned_seconds
        self._snapshotter.take(self._service.backlog.progress)

    def close(self) -> None:
        """Gives up what is under way; idempotent."""
        self._snapshotter.close()

    def _write(self, progress: Progress, previous: Path | None) -> Path:
        return self._snapshots.write(
            progress,
            lambda sink: freeze(self._service, sink),
            previous,
            created=time.time(),
        )

    def _done(self, result: Result) -> None:
        """The snapshotter's thread."""
        kept = self._snapshots.prune(KEPT)
        if result.path is None:
            self.failures += 1
            log().error("snapshot failed", reason=result.error, log="left as it is")
            return
        self.newest = self._described(result.path, result.seconds)
        log().info(
            "snapshot written",
            file=result.path.name,
            size_bytes=result.size_bytes,
            seconds=round(result.seconds, 3),
            hold_seconds=round(result.hold_seconds, 4),
        )
        if len(kept) == KEPT:
            self._store.truncate(self._snapshots.progress(kept[-1]).batch)

    def _described(self, path: Path, seconds: float | None) -> Snapshot:
        stat = path.stat()
        start = self._snapshots.progress(path).batch
        return Snapshot(start=start, at=stat.st_mtime, size_bytes=stat.st_size, seconds=seconds)
