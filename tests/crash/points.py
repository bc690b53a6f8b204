"""The moments at which a server can be told to die, each by its name."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import apsw

from thalweg_server.core.schooling import Schooling
from thalweg_server.storage.log import LogFile
from thalweg_server.storage.snapshot_sink import SnapshotSink
from thalweg_server.storage.sqlite import SqliteStore

Due = Callable[[], bool]
"""Says whether this is the time, and counts."""


def install(point: str, nth: int) -> None:
    """Has this process die at a point, or fail, when it comes there for the n-th time."""
    lock, passed, process = threading.Lock(), 0, os.getpid()

    def due() -> bool:
        nonlocal passed
        with lock:
            passed += 1
            return passed == nth

    def die() -> NoReturn:
        os.write(2, f"died at {point}\n".encode())
        os.kill(process, signal.SIGKILL)
        while True:  # a forked child is taken along
            time.sleep(1)

    POINTS[point](due, die)


def _before_commit(due: Due, die: Callable[[], NoReturn]) -> None:
    commit = LogFile.commit

    def dying(self: LogFile) -> None:
        if self.staged and due():
            die()
        commit(self)

    LogFile.commit = dying  # type: ignore[method-assign]


def _after_commit(due: Due, die: Callable[[], NoReturn]) -> None:
    commit = LogFile.commit

    def dying(self: LogFile) -> None:
        staged = self.staged
        commit(self)
        if staged and due():
            die()

    LogFile.commit = dying  # type: ignore[method-assign]


def _after_apply(due: Due, die: Callable[[], NoReturn]) -> None:
    step, learn_together = Schooling.step, Schooling.learn_together

    def dying_step(self: Schooling) -> bool:
        done = step(self)
        if done and due():
            die()
        return done

    def dying_together(self: Schooling, batches: Any, at: float) -> Iterator[Any]:
        told = list(learn_together(self, batches, at))
        if due():
            die()
        yield from told

    Schooling.step = dying_step  # type: ignore[method-assign]
    Schooling.learn_together = dying_together  # type: ignore[method-assign]


def _mid_snapshot(due: Due, die: Callable[[], NoReturn]) -> None:
    array = SnapshotSink.array

    def dying(self: SnapshotSink, name: str, values: Any) -> None:
        array(self, name, values)
        if due():
            die()

    SnapshotSink.array = dying  # type: ignore[method-assign]


def _before_truncation(due: Due, die: Callable[[], NoReturn]) -> None:
    truncate = SqliteStore.truncate

    def dying(self: SqliteStore, end: int) -> None:
        if due():
            die()
        truncate(self, end)

    SqliteStore.truncate = dying  # type: ignore[method-assign]


def _full(due: Due, die: Callable[[], NoReturn]) -> None:
    commit = LogFile.commit

    def failing(self: LogFile) -> None:
        if self.staged and due():
            raise apsw.FullError("the disk of a test is full")
        commit(self)

    LogFile.commit = failing  # type: ignore[method-assign]


def _unsynced(due: Due, die: Callable[[], NoReturn]) -> None:
    commit = LogFile.commit

    def failing(self: LogFile) -> None:
        staged = self.staged
        commit(self)
        if staged and due():
            raise apsw.IOError("the disk of a test cannot sync")

    LogFile.commit = failing  # type: ignore[method-assign]


CRASHES: dict[str, Callable[[Due, Callable[[], NoReturn]], None]] = {
    "before_commit": _before_commit,
    "after_commit_before_apply": _after_commit,
    "after_apply_before_ack": _after_apply,
    "mid_snapshot": _mid_snapshot,
    "between_snapshot_and_truncation": _before_truncation,
}

FAILURES: dict[str, Callable[[Due, Callable[[], NoReturn]], None]] = {
    "nothing_is_written": _full,
    "written_but_not_synced": _unsynced,
}

POINTS = CRASHES | FAILURES
