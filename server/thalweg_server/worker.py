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
from typing import Any, TypeVar

from thalweg_server.core.errors import Overloaded

T = TypeVar("T")

Job = tuple[Callable[[], Any], "asyncio.Future[Any]"]


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

    @property
    def waiting(self) -> int:
        """Jobs that wait for their turn."""
        return self._tokens.qsize()

    def call(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Runs a short function, before any slice that waits; raises Overloaded.

        Cancelling the future before the function has started, as gRPC does when a deadline
        passes, keeps it from running.
        """
        if len(self._calls) >= self._waiting_max:
            raise Overloaded(
                f"{len(self._calls)} calls are waiting, the most that may: try again in a second"
            )
        return self._put(self._calls, function)

    def slice(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """Runs a slice of long work, after the calls that wait."""
        return self._put(self._slices, function)

    def close(self) -> None:
        """Lets what waits finish, then ends the thread."""
        self._tokens.put(False)
        self._thread.join()

    def _put(self, jobs: deque[Job], function: Callable[[], T]) -> asyncio.Future[T]:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        jobs.append((function, future))
        self._tokens.put(True)
        return future

    def _work(self) -> None:
        while self._tokens.get():
            jobs = self._calls or self._slices
            function, future = jobs.popleft()
            if not future.cancelled():
                self._run(function, future)

    def _run(self, function: Callable[[], Any], future: asyncio.Future[Any]) -> None:
        try:
            result, error = function(), None
        except BaseException as raised:
            result, error = None, raised
        loop = future.get_loop()
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, future, result, error)


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
