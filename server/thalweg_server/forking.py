"""A process that is a frozen copy of this one, does one piece of work, and ends.

Only memory is shared with the child, copy on write, and only the thread that forked goes on in it.
So it keeps to the models' memory and a file of its own: it calls nothing that may wait for a lock
which another thread held at that moment, and never touches gRPC, the event loop or the log.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1

STACK_BYTES, DEPTH_MAX = 512 << 20, 200_000
"""Of the thread that works: deep trees are pickled by a call per level. Room for the deepest."""

POLITENESS = 10
"""The child's niceness: models go first."""


class Forker:
    """Forks; made before other threads do anything, so that the child has nothing to look up."""

    def __init__(self) -> None:
        self._prctl: Any = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def fork(self, work: Callable[[], dict[str, Any]]) -> tuple[int, int]:
        """Has a child work; returns its process number and where to read its report, as JSON.

        Raises:
            OSError: there is no room for another process.
        """
        parent = os.getpid()
        reading, writing = os.pipe()
        try:
            child = _fork()
        except OSError:
            os.close(reading)
            os.close(writing)
            raise
        if child == 0:
            self._be_child(parent, writing, work)
        os.close(writing)
        return child, reading

    def _be_child(self, parent: int, pipe: int, work: Callable[[], dict[str, Any]]) -> NoReturn:
        """Works, and ends whatever is raised: nothing may return into the server's code."""
        status = 1
        try:
            self._settle(parent, pipe)
            report = _with_deep_stack(work)
            os.write(pipe, json.dumps(report).encode())
            status = 0
        finally:
            os._exit(status)

    def _settle(self, parent: int, pipe: int) -> None:
        if self._prctl is not None:
            self._prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before it could take this child along
            os._exit(1)
        signal.set_wakeup_fd(-1)  # it is the event loop's
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        _close_files(keep=pipe)  # ports among them
        # A collection would write to every object, and so copy every page.
        gc.disable()
        gc.freeze()
        os.nice(POLITENESS)
        with contextlib.suppress(OSError):  # where memory ends, the child has to go first
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _fork() -> int:
    with warnings.catch_warnings():
        # From 3.12 on, Python warns of forks beside threads: the child may wait for a lock for
        # ever. See above why this one does not; and if it does, it is killed after a while.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _close_files(keep: int) -> None:
    for name in [path.name for path in Path("/dev/fd").iterdir()]:
        if int(name) > 2 and int(name) != keep:
            with contextlib.suppress(OSError):
                os.close(int(name))


def _with_deep_stack(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the work reports, or what it raised as its `error`."""
    reports: list[dict[str, Any]] = []

    def run() -> None:
        try:
            reports.append(work())
        except BaseException as error:
            reports.append({"error": f"{type(error).__name__}: {error}"})

    sys.setrecursionlimit(DEPTH_MAX)
    threading.stack_size(STACK_BYTES)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return reports[0]
