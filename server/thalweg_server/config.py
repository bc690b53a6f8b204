"""The server's settings. Every limit has a name with its unit, and a reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from thalweg_server.core.limits import Limits
from thalweg_server.core.observation import Flavor

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What `thalweg serve` was told.

    Args:
        host: address of the gRPC port. Loopback by default: an upload can run code.
        port: gRPC port; 0 = any free one.
        metrics_host: address of the HTTP port.
        metrics_port: HTTP port; 0 = any free one.
        data_dir: folder for state that outlives the process; None = there is none.
        store: URL of a PostgreSQL database for the event log; it may hold a password. None = the
            log is in data_dir, else that holds snapshots only.
        snapshot_learning_seconds: learning after which a snapshot is due: a restart repeats it.
        snapshot_pause_seconds: between two snapshots at least; each writes all there is.
        flavor: what models predict; None = Init says it.
        champion_metric: "mae" or "rmse".
        metrics_model_limit: candidates exported one by one; more would overload Prometheus.
        message_bytes_max: largest request; the largest batch worth one ack.
        waiting_calls_max: calls that may wait for the models; more than that is seconds of work.
        drain_seconds_max: how long open streams may take for their last batch at shutdown.
        keepalive_seconds: how often an idle connection is probed; below common NAT timeouts.
        keepalive_timeout_seconds: how long a probe may stay unanswered.
        limits: bounds of the domain.
    """

    host: str = "127.0.0.1"
    port: int = 50051
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 9464
    data_dir: Path | None = None
    store: str | None = field(default=None, repr=False)
    snapshot_learning_seconds: float = 10.0
    snapshot_pause_seconds: float = 60.0
    flavor: Flavor | None = None
    champion_metric: str = "mae"
    metrics_model_limit: int = 100_000
    message_bytes_max: int = 64 * MIB
    waiting_calls_max: int = 10_000
    drain_seconds_max: float = 30.0
    keepalive_seconds: float = 60.0
    keepalive_timeout_seconds: float = 20.0
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Refuses what does not go together."""
        if self.store is not None and self.data_dir is None:
            raise ValueError("a store needs a data_dir, for its snapshots")
