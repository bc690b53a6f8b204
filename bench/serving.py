"""A Thalweg server in a process of its own, as users run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Running:
    """A server that is up: where it listens, and its process id."""

    address: str
    metrics: str
    pid: int

    def megabytes(self, what: str = "VmRSS") -> float:
        """Its memory by Linux: VmRSS now, VmHWM at most so far; in MB of 1,000,000 bytes."""
        lines = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines()
        line = next(line for line in lines if line.startswith(what + ":"))
        return int(line.split()[1]) * 1024 / 1e6

    def cpu_seconds(self) -> dict[str, float]:
        """CPU time so far: of the event loop's thread, of the other Python threads, of gRPC's."""
        spent = {"event_loop": 0.0, "other_python_threads": 0.0, "grpc_threads": 0.0}
        own = Path(f"/proc/{self.pid}/comm").read_text(encoding="ascii")
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            name = (task / "comm").read_text(encoding="ascii")
            fields = (task / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
            python = "event_loop" if task.name == str(self.pid) else "other_python_threads"
            spent[python if name == own else "grpc_threads"] += sum(map(int, fields[11:13]))
        return {name: ticks / TICKS_PER_SECOND for name, ticks in spent.items()}


@contextmanager
def serving(
    *options: str, kernels: str | None = None, data_dir: str | None = None
) -> Iterator[Running]:
    """Starts `thalweg serve` on free ports, and stops it afterwards.

    Args:
        options: more of the command's options.
        data_dir: where its log goes; None = it is ephemeral.
        kernels: where it keeps its compiled kernels; None = where it does for its user.
    """
    command = [sys.executable, "-m", "thalweg_server", "--port", "0", "--metrics-port", "0"]
    command += ["--ephemeral"] if data_dir is None else ["--data-dir", data_dir]
    own = {} if kernels is None else {"THALWEG_KERNEL_CACHE": kernels}
    process = subprocess.Popen(
        [*command, "--json", *options], stdout=subprocess.PIPE, text=True, env={**os.environ, **own}
    )
    try:
        assert process.stdout is not None
        where = json.loads(process.stdout.readline())
        yield Running(where["address"], where["metrics"], process.pid)
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def serving_cold() -> Iterator[Running]:
    """Starts a server that finds no compiled kernels."""
    with tempfile.TemporaryDirectory() as folder, serving(kernels=folder) as server:
        yield server
