"""The event log and its snapshots as Prometheus sees them, over real files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tests.scraping import Samples, mean, read, upload, value
from tests.storage.samples import PROGRESS, streamed
from thalweg_server.core.limits import Limits
from thalweg_server.core.observation import NO_DAY, Batch, Flavor, Names
from thalweg_server.core.service import Service
from thalweg_server.core.storing import Sink
from thalweg_server.engines.river import RiverEngine
from thalweg_server.keeping import Keeper
from thalweg_server.recovery import recover
from thalweg_server.storage.log import LogFile
from thalweg_server.storage.logged import LoggedStore
from thalweg_server.storage.snapshots import Snapshots
from thalweg_server.storage.sqlite import SqliteStore
from thalweg_server.telemetry import Durability, Telemetry

LAG = "thalweg_durability_lag_seconds"
COMMITS = "thalweg_log_commit_duration_seconds"
ENTRIES = "thalweg_log_entries_since_snapshot"
SECONDS_MAX = 30.0

ROW = Batch(
    names=Names(["item"]),
    index=np.zeros(1, np.int32),
    days=np.full(1, NO_DAY, np.int32),
    targets=np.ones(1),
    rows=[{}],
)


class SlowLog(LogFile):
    """A log on a disk that takes its time: nothing is committed before it is told to."""

    def __init__(self, file: Path) -> None:
        super().__init__(file)
        self.told = threading.Semaphore(0)

    def commit(self) -> None:
        """See `LogFile`."""
        if self.staged:
            assert self.told.acquire(timeout=SECONDS_MAX)
        super().commit()


class Unwritable(RiverEngine):
    """Cannot be written while it is told so."""

    broken = False

    def freeze(self, sink: Sink) -> None:
        """See `Engine`."""
        if self.broken:
            raise OSError("no space left on device")
        super().freeze(sink)


@contextmanager
def running(folder: Path) -> Iterator[tuple[Service, Keeper, Callable[[], Samples]]]:
    """A service on a data directory, what keeps it, and its page."""
    store = SqliteStore(folder)
    service = Service(engine=Unwritable(), store=store, limits=Limits(), clock=lambda: 0.0)
    snapshots = Snapshots(folder, {"thalweg": "1"})
    recovered = recover(service, store, snapshots)
    keeper = Keeper(
        service,
        store,
        snapshots,
        previous=recovered.snapshot,
        learning_seconds=0.0,
        pause_seconds=0.0,
    )
    telemetry = Telemetry(service)
    telemetry.add(Durability(store, keeper))
    try:
        yield service, keeper, lambda: read(telemetry)
    finally:
        keeper.close()
        store.close()


def taken(keeper: Keeper) -> None:
    """Takes a snapshot, and waits for it."""
    keeper.take()
    keeper._snapshotter.wait()


class Unkept:
    """No snapshots."""

    newest = None
    failures = 0


def test_the_lag_is_how_long_the_oldest_change_has_been_waiting(tmp_path: Path) -> None:
    """From when it was given to the log until it is durable; 0 where nothing waits."""
    log = SlowLog(tmp_path / "log.sqlite")
    store = LoggedStore(log, lambda _: None)
    durable = threading.Semaphore(0)
    telemetry = Telemetry(
        Service(engine=RiverEngine(), store=store, limits=Limits(), clock=lambda: 0.0)
    )
    telemetry.add(Durability(store, Unkept()))

    def lag() -> float:
        return value(read(telemetry), LAG) or 0.0

    assert value(read(telemetry), LAG) == 0.0
    begun = time.perf_counter()
    store.submit(streamed(1), lambda _: durable.release())
    time.sleep(0.1)
    store.submit(streamed(2), lambda _: durable.release())
    low = lag()
    assert 0.1 <= low <= time.perf_counter() - begun
    assert lag() > low
    log.told.release()
    assert durable.acquire(timeout=SECONDS_MAX)
    between = time.perf_counter()
    assert lag() < between - begun, "the younger one's"
    log.told.release()
    assert durable.acquire(timeout=SECONDS_MAX)
    assert value(read(telemetry), LAG) == 0.0
    samples = read(telemetry)
    assert value(samples, f"{COMMITS}_count") == 2
    assert (value(samples, f"{COMMITS}_sum") or 0.0) >= 0.1
    store.close()


def test_what_cannot_become_durable_does_not_wait_for_ever(tmp_path: Path) -> None:
    """A log that has failed keeps nobody waiting."""

    class Failing(LogFile):
        def commit(self) -> None:
            raise OSError("the disk is gone")

    store = LoggedStore(Failing(tmp_path / "log.sqlite"), lambda _: None)
    for number in (1, 2):
        told: list[int | None] = []
        done = threading.Event()
        store.submit(streamed(number), lambda p, t=told, d=done: (t.append(p), d.set()))  # type: ignore[misc]
        assert done.wait(SECONDS_MAX)
        assert told == [None]
    assert store.lag_seconds == 0.0
    assert store.commits.counts[-1] == 0
    store.close()


def test_a_commit_of_nothing_is_none(tmp_path: Path) -> None:
    """What is deleted behind a snapshot is no commit of the log, nor is its end."""
    store = SqliteStore(tmp_path)
    store.append([streamed(1), streamed(2)], PROGRESS)
    store.truncate(2)
    store.append([streamed(3)], PROGRESS)
    assert store.last == 3
    store.close()
    assert store.commits.counts[-1] == 2


def test_snapshots_are_told_with_what_a_restart_would_replay(tmp_path: Path) -> None:
    """Each newer one brings the entries to replay down; its time is that of the wall clock."""
    with running(tmp_path) as (service, keeper, page):
        service.init(Flavor.REGRESSION, reset=False)
        upload(service, "item", "mean", mean())
        samples = page()
        assert value(samples, ENTRIES) == 2
        assert not [name for name, _ in samples if name.startswith("thalweg_snapshot_t")]
        begun = time.time()
        taken(keeper)
        samples = page()
        assert value(samples, ENTRIES) == 0
        assert begun - 0.1 <= (value(samples, "thalweg_snapshot_timestamp_seconds") or 0.0)
        assert 0 < (value(samples, "thalweg_snapshot_duration_seconds") or 0.0) < SECONDS_MAX
        [path] = (tmp_path / "snapshots").glob("*.zip")
        assert value(samples, "thalweg_snapshot_size_bytes") == path.stat().st_size
        upload(service, "other", "mean", mean())
        assert value(page(), ENTRIES) == 1
    with running(tmp_path) as (_, _, page):
        again = page()
        kept = ("thalweg_snapshot_timestamp_seconds", "thalweg_snapshot_size_bytes")
        assert [value(again, name) for name in kept] == [value(samples, name) for name in kept]
        assert value(again, "thalweg_snapshot_duration_seconds") is None
        assert value(again, ENTRIES) == 1


def test_snapshots_that_fail_are_counted(tmp_path: Path) -> None:
    """And the one before stays the newest."""
    name = "thalweg_snapshot_failures_total"
    with running(tmp_path) as (service, keeper, page):
        service.init(Flavor.REGRESSION, reset=False)
        upload(service, "item", "mean", mean())
        taken(keeper)
        before = page()
        assert value(before, name) == 0
        service.engine.broken = True  # type: ignore[attr-defined]
        taken(keeper)
        assert value(page(), name) == 1
        each = "thalweg_snapshot_timestamp_seconds"
        assert value(page(), each) == value(before, each)


def test_replaying_the_log_does_not_pretend_that_learning_happened_now(tmp_path: Path) -> None:
    """The last row is as old as it was, whether a snapshot or the log tells of it."""
    at = 1.7e9 + 0.5
    name = "thalweg_last_learned_timestamp_seconds"
    with running(tmp_path) as (service, _, page):
        service.init(Flavor.REGRESSION, reset=False)
        upload(service, "item", "mean", mean())
        [_] = service.schooling.learn_together([ROW], at)
        assert value(page(), name) == at
    with running(tmp_path) as (_, keeper, page):
        assert value(page(), name) == at
        taken(keeper)
    with running(tmp_path) as (_, _, page):
        assert value(page(), ENTRIES) == 0
        assert value(page(), name) == at
