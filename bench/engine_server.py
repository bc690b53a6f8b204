"""A server with one engine or the other, for comparing them: `python -m bench.engine_server river`.

Prints its address; ends with its standard input. `bounced` is River's engine, which has a message
go to another process and back for every question: the least that a hop can cost.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Sequence

from thalweg_server.background import BackgroundServer
from thalweg_server.config import Config
from thalweg_server.core.observation import Question
from thalweg_server.core.policy import Policy
from thalweg_server.core.ports import Answer, Engine
from thalweg_server.engines.river import RiverEngine
from thalweg_server.workers import WorkerEngine, Zygote

MESSAGE = bytes(60)
"""As long as what a worker is sent."""


class BouncedEngine(RiverEngine):
    """River's engine, and a message to another process and back."""

    def __init__(self) -> None:
        super().__init__()
        self._ours, theirs = socket.socketpair()
        if os.fork() == 0:
            self._ours.close()
            while theirs.send(theirs.recv(1 << 16)):
                pass
            os._exit(0)
        theirs.close()

    def predict(self, slots: Sequence[int], questions: Sequence[Question]) -> list[Answer]:
        """See `Engine.predict`."""
        self._ours.send(MESSAGE)
        self._ours.recv(1 << 16)
        return super().predict(slots, questions)


def main() -> None:
    """Serves."""
    zygote = Zygote()
    engines: dict[str, Callable[[], Engine]] = {
        "worker": lambda: WorkerEngine(zygote),
        "river": RiverEngine,
        "bounced": BouncedEngine,
    }
    engine = engines[sys.argv[1]]()
    config = Config(port=0, metrics_port=0, uploads=Policy.SAFE)
    with BackgroundServer(config, engine=engine) as server:
        print(server.address, flush=True)
        sys.stdin.read()
    zygote.close()


if __name__ == "__main__":
    main()
