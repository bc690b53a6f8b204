"""Whether the server takes calls, and what waits for its models."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from thalweg_server.durations import Durations
from thalweg_server.telemetry.histograms import durations


class Streams(Collector):
    """Counts what StreamLearn calls bring. Written by one thread, the event loop's.

    Attributes:
        open: calls that are open.
        waiting_rows: rows received and not yet applied.
        batches: from a batch's arrival to its ack.
    """

    def __init__(self) -> None:
        self.open = 0
        self.waiting_rows = 0
        self.batches = Durations()

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client's Collector."""
        yield GaugeMetricFamily(
            "thalweg_open_streams", "StreamLearn calls that are open.", value=self.open
        )
        yield GaugeMetricFamily(
            "thalweg_stream_waiting_rows",
            "Rows of streams that were received and are not yet applied.",
            value=self.waiting_rows,
        )
        yield durations(
            "thalweg_batch_duration_seconds",
            "Time from the arrival of a StreamLearn batch to its ack.",
            self.batches,
        )


class Serving(Collector):
    """What only the server around the models knows. Any thread may collect.

    Args:
        ready: whether it takes calls.
        waiting: unary calls that wait for the models' thread.
    """

    def __init__(self, ready: Callable[[], bool], waiting: Callable[[], int]) -> None:
        self._ready = ready
        self._waiting = waiting

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client's Collector."""
        yield GaugeMetricFamily(
            "thalweg_ready", "1 where the server takes calls, else 0.", value=int(self._ready())
        )
        yield GaugeMetricFamily(
            "thalweg_waiting_calls",
            "Unary calls that wait for the models' thread.",
            value=self._waiting(),
        )
