"""Runs a server until it is told to stop: the composition root."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable

import structlog

from thalweg_server.collection import keep_collections_short
from thalweg_server.config import Config
from thalweg_server.server import PortTaken, Server

SWITCH_SECONDS = 0.000_5
"""How long a thread that waits for the GIL lets another one run Python: Python's own 5 ms would
be most of what a Predict may take while batches are decoded."""


def run(config: Config, *, as_json: bool = False) -> int:
    """Serves until SIGTERM or Ctrl-C, drains, and returns the exit code.

    Args:
        config: the server's settings.
        as_json: print where it listens as one JSON line instead of a sentence.
    """
    keep_collections_short()
    sys.setswitchinterval(SWITCH_SECONDS)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        asyncio.run(_serve(config, _announce_json if as_json else _announce))
    except PortTaken as taken:
        print(f"thalweg: {taken}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


async def _serve(config: Config, announce: Callable[[Server], None]) -> None:
    log = structlog.get_logger()
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    server = Server(config)
    await server.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    announce(server)
    await stop.wait()
    log.info("draining", reason="signal", seconds_max=config.drain_seconds_max)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)  # the second Ctrl-C ends it at once
    await server.stop()
    log.info("stopped")


def _announce(server: Server) -> None:
    config, flavor = server.config, server.service.flavor
    lines = (
        f"Thalweg listens on {config.host}:{server.port} (gRPC), "
        f"metrics at http://{config.metrics_host}:{server.metrics_port}/metrics",
        f"flavor: {flavor.value if flavor else 'none yet, call Init'}; state lives in memory and "
        "goes with the process; Ctrl-C stops",
    )
    print("\n".join(lines), flush=True)  # noqa: T201


def _announce_json(server: Server) -> None:
    config = server.config
    where = {
        "address": f"{config.host}:{server.port}",
        "metrics": f"http://{config.metrics_host}:{server.metrics_port}/metrics",
    }
    print(json.dumps(where), flush=True)  # noqa: T201


if __name__ == "__main__":
    from thalweg.cli import main

    main(["serve", *sys.argv[1:]])
