"""A server process that tests can tell where to die, and how its disk is to fail.

It is what `thalweg serve --data-dir` runs, with parts of the store replaced in this process alone:
the server itself has no hooks for any of this.
"""

from __future__ import annotations

import os
import resource
import sys
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

# Loaded once by the fork server, so that a server starts in a fraction of a second.
import river.linear_model
import river.metrics
import river.neighbors
import river.preprocessing
import river.tree  # noqa: F401

from tests.crash import buffered, points
from thalweg_server import keeping, server
from thalweg_server.__main__ import run
from thalweg_server.config import Config
from thalweg_server.core.observation import Flavor
from thalweg_server.core.policy import Policy

LOOK_SECONDS = 0.02
"""How often it is asked whether a snapshot is due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What a server process is told.

    Args:
        port: where it listens.
        data_dir: where its state is.
        crash: a crash point of `points.POINTS`; empty for none.
        nth: the time it is passed at which the process dies.
        buffered: acknowledge before anything is written.
        file_bytes_max: no file may grow beyond this: the system refuses the write.
        settings: of `Config`, where they differ.
    """

    port: int
    data_dir: Path
    crash: str = ""
    nth: int = 1
    buffered: bool = False
    file_bytes_max: int = 0
    settings: dict[str, Any] = field(default_factory=dict)


def serve(orders: Orders, announcement: Connection, log: Path) -> None:
    """Serves as ordered; says where it listens on the connection, and logs to a file."""
    os.dup2(announcement.fileno(), 1)
    announcement.close()
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    keeping.LOOK_SECONDS = LOOK_SECONDS
    if orders.crash:
        points.install(orders.crash, orders.nth)
    if orders.buffered:
        server.SqliteStore = buffered.BufferedStore  # type: ignore[misc]
    if orders.file_bytes_max:
        resource.setrlimit(resource.RLIMIT_FSIZE, (orders.file_bytes_max, orders.file_bytes_max))
    settings = {"snapshot_learning_seconds": 0.03, "snapshot_pause_seconds": 0.1} | orders.settings
    config = Config(
        port=orders.port,
        metrics_port=0,
        data_dir=orders.data_dir,
        flavor=Flavor.REGRESSION,
        uploads=Policy.TRUSTED,
        worker_imports=("tests.estimators",),
        **settings,
    )
    sys.exit(run(config, as_json=True))
