"""A Thalweg server in a process of its own, as users run it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Running:
    """A server that is up: where it listens, and its process id."""

    address: str
    metrics: str
    pid: int


@contextmanager
def serving(*options: str) -> Iterator[Running]:
    """Starts `thalweg serve` on free ports, and stops it afterwards."""
    command = [sys.executable, "-m", "thalweg_server", "--port", "0", "--metrics-port", "0"]
    process = subprocess.Popen([*command, "--json", *options], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        where = json.loads(process.stdout.readline())
        yield Running(where["address"], where["metrics"], process.pid)
    finally:
        process.terminate()
        process.wait()
