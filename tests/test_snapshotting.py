"""A forked child writes the snapshot; the server goes on, and outlives whatever becomes of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from river import base

from tests.histories import History, live, make_service, payloads
from tests.test_freezing import REGRESSORS, assert_same
from thalweg_server.core.events import Progress
from thalweg_server.core.freezing import freeze, thaw
from thalweg_server.core.observation import Flavor
from thalweg_server.core.service import Service
from thalweg_server.engines.compiled import CompiledEngine
from thalweg_server.engines.compiled.cache import KernelCache
from thalweg_server.engines.compiled.fleet import Fleets
from thalweg_server.engines.river import RiverEngine
from thalweg_server.snapshotting import Result, Snapshotter
from thalweg_server.storage.snapshots import Snapshots

pytestmark = pytest.mark.timeout(300)

NOW = Progress(3, 0, 2)

Write = Callable[[Progress, Path | None], Path]


@pytest.fixture
def results() -> list[Result]:
    """What was told."""
    return []


@pytest.fixture
def make(results: list[Result]) -> Iterator[Callable[..., Snapshotter]]:
    """Makes snapshotters; closes them after the test."""
    made: list[Snapshotter] = []

    def snapshotter(write: Write, **settings: Any) -> Snapshotter:
        made.append(Snapshotter(write, results.append, **settings))
        return made[-1]

    yield snapshotter
    for each in made:
        each.close()


@pytest.fixture
def busy_threads() -> Iterator[None]:
    """Threads that compute and take locks all the time."""
    stop, lock = threading.Event(), threading.Lock()

    def work() -> None:
        while not stop.is_set():
            with lock:
                sum(range(500))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    yield
    stop.set()
    for thread in threads:
        thread.join()


def service_of(kernels: KernelCache) -> Service:
    """Of the compiled engine, without models."""
    return make_service(CompiledEngine(RiverEngine(), Fleets(kernels)))


def writer(service: Service, snapshots: Snapshots) -> Write:
    """What the server has a child do."""
    return lambda progress, previous: snapshots.write(
        progress, lambda sink: freeze(service, sink), previous, created=1.0
    )


def test_a_child_writes_the_state_of_the_fork_while_the_server_learns(
    kernels: KernelCache,
    tmp_path: Path,
    make: Callable[..., Snapshotter],
    results: list[Result],
    busy_threads: None,
) -> None:
    """What is learned meanwhile is not in it; learning that again leads to the same."""
    service, snapshots = service_of(kernels), Snapshots(tmp_path, {})
    service.init(Flavor.REGRESSION, reset=False)
    history = History(Flavor.REGRESSION, payloads(*(each() for each in REGRESSORS)), 5)
    live(service, history.steps(80))
    snapshotter = make(writer(service, snapshots))
    for event in (10, 20):
        assert snapshotter.take(Progress(event + 1, 0, event))
        assert not snapshotter.take(NOW), "one at a time"
        meanwhile = history.steps(30)
        outcomes = live(service, meanwhile)
        snapshotter.wait()
        result = results[-1]
        assert result.error == ""
        assert result.path == snapshotter.previous == snapshots.newest()[0]
        assert result.progress == Progress(event + 1, 0, event)
        assert result.size_bytes == result.path.stat().st_size
        assert 0 < result.hold_seconds <= snapshotter.hold_seconds_max < result.seconds
        thawed = service_of(kernels)
        thaw(thawed, snapshots.open(result.path)[1])
        assert live(thawed, meanwhile) == outcomes
        assert_same(service, thawed)
    assert len(results) == 2


class Nested(base.Regressor):
    """As deep as trees become that learn a date."""

    def __init__(self, depth: int = 0) -> None:
        self.depth = depth
        self.inner: Any = None
        for _ in range(depth):
            self.inner = [self.inner]

    def learn_one(self, x: Any, y: Any) -> None:
        """Learn nothing."""

    def predict_one(self, x: Any) -> float:
        """Answer nothing in particular."""
        return 1.0


def test_a_child_gets_to_the_bottom_of_a_deep_estimator(
    tmp_path: Path, make: Callable[..., Snapshotter], results: list[Result]
) -> None:
    """Pickling it in a thread of the usual size raises RecursionError."""
    engine, snapshots = RiverEngine(), Snapshots(tmp_path, {})
    slot = engine.adopt(Nested(5_000), Flavor.REGRESSION, ())

    def write(progress: Progress, previous: Path | None) -> Path:
        return snapshots.write(progress, engine.freeze, previous, created=1.0)

    with pytest.raises(Exception, match="RecursionError"):
        write(NOW, None)
    assert list(snapshots.folder.iterdir()) == []
    make(write).take(NOW)
    assert _told(results).error == ""
    thawed = RiverEngine()
    thawed.thaw(snapshots.open(snapshots.newest()[0])[1])
    inner, depth = thawed.estimator(slot).inner, 0
    while inner is not None:
        (inner,), depth = inner, depth + 1
    assert depth == 5_000


def test_what_a_child_raises_is_told(
    make: Callable[..., Snapshotter], results: list[Result]
) -> None:
    """And the next one may be better."""

    def fail(progress: Progress, previous: Path | None) -> Path:
        raise OSError(28, "No space left on device")

    snapshotter = make(fail)
    for _ in range(2):
        assert snapshotter.take(NOW)
        snapshotter.wait()
    assert [result.error for result in results] == [
        "OSError: [Errno 28] No space left on device"
    ] * 2
    assert [result.path for result in results] == [None, None]


def test_a_child_that_is_killed_is_told(
    make: Callable[..., Snapshotter], results: list[Result]
) -> None:
    """As where the memory ends."""

    def die(progress: Progress, previous: Path | None) -> Path:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    make(die).take(NOW)
    assert _told(results).error == "the process that wrote it was killed by signal 9"


def hang(progress: Progress, previous: Path | None) -> Path:
    """Never ends."""
    while True:
        time.sleep(60)


def test_a_child_that_hangs_is_killed(
    make: Callable[..., Snapshotter], results: list[Result]
) -> None:
    """After its time."""
    before = _children()
    make(hang, seconds_max=0.2).take(NOW)
    assert _told(results).error == "it was not written within 0.2 seconds"
    assert not {*_children()} - {*before}


def test_a_server_that_stops_gives_its_child_up(
    make: Callable[..., Snapshotter], results: list[Result]
) -> None:
    """And takes no snapshots any more."""
    before = _children()
    snapshotter = make(hang)
    snapshotter.take(NOW)
    snapshotter.close()
    snapshotter.close()
    assert [result.error for result in results] == ["the server stops"]
    assert not {*_children()} - {*before}
    assert not snapshotter.take(NOW)


def test_a_fork_that_fails_is_told(
    make: Callable[..., Snapshotter], results: list[Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server goes on without."""

    def fail() -> int:
        raise OSError(12, "Cannot allocate memory")

    files = len(_files())
    monkeypatch.setattr(os, "fork", fail)
    assert not make(hang).take(NOW)
    assert results[0].error == "cannot fork: Cannot allocate memory"
    assert len(_files()) == files


