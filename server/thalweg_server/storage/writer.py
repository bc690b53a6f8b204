"""The thread that writes the log: what came during one commit goes into the next, all together."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import perf_counter
from typing import Protocol, TypeAlias

from thalweg_server.core.events import Entry, Event, Progress
from thalweg_server.durations import Durations

EVENTS_PER_COMMIT_MAX = 4_096
"""Where so many are waiting, the first of them is not to wait for all."""

BYTES_PER_COMMIT_MAX = 16 << 20
"""Likewise, and a bound on memory and on the write-ahead log."""

Then: TypeAlias = Callable[[int | None], None]


@dataclass(frozen=True, slots=True)
class Addition:
    """Events to be added.

    Args:
        events: all or none.
        progress: how far the log was applied.
        then: gets the position of the last one once they are durable; None where they are not.
    """

    events: Sequence[Event]
    progress: Progress
    then: Then


@dataclass(frozen=True, slots=True)
class Note:
    """An event to be added with the next ones."""

    event: Event


@dataclass(frozen=True, slots=True)
class Truncation:
    """What is before `end` is to be deleted."""

    end: int


Work: TypeAlias = Addition | Note | Truncation


class Log(Protocol):
    """The table of entries, in a file or in a database. Not for several threads at a time.

    Whatever any of these raises, but CorruptStorage of `entries`, is a failure of the medium.
    """

    @property
    def last(self) -> int:
        """The position of what was staged last."""

    @property
    def staged(self) -> int:
        """Events that the next commit writes,"""

    @property
    def staged_bytes(self) -> int:
        """and their size."""

    def stage(self, event: Event, progress: Progress) -> None:
        """Takes an event for the next commit."""

    def commit(self) -> None:
        """Makes what is staged durable, all or none."""

    def abandon(self) -> None:
        """The medium failed: forgets what is staged, and leaves everything as it is."""

    def checkpoint(self) -> None:
        """Does between commits what the medium needs now and then."""

    def truncate(self, end: int) -> bool:
        """Deletes some of what is before a position; whether there is more of it."""

    def entries(self, start: int) -> Iterator[Entry]:
        """What is logged at a position and behind it; raises CorruptStorage."""

    def close(self) -> None:
        """Lets go of the medium; idempotent."""


class Writer:
    """Writes a log in a thread of its own, from the first work on.

    After the first failure nothing is written any more and everybody is told None. Whatever is
    raised counts as one: a log that lacks an event would be worse than none.

    Args:
        log: the writer's alone once there is work.
        on_failure: gets what was raised, once, in the writer's thread.

    Attributes:
        commits: how long they took.
    """

    def __init__(self, log: Log, on_failure: Callable[[Exception], None]) -> None:
        self.failure: Exception | None = None
        self._log = log
        self._on_failure = on_failure
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._truncate_end = 0
        self.commits = Durations()
        self._since: deque[float] = deque()

    @property
    def lag_seconds(self) -> float:
        """How long the oldest addition that is not durable yet has been waiting. Any thread."""
        try:
            return perf_counter() - self._since[0]
        except IndexError:
            return 0.0

    @property
    def started(self) -> bool:
        """Whether there was work: from then on the log is the writer's."""
        return self._thread is not None

    def put(self, work: Work) -> None:
        """Takes work from any thread. After `close` there is nobody to do it."""
        with self._lock:
            if not self._closed:
                if isinstance(work, Addition):
                    self._since.append(perf_counter())
                self._queue.put(work)
                self._start()
                return
        if isinstance(work, Addition):
            work.then(None)

    def close(self) -> None:
        """Waits until all work is done; idempotent. Not to be called by `then` or `on_failure`."""
        with self._lock:
            self._closed = True
            self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="thalweg-log", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        closing = False
        while not closing:
            told: list[tuple[Then, int]] = []
            try:
                closing = self._gather(told)
                self._commit()
            except Exception as error:
                self._fail(error)
            for then, position in told:
                self._since.popleft()
                try:
                    then(position if self.failure is None else None)
                except Exception as error:
                    self._fail(error)
            try:
                self._upkeep()
            except Exception as error:
                self._fail(error)

    def _commit(self) -> None:
        if self._log.staged:
            begun = perf_counter()
            self._log.commit()
            self.commits.add(perf_counter() - begun)

    def _gather(self, told: list[tuple[Then, int]]) -> bool:
        """Stages what is queued, waiting where there is nothing to do; whether that was all."""
        while self._log.staged < EVENTS_PER_COMMIT_MAX:
            try:
                work = self._queue.get(block=not told and not self._truncate_end)
            except Empty:
                return False
            if work is None:
                return True
            if isinstance(work, Addition):
                told.append((work.then, 0))
                told[-1] = (work.then, self._stage(work.events, work.progress))
            elif isinstance(work, Note):
                self._stage((work.event,), Progress())
            else:
                self._truncate_end = max(self._truncate_end, work.end)
            if self._log.staged_bytes >= BYTES_PER_COMMIT_MAX:
                break
        return False

    def _stage(self, events: Sequence[Event], progress: Progress) -> int:
        if self.failure is None:
            for event in events:
                self._log.stage(event, progress)
        return self._log.last

    def _upkeep(self) -> None:
        if self.failure is not None:
            self._truncate_end = 0
            return
        self._log.checkpoint()
        # A step at a time: what came meanwhile is added first.
        if self._truncate_end and not self._log.truncate(self._truncate_end):
            self._truncate_end = 0

    def _fail(self, error: Exception) -> None:
        if self.failure is not None:
            return
        self.failure = error
        self._log.abandon()
        with suppress(Exception):  # there is nobody to tell, and callers wait for this thread
            self._on_failure(error)
