"""The metrics of the server as a whole, read from the service at each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from thalweg_server.core.service import Service


class Totals(Collector):
    """Sums and sizes of a service. Any thread may collect.

    Args:
        service: whose.
        versions: what the server is made of, as labels of `thalweg_build_info`.
        truncated: how many candidates the model series leave out.
    """

    def __init__(
        self, service: Service, versions: Mapping[str, str], truncated: Callable[[], int]
    ) -> None:
        self._service = service
        self._versions = dict(versions)
        self._truncated = truncated

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client's Collector."""
        rows = CounterMetricFamily(
            "thalweg_learn_rows",
            "Rows sent to learn, by what became of them.",
            labels=("outcome",),
        )
        for outcome, count in list(self._service.totals.rows.items()):
            rows.add_metric((outcome,), count)
        yield rows
        yield GaugeMetricFamily(
            "thalweg_models", "Models held.", value=len(self._service.registry.models)
        )
        yield GaugeMetricFamily(
            "thalweg_pending_predictions",
            "Predictions that wait for their true value.",
            value=self._service.ledger.pending,
        )
        yield GaugeMetricFamily(
            "thalweg_templates", "Templates held.", value=len(self._service.registry.templates)
        )
        if self._service.totals.learned_at is not None:
            yield GaugeMetricFamily(
                "thalweg_last_learned_timestamp_seconds",
                "When the last row came that was learned.",
                value=self._service.totals.learned_at,
            )
        yield from self._workers()
        yield GaugeMetricFamily(
            "thalweg_model_series_truncated",
            "Candidates whose series this page leaves out, the worst ones being in it.",
            value=self._truncated(),
        )
        build = GaugeMetricFamily(
            "thalweg_build_info", "Versions, as labels; always 1.", labels=tuple(self._versions)
        )
        build.add_metric(tuple(self._versions.values()), 1)
        yield build

    def _workers(self) -> Iterator[Metric]:
        vitals = self._service.engine.vitals
        yield GaugeMetricFamily("thalweg_workers", "Model workers.", value=vitals.workers)
        yield GaugeMetricFamily(
            "thalweg_workers_resident_memory_bytes",
            "Resident memory of all model workers.",
            value=vitals.resident_bytes,
        )
        yield CounterMetricFamily(
            "thalweg_workers_replaced",
            "Model workers that ended, or were ended, and were replaced.",
            value=vitals.replaced,
        )
        yield CounterMetricFamily(
            "thalweg_candidate_strikes",
            "Times that a candidate had to be stopped.",
            value=vitals.strikes,
        )
        yield GaugeMetricFamily(
            "thalweg_quarantined_candidates",
            "Candidates that were stopped too often, and are asked and taught no more.",
            value=vitals.quarantined,
        )
