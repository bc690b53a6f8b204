"""The one thread that touches models, fed from the event loop.

One thread and no locks: whatever runs here has the models to itself. Long work comes in slices,
and calls that somebody waits for go before the next slice.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from thalweg_server.core.errors import Overloaded, Refusal
from thalweg_server.core.ports import Busy

T = TypeVar("T")
S = TypeVar("S")

TOGETHER_MAX = 128
"""Calls that run together: where each takes a millisecond, more would keep others waiting."""


@dataclass(frozen=True, slots=True)
class Job:
    """A function to run, and who waits for it."""

    function: Callable[[], Any]
    future: asyncio.Future[Any]


@dataclass(slots=True)
class Group:
    """Calls of one kind that wait.

    Args:
        function: takes what they bring, and gives each one's number and result, in any order; a
            result that is an exception is raised to the caller.
        most: calls that run together.
        queued: whether it has a place among the calls.
    """

    function: Callable[[list[Any]], Iterable[tuple[int, Any]]]
    most: int
    waiting: deque[tuple[Any, asyncio.Future[Any]]] = field(default_factory=deque)
    queued: bool = False


class ModelsThread:
    """Runs functions one after the other, in their own thread.

    Args:
        waiting_max: calls that may wait before more are turned away.
        faulted: told of what learning raised that is no `Refusal`, after the caller: the log and
            the models are at odds.
        after: called when something has run, before anything else does.
    """

    def __init__(
        self,
        waiting_max: int,
        faulted: Callable[[BaseException], None] = lambda _: None,
        after: Callable[[], None] = lambda: None,
    ) -> None:
        self._waiting_max = waiting_max
        self._faulted = faulted
        self._after = after
        self._calls: deque[Job | Group] = deque()
        self._reads: deque[Job] = deque()
        self._busy: list[Job] = []
        self._waits = 0
        self._slices: deque[Job] = deque()
        self._lane: deque[Job] = deque()
        self._groups: dict[Any, Group] = {}
        self._after_you = self._reading = False
        # One token per job: a C-level queue is the cheapest thing to sleep on.
        self._tokens: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="thalweg-models", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Calls that wait. Any thread."""
        return self._called + len(self._reads) + len(self._busy)

    @property
    def _called(self) -> int:
        """Calls that wait, those of a group one by one; a group's place is none."""
        groups = tuple(self._groups.values())
        together = sum(len(group.waiting) - group.queued for group in groups)
        return len(self._calls) + together

    def call(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Runs a short function, before any slice that waits; raises Overloaded.

        Cancelling the future before the function has started, as gRPC does when a deadline
        passes, keeps it from running.
        """
        self._check_room(self._called)
        return self._put(self._calls, Job(function, _future()))

    def read(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Runs a short function that changes nothing; raises Overloaded.

        As `call`, and also in between: while something else waits for another process.
        """
        self._check_room(len(self._reads))
        return self._put(self._reads, Job(function, _future()))

    def meanwhile(self) -> None:
        """Runs what only reads. This thread, while it has nothing to do but wait."""
        self._waits += 1
        for _ in range(len(self._reads)):
            if not self._reads:  # one of them has waited as well, and run the others
                break
            self._run(self._reads.popleft())
        self._waits -= 1
        if not self._waits:  # what was in their way within may be over
            self._ask_again()

    def together(
        self,
        function: Callable[[list[S]], Iterable[tuple[int, T | Exception]]],
        item: S,
        most: int = TOGETHER_MAX,
    ) -> asyncio.Future[T]:
        """Runs a call with others of this function that wait by then; raises Overloaded.

        At most so many: while they run, nobody else has the models.
        """
        future = _future()
        self._check_room(self._called)
        group = self._groups.setdefault(function, Group(function, most))
        group.waiting.append((item, future))
        if not group.queued:
            self._queue(group)
        return future

    def slice(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Runs a slice of long work or a part of a stream, after the calls that wait."""
        return self._put(self._slices, Job(function, _future()))

    def lane(self, step: Callable[[], bool], future: asyncio.Future[Any]) -> None:
        """Runs a function again and again until it returns True, each time as a slice.

        Any thread. Such functions run one after the other, not in turn. The event loop is not
        asked in between: two threads take longer to wake each other than many a slice lasts.
        """
        self._put(self._lane, Job(step, future))

    def close(self) -> None:
        """Lets what waits finish, then ends the thread."""
        self._tokens.put(False)
        self._thread.join()

    def _check_room(self, waiting: int) -> None:
        if waiting >= self._waiting_max:
            raise Overloaded(
                f"{waiting} calls are waiting, the most that may: try again in a second"
            )

    def _put(self, jobs: deque[Any], job: Job) -> asyncio.Future[Any]:
        jobs.append(job)
        self._tokens.put(True)
        return job.future

    def _queue(self, group: Group) -> None:
        group.queued = True
        self._calls.append(group)
        self._tokens.put(True)

    def _work(self) -> None:
        while self._tokens.get():
            self._run_next()
            self._ask_again()
            try:
                self._after()
            except BaseException as error:
                self._faulted(error)

    def _ask_again(self) -> None:
        """Has reads that something was in the way of wait again, in their order."""
        self._reads.extendleft(reversed(self._busy))  # their tokens are still there
        self._busy.clear()

    def _run_next(self) -> None:
        """Calls go first, those that read and those that change in turn; there may be nothing."""
        self._reading = not self._reading
        if self._reads and (self._reading or not self._calls):
            self._run(self._reads.popleft())
        elif self._calls:
            job = self._calls.popleft()
            if isinstance(job, Group):
                self._run_together(job)
            else:
                self._run(job)
        elif self._slices and (self._after_you or not self._lane):
            self._after_you = False
            self._run(self._slices.popleft())
        elif self._lane:
            self._after_you = True
            self._step(self._lane[0])

    def _run(self, job: Job) -> None:
        if job.future.cancelled():
            return
        try:
            self._tell([(job.future, job.function())])
        except Busy:
            self._busy.append(job)
        except BaseException as error:
            self._tell([(job.future, error)])

    def _run_together(self, group: Group) -> None:
        group.queued = False  # first: who comes from now on has it queued again
        taken: list[tuple[Any, asyncio.Future[Any]]] = []
        while group.waiting and len(taken) < group.most:
            item, future = group.waiting.popleft()
            if not future.cancelled():
                taken.append((item, future))
        if group.waiting and not group.queued:
            self._queue(group)
        if not taken:
            return
        results = []
        try:
            for number, result in group.function([item for item, _ in taken]):
                results.append((taken[number][1], result))
            self._tell(results)
        except BaseException as error:
            self._fail([future for _, future in taken], error)

    def _step(self, job: Job) -> None:
        try:
            done = job.function()
        except BaseException as error:
            self._lane.popleft()
            self._fail([job.future], error)
            return
        if not done:
            self._tokens.put(True)
            return
        self._lane.popleft()
        self._tell([(job.future, True)])

    def _fail(self, futures: list[asyncio.Future[Any]], error: BaseException) -> None:
        self._tell([(future, error) for future in futures])
        if not isinstance(error, Refusal):
            self._faulted(error)

    def _tell(self, results: list[tuple[asyncio.Future[Any], Any]]) -> None:
        loop = results[0][0].get_loop()
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, results)


def _future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


def _settle(results: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, result in results:
        if future.done():  # cancelled
            continue
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)
