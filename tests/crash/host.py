"""One data directory and one port, and the server processes that come and go on them."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import thalweg
from tests.crash import child
from thalweg_server.storage.snapshots import UNFINISHED

STOP_SECONDS_MAX = 60.0
"""Within this a process that was told to stop has stopped, or hangs."""

PATIENT = thalweg.Retry(attempts=100, first_delay=0.01, longest_delay=0.1)
"""Tries again until a killed server is back."""

QUICK = (
    ("grpc.initial_reconnect_backoff_ms", 10),
    ("grpc.min_reconnect_backoff_ms", 10),
    ("grpc.max_reconnect_backoff_ms", 100),
)
"""How soon gRPC looks for a killed server again."""

_servers = multiprocessing.get_context("forkserver")
_servers.set_forkserver_preload(["__main__", "tests.crash.child"])


class Host:
    """Runs one server process at a time, on the same port and directory.

    Args:
        folder: for the data directory and the servers' logs.
        settings: of `Config`, for all of them.
    """

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.data_dir = folder / "data"
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.starts = 0
        self._folder = folder
        self._settings = settings
        self._process: ForkServerProcess | None = None
        self._announcement: Connection | None = None

    def begin(self, **orders: Any) -> None:
        """Starts a server, without waiting until it is ready."""
        self.starts += 1
        told = child.Orders(
            port=self.port, data_dir=self.data_dir, settings=self._settings, **orders
        )
        self._announcement, theirs = _servers.Pipe(duplex=False)
        self._process = _servers.Process(target=child.serve, args=(told, theirs, self._log))
        self._process.start()
        theirs.close()

    def ready(self) -> None:
        """Waits until the server has announced itself; raises what it said where it failed."""
        assert self._announcement is not None
        line = os.read(self._announcement.fileno(), 4096)
        assert line, f"the server did not start:\n{self.log}"
        assert json.loads(line)["address"] == self.address

    def start(self, **orders: Any) -> None:
        """Starts a server and waits until it is ready."""
        self.begin(**orders)
        self.ready()

    def kill(self) -> None:
        """Kills the server, if there is one, and waits until it is gone."""
        if self._process is not None:
            self._process.kill()
            self.wait()

    def terminate(self) -> None:
        """Asks the server to stop."""
        assert self._process is not None
        self._process.terminate()

    def wait(self) -> int:
        """Waits until the server has ended; returns its exit code, negative for a signal."""
        assert self._process is not None
        self._process.join(STOP_SECONDS_MAX)
        code = self._process.exitcode
        assert code is not None, f"the server does not stop:\n{self.log}"
        return code

    def died(self, point: str) -> bool:
        """Waits until the server has ended; returns whether it was killed at this point."""
        return self.wait() == -signal.SIGKILL and f"died at {point}\n" in self.log

    @property
    def log(self) -> str:
        """What the last server wrote to stderr."""
        return self._log.read_text() if self._log.exists() else ""

    @property
    def logs(self) -> str:
        """What all servers wrote to stderr."""
        return "".join(path.read_text() for path in sorted(self._folder.glob("*.log")))

    @property
    def snapshots_taken(self) -> int:
        """Snapshots that the last server said it has taken."""
        return self.log.count("snapshot written")

    @property
    def unfinished(self) -> list[Path]:
        """Snapshots that are being written, or were when the server was killed."""
        return list((self.data_dir / "snapshots").glob(f"{UNFINISHED}*"))

    def client(self, address: str = "") -> thalweg.Client:
        """A client that goes on trying until the server is back."""
        return thalweg.Client(address or self.address, retry=PATIENT, timeout=60.0, options=QUICK)

    @property
    def _log(self) -> Path:
        return self._folder / f"{self.starts:04}.log"


@contextmanager
def hosting(folder: Path, **settings: Any) -> Iterator[Host]:
    """A host whose last server goes with it."""
    folder.mkdir(exist_ok=True)
    host = Host(folder, **settings)
    try:
        yield host
    finally:
        host.kill()


def prepared(folder: Path, upload: Callable[[thalweg.Client], object]) -> Path:
    """The data directory of a server that was killed once everything was uploaded."""
    with hosting(folder) as host:
        host.start()
        with host.client() as client:
            upload(client)
        host.kill()
        return host.data_dir


def free_port() -> int:
    """A free port that the system gives to nobody by itself.

    From among those that it does, a client that knocks at a killed server's port can be given
    that very port as its own: it then talks to itself, and the server cannot have it back.
    """
    while True:
        port = random.randint(20_000, 32_000)
        with closing(socket.socket()) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
