"""A server with one engine or the other, for comparing them: `python -m bench.engine_server river`.

Prints its address; ends with its standard input.
"""

from __future__ import annotations

import sys

from thalweg_server.background import BackgroundServer
from thalweg_server.config import Config
from thalweg_server.core.policy import Policy
from thalweg_server.core.ports import Engine
from thalweg_server.engines.river import RiverEngine
from thalweg_server.workers import WorkerEngine, Zygote


def main() -> None:
    """Serves."""
    zygote = Zygote()
    engine: Engine = WorkerEngine(zygote) if sys.argv[1] == "worker" else RiverEngine()
    config = Config(port=0, metrics_port=0, uploads=Policy.SAFE)
    with BackgroundServer(config, engine=engine) as server:
        print(server.address, flush=True)
        sys.stdin.read()
    zygote.close()


if __name__ == "__main__":
    main()
