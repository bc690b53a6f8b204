"""Starts a server process on free ports and sees to its end."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from types import TracebackType
from typing import Self

from thalweg.cli.group import Failure

START_SECONDS_MAX = 60.0
"""River takes seconds to load; a minute means that something is wrong."""
STOP_SECONDS_MAX = 5.0
"""More than a batch takes; whatever is left is not worth waiting for."""
_KEPT = "THALWEG_KERNEL_CACHE"
"""Where the server keeps what it has compiled: a place, and no setting of the demo's server."""
_PORTS = ("--port", "0", "--metrics-port", "0")
_ARGUMENTS = (*_PORTS, "--flavor", "regression", "--metrics-group", "m5", "--json", "--ephemeral")


class ServerProcess:
    """A server of its own; a context manager. It ends with this process, however that ends.

    Attributes:
        address: where gRPC listens, once `wait_ready` has returned.
        metrics: URL of the metrics page, likewise.
    """

    def __init__(self) -> None:
        self.address = self.metrics = ""
        self._first_line: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._process = subprocess.Popen(
            [sys.executable, "-m", "thalweg.demo.child", *_ARGUMENTS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env=_environment(),
            start_new_session=True,  # Ctrl-C reaches the demo alone, which then stops the server
        )
        threading.Thread(target=self._read, daemon=True).start()

    def wait_ready(self) -> None:
        """Return when the server listens.

        Raises:
            Failure: it has ended, or does not listen within START_SECONDS_MAX.
        """
        try:
            line = self._first_line.get(timeout=START_SECONDS_MAX)
        except queue.Empty:
            raise Failure(f"the server did not start in {START_SECONDS_MAX:.0f} s") from None
        if not line:
            self._process.wait()
            raise Failure(f"the server did not start{self._last_complaint()}")
        where = json.loads(line)
        self.address, self.metrics = where["address"], where["metrics"]

    @property
    def ended(self) -> str:
        """Why it has ended; "" while it runs."""
        if self._process.poll() is None:
            return ""
        return f"the server ended with code {self._process.returncode}{self._last_complaint()}"

    def wait(self) -> None:
        """Return when it has ended."""
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._complaints.close()

    def _read(self) -> None:
        """Hand on the first line and drop the others, so that the pipe never fills up."""
        lines = self._process.stdout
        if lines is None:
            return
        with lines:
            self._first_line.put(lines.readline().decode())
            for _ in lines:
                pass

    def _last_complaint(self) -> str:
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        return ": " + lines[-1].removeprefix("thalweg: ") if lines else ""


def _environment() -> dict[str, str]:
    """Return our environment without what would configure the server otherwise."""
    return {
        key: value
        for key, value in os.environ.items()
        if key == _KEPT or not key.startswith("THALWEG_")
    }
