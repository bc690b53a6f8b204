"""The one thread that touches models, fed from the event loop.

One thread and no locks: whatever runs here has the models to itself. Long work comes in slices,
and calls that somebody waits for go before the next slice of a batch.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from thalweg_server.core.errors import Overloaded

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job:
    """A function to run, and who waits for it.

    Args:
        function: what to run.
        future: where the result goes.
        steps: whether to run it again, behind whatever waits by then, until it returns True.
    """

    function: Callable[[], Any]
    future: asyncio.Future[Any]
    steps: bool = False


class Worker:
    """Runs functions one after the other, in their own thread.

    Args:
        waiting_max: calls that may wait before more are turned away.
    """

    def __init__(self, waiting_max: int) -> None:
        self._waiting_max = waiting_max
        self._calls: deque[Job] = deque()
        self._slices: deque[Job] = deque()
        # One token per job: a C-level queue is the cheapest thing to sleep on.
        self._tokens: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="thalweg-worker", daemon=True)
        self._thread.start()

    def call(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Runs a short function, before any slice that waits; raises Overloaded.

        Cancelling the future before the function has started, as gRPC does when a deadline
        passes, keeps it from running.
        """
        if len(self._calls) >= self._waiting_max:
            raise Overloaded(
                f"{len(self._calls)} calls are waiting, the most that may: try again in a second"
            )
        return self._put(self._calls, Job(function, _future()))

    def slice(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Runs a slice of long work or a part of a stream, after the calls that wait."""
        return self._put(self._slices, Job(function, _future()))

    def steps(self, function: Callable[[], bool]) -> asyncio.Future[bool]:
        """Runs a function again and again until it returns True, each time as a slice.

        The event loop is not asked in between: two threads take longer to wake each other than
        many a slice lasts.
        """
        return self._put(self._slices, Job(function, _future(), steps=True))

    def close(self) -> None:
        """Lets what waits finish, then ends the thread."""
        self._tokens.put(False)
        self._thread.join()

    def _put(self, jobs: deque[Job], job: Job) -> asyncio.Future[Any]:
        jobs.append(job)
        self._tokens.put(True)
        return job.future

    def _work(self) -> None:
        while self._tokens.get():
            job = (self._calls or self._slices).popleft()
            if not job.future.cancelled():
                self._run(job)

    def _run(self, job: Job) -> None:
        try:
            result, error = job.function(), None
        except BaseException as raised:
            result, error = None, raised
        if job.steps and not result and error is None:
            self._put(self._slices, job)
            return
        loop = job.future.get_loop()
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, job.future, result, error)


def _future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