def test_a_child_holds_no_ports_and_no_handlers(
    tmp_path: Path, make: Callable[..., Snapshotter], results: list[Result]
) -> None:
    """A server that is started anew finds its port free."""

    def look(progress: Progress, previous: Path | None) -> Path:
        files = [each for each in _files() if "/" in each or "socket" in each]
        handlers = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]
        (tmp_path / "seen").write_text(f"{files} {handlers == [signal.SIG_DFL] * 2}")
        return tmp_path / "seen"

    with (tmp_path / "open").open("w"):
        make(look).take(NOW)
        assert _told(results).error == ""
    files, handlers = (tmp_path / "seen").read_text().rsplit(" ", 1)
    assert handlers == "True"
    assert str(tmp_path) not in files
    assert "socket" not in files


PARENT = """
import os, sys, time
from pathlib import Path
from thalweg_server.core.events import Progress
from thalweg_server.snapshotting import Snapshotter

def hang(progress, previous):
    print(os.getpid(), flush=True)
    time.sleep(60)

Snapshotter(hang, print).take(Progress())
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills children with their parent")
def test_a_child_dies_with_its_server() -> None:
    """Else it would write into the next server's folder."""
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert _lives(child)
        parent.kill()
    for _ in range(100):
        if not _lives(child):
            return
        time.sleep(0.05)
    pytest.fail("it lives on")


def _files() -> list[str]:
    """What this process has open."""
    found = []
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the folder's own
            found.append(str(each.readlink()))
    return found


def _told(results: list[Result]) -> Result:
    for _ in range(2_000):
        if results:
            return results[0]
        time.sleep(0.01)
    raise AssertionError("nothing was told")


def _children() -> list[int]:
    found: list[str] = []
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # of a thread that has just ended
            found += (task / "children").read_text().split()
    return [int(number) for number in found if _lives(number)]


def _lives(process: int | str) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


def test_a_server_that_stops_while_a_snapshot_begins_waits_for_it(
    make: Callable[..., Snapshotter], results: list[Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the fork and the thread that watches the child."""
    begun, start = threading.Event(), threading.Thread.start

    def slow(self: threading.Thread) -> None:
        if self.name == "thalweg-snapshot":
            begun.set()
            time.sleep(0.2)
        start(self)

    monkeypatch.setattr(threading.Thread, "start", slow)
    snapshotter = make(hang)
    over = threading.Event()  # a child ends with the thread that forked it
    taking = threading.Thread(target=lambda: (snapshotter.take(NOW), over.wait(30)))
    taking.start()
    assert begun.wait(30)
    snapshotter.close()
    over.set()
    assert [each.error for each in results] == ["the server stops"]
    taking.join()
    assert not snapshotter.take(NOW)
