"""Snapshots while the server goes on: a forked child writes, a thread watches it.

The models' thread is held for the fork alone. From then on the child has all of the state as it
was at that moment, and as long as it needs.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thalweg_server.core.events import Progress
from thalweg_server.forking import Forker

SECONDS_MAX = 600.0
"""What a child may take: then it hangs, or the disk does."""

REPORT_BYTES_MAX = 1 << 16
"""More than a child reports; a pipe takes as much at once."""

POLL_MILLISECONDS = 50
"""How late a server that stops is noticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a snapshot.

    Args:
        progress: how far the log is applied in it.
        path: where it is; None where it failed.
        size_bytes: of the file.
        seconds: from the fork to the child's end.
        hold_seconds: for which the models' thread was held.
        error: why it failed; empty where it did not.
    """

    progress: Progress
    path: Path | None = None
    size_bytes: int = 0
    seconds: float = 0.0
    hold_seconds: float = 0.0
    error: str = ""


class Snapshotter:
    """Takes snapshots, one at a time.

    Args:
        write: writes one, given how far the log is applied and `previous`, and returns where it
            is. Runs in the child, with the state as it was.
        done: told of every result, in a thread of the snapshotter's.
        previous: what the server's state came from: the snapshot that it began with, if any.
        seconds_max: after which a child is killed.

    Attributes:
        previous: the last one written since, else the one that the server began with.
        hold_seconds: for which the last fork held the models' thread, and
        hold_seconds_max: the longest.
    """

    def __init__(
        self,
        write: Callable[[Progress, Path | None], Path],
        done: Callable[[Result], None],
        *,
        previous: Path | None = None,
        seconds_max: float = SECONDS_MAX,
    ) -> None:
        self.previous = previous
        self.hold_seconds = 0.0
        self.hold_seconds_max = 0.0
        self._write = write
        self._done = done
        self._seconds_max = seconds_max
        self._forker = Forker()
        self._watcher: threading.Thread | None = None
        self._closed = threading.Event()
        self._taking = threading.Lock()

    @property
    def busy(self) -> bool:
        """Whether one is under way."""
        return self._watcher is not None and self._watcher.is_alive()

    def take(self, progress: Progress) -> bool:
        """Begins a snapshot, and returns at once; False where one is under way.

        The models' thread only, with everything at rest. That thread has to live until the
        snapshot is done: where it ends, the system ends its child.
        """
        with self._taking:  # whoever closes meanwhile waits for this one, too
            return not self.busy and not self._closed.is_set() and self._begin(progress)

    def _begin(self, progress: Progress) -> bool:
        begun = time.perf_counter()
        try:
            child, reading = self._forker.fork(lambda: self._work(progress))
        except OSError as error:
            self._done(Result(progress=progress, error=f"cannot fork: {error.strerror}"))
            return False
        self._watcher = threading.Thread(
            target=self._watch,
            args=(child, reading, progress, begun),
            name="thalweg-snapshot",
            daemon=True,
        )
        self._watcher.start()
        self.hold_seconds = time.perf_counter() - begun
        self.hold_seconds_max = max(self.hold_seconds, self.hold_seconds_max)
        return True

    def wait(self) -> None:
        """Returns when none is under way. Any thread, but not from `done`."""
        with self._taking:
            watcher = self._watcher
        if watcher is not None:
            watcher.join()

    def close(self) -> None:
        """Gives up the one that is under way, and takes no more; idempotent."""
        self._closed.set()
        self.wait()

    def _work(self, progress: Progress) -> dict[str, Any]:
        path = self._write(progress, self.previous)
        return {"path": str(path), "size_bytes": path.stat().st_size}

    def _watch(self, child: int, reading: int, progress: Progress, begun: float) -> None:
        try:
            report, late = self._read(reading)
        finally:
            os.close(reading)
        if late:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        status = _ended(child)
        if "error" not in report and "path" not in report:
            report["error"] = late or f"the process that wrote it {status}"
        path = Path(report["path"]) if "path" in report else None
        self.previous = path or self.previous
        self._done(
            Result(
                progress=progress,
                path=path,
                size_bytes=report.get("size_bytes", 0),
                seconds=time.perf_counter() - begun,
                hold_seconds=self.hold_seconds,
                error=report.get("error", ""),
            )
        )

    def _read(self, reading: int) -> tuple[dict[str, Any], str]:
        """The child's report, empty where there is none, and why it has to be killed, if so."""
        deadline = time.monotonic() + self._seconds_max
        poll = select.poll()
        poll.register(reading, select.POLLIN)
        while not poll.poll(POLL_MILLISECONDS):
            if self._closed.is_set():
                return {}, "the server stops"
            if time.monotonic() > deadline:
                return {}, f"it was not written within {self._seconds_max:g} seconds"
        report: dict[str, Any] = json.loads(os.read(reading, REPORT_BYTES_MAX) or b"{}")
        return report, ""


def _ended(child: int) -> str:
    """Waits for a process, and says how it ended."""
    try:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except ChildProcessError:  # somebody else has waited for it
        return "has ended"
    return f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
