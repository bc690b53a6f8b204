"""Runs a server until it is told to stop: the composition root."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable

from thalweg_server.callers.problems import Unusable
from thalweg_server.collection import keep_collections_short
from thalweg_server.config import Config
from thalweg_server.core.errors import CorruptStorage
from thalweg_server.logs import configure, log
from thalweg_server.server import PortTaken, Server, WrongFlavor
from thalweg_server.storage.database import DatabaseUnusable
from thalweg_server.storage.lock import DirectoryInUse
from thalweg_server.tracing import NoExporter

SWITCH_SECONDS = 0.000_5
"""How long a thread that waits for the GIL lets another one run Python: Python's own 5 ms would
be most of what a Predict may take while batches are decoded."""


REFUSALS = (
    *(PortTaken, WrongFlavor, DirectoryInUse, CorruptStorage, DatabaseUnusable, Unusable),
    NoExporter,
)
"""What a server does not start with; each says so in one line."""


def run(config: Config, *, as_json: bool = False) -> int:
    """Serves until SIGTERM or Ctrl-C, drains, and returns the exit code.

    Args:
        config: the server's settings.
        as_json: print where it listens as one JSON line instead of a sentence.
    """
    configure(config.log_level, config.log_format)
    keep_collections_short()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        failure = asyncio.run(_serve(config, _announce_json if as_json else _announce))
    except REFUSALS as problem:
        failure = str(problem)
    except OSError as error:
        failure = f"{error.filename or config.data_dir}: {error.strerror or error}"
    if failure:
        print(f"thalweg: {failure}", file=sys.stderr)  # noqa: T201
    return 1 if failure else 0


async def _serve(config: Config, announce: Callable[[Server], None]) -> str:
    """Serves until it is told to stop, or has to; returns why it had to."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    server = Server(config)
    await server.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    announce(server)
    waits = [asyncio.create_task(each.wait()) for each in (stop, server.failed)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    reason = "failure" if server.failure else "signal"
    log().info("draining", reason=reason, seconds_max=config.drain_seconds_max)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)  # the second Ctrl-C ends it at once
    await server.stop()
    log().info("stopped")
    return server.failure


def _announce(server: Server) -> None:
    config, flavor = server.config, server.service.flavor
    kind = flavor.value if flavor else "none yet, call Init"
    lines = (
        f"Thalweg listens on {config.host}:{server.port} (gRPC), metrics at {_metrics_url(server)}",
        f"flavor: {kind}; uploads: {config.uploads.value}; {_home(config)}; Ctrl-C stops",
    )
    print("\n".join(lines), flush=True)  # noqa: T201


def _metrics_url(server: Server) -> str:
    scheme = "https" if server.config.metrics_tls else "http"
    return f"{scheme}://{server.config.metrics_host}:{server.metrics_port}/metrics"


def _home(config: Config) -> str:
    if config.data_dir is None:
        return "EPHEMERAL: state lives in memory and goes with the process"
    if config.store is not None:
        return f"state lives in PostgreSQL, snapshots of it in {config.data_dir}"
    return f"state lives in {config.data_dir}"


def _announce_json(server: Server) -> None:
    config = server.config
    where = {
        "address": f"{config.host}:{server.port}",
        "metrics": _metrics_url(server),
    }
    print(json.dumps(where), flush=True)  # noqa: T201


if __name__ == "__main__":
    from thalweg.cli import main

    main(["serve", *sys.argv[1:]])
