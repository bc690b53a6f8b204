"""Compiles one kernel in a process of its own: the source comes in, the folder is the argument.

A compilation takes seconds of a processor and holds the GIL meanwhile: in the server it would
stop everything else.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from pathlib import Path

from thalweg_server.engines.compiled.store import is_kept, make

SECONDS_MAX = 300.0

NEWS_SECONDS = 60.0
"""For so long a failure holds for everyone who asks; then it is worth another try."""

POLITENESS = 10
"""The child's niceness: models go first."""


@dataclass(slots=True)
class Compilation:
    """A kernel on its way.

    Args:
        folder: where it will be.
        source: its text.
        turn: held while a child is at work: one at a time.
        seconds: that a child may take.
        reason: why it came to nothing; empty where it did not.
        done: when it is, or has failed.
    """

    folder: Path
    source: str
    turn: threading.Lock
    seconds: float = SECONDS_MAX
    reason: str = ""
    done: Future[None] = field(default_factory=Future)
    _child: subprocess.Popen[str] | None = None
    _stopped: bool = False
    _ended: float = 0.0

    def start(self) -> None:
        """Begins, in the background."""
        self.done.set_running_or_notify_cancel()  # whoever waits no longer, others do
        threading.Thread(target=self._work, name="thalweg-compiling", daemon=True).start()

    def wait(self) -> None:
        """Returns when it is done or has failed."""
        wait([self.done])

    @property
    def finished(self) -> bool:
        """Whether it is done or has failed."""
        return self.done.done()

    @property
    def failed_lately(self) -> bool:
        """Whether all who waited for it may not know yet that it has failed."""
        return bool(self.reason) and time.monotonic() - self._ended < NEWS_SECONDS

    def stop(self) -> None:
        """Gives up."""
        self._stopped = True
        if self._child is not None:
            self._child.kill()

    def _work(self) -> None:
        try:
            with self.turn:
                self.reason = "the server stops" if self._stopped else self._run_child()
        except Exception as error:
            self.reason = f"its kernel could not be compiled: {error}"
        finally:
            self._ended = time.monotonic()
            self.done.set_result(None)

    def _run_child(self) -> str:
        command = [sys.executable, "-P", "-m", __name__, str(self.folder)]
        with subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as self._child:
            if self._stopped:  # while it was being started
                self._child.kill()
            try:
                _, errors = self._child.communicate(self.source, timeout=self.seconds)
            except subprocess.TimeoutExpired:
                self._child.kill()
                return f"its kernel was not compiled within {self.seconds:g} seconds"
        if self._child.returncode == 0:
            return ""
        last = (errors.strip().splitlines() or [f"exit status {self._child.returncode}"])[-1]
        return f"its kernel could not be compiled: {last}"


def main(folder: Path, source: str) -> None:
    """Compiles a kernel, unless it is there by the time that nobody else is at work there."""
    os.nice(POLITENESS)
    directory = os.open(folder, os.O_RDONLY)
    with contextlib.suppress(OSError):  # not every file system has locks
        fcntl.flock(directory, fcntl.LOCK_EX)  # until this process ends, however it does
    if not is_kept(folder, source):
        make(folder, source)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.stdin.read())
