"""The event log and its snapshots: how far behind they are, and how long they take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from thalweg_server.storage.logged import LoggedStore
from thalweg_server.telemetry.histograms import durations


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A snapshot on disk.

    Args:
        start: the first position of the log that a restart from it replays.
        at: when it was finished, in seconds since the epoch.
        size_bytes: of the file.
        seconds: how long it took; None where another process has taken it.
    """

    start: int
    at: float
    size_bytes: int
    seconds: float | None = None


class Snapshots(Protocol):
    """What is known of them."""

    @property
    def newest(self) -> Snapshot | None:
        """What a restart begins with."""

    @property
    def failures(self) -> int:
        """That failed, since the start."""


class Durability(Collector):
    """Metrics of a durable server. Any thread may collect.

    Args:
        log: what is written,
        snapshots: and what need not be read again.
    """

    def __init__(self, log: LoggedStore, snapshots: Snapshots) -> None:
        self._log = log
        self._snapshots = snapshots

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client's Collector."""
        newest = self._snapshots.newest
        yield durations(
            "thalweg_log_commit_duration_seconds",
            "How long a commit of the event log took.",
            self._log.commits,
        )
        yield GaugeMetricFamily(
            "thalweg_durability_lag_seconds",
            "How long the oldest change that is not durable yet has been waiting.",
            value=self._log.lag_seconds,
        )
        yield GaugeMetricFamily(
            "thalweg_log_entries_since_snapshot",
            "Entries of the event log that a restart would replay.",
            value=self._log.last + 1 - (newest.start if newest else 1),
        )
        yield CounterMetricFamily(
            "thalweg_snapshot_failures", "Snapshots that failed.", value=self._snapshots.failures
        )
        if newest is not None:
            yield from _newest(newest)


def _newest(snapshot: Snapshot) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "thalweg_snapshot_timestamp_seconds",
        "When the newest snapshot was finished.",
        value=snapshot.at,
    )
    yield GaugeMetricFamily(
        "thalweg_snapshot_size_bytes", "Size of the newest snapshot.", value=snapshot.size_bytes
    )
    if snapshot.seconds is not None:
        yield GaugeMetricFamily(
            "thalweg_snapshot_duration_seconds",
            "How long the newest snapshot took; missing where the process before took it.",
            value=snapshot.seconds,
        )
