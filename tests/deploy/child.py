"""A server process as deploy/ runs one, on free ports, that takes snapshots sooner.

A process of its own, because that is what is scraped: its memory, its workers, its forks.
"""

from __future__ import annotations

import sys
from pathlib import Path

from thalweg_server.__main__ import run
from thalweg_server.config import Config
from thalweg_server.core.observation import Flavor


def config(folder: Path) -> Config:
    """Settings of the image and of compose.yaml, with keys and data in a folder."""
    keys = folder / "keys"
    return Config(
        port=0,
        metrics_port=0,
        flavor=Flavor.REGRESSION,
        tls_cert=keys / "tls.crt",
        tls_key=keys / "tls.key",
        tokens=keys / "tokens.json",
        metrics_token_file=keys / "metrics-token",
        metrics_tls=True,
        metrics_group="m5",
        data_dir=folder / "data",
        snapshot_learning_seconds=0.01,
        snapshot_pause_seconds=1.0,
    )


if __name__ == "__main__":
    sys.exit(run(config(Path(sys.argv[1])), as_json=True))
