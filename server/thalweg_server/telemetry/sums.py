"""What candidates add up to: how wrong they were, over all models and group by group."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from thalweg_server.core.observation import Flavor
from thalweg_server.core.service import Service


class Sums(Collector):
    """Counters by candidate, and by group and candidate. Any thread may collect.

    Args:
        service: whose.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client's Collector."""
        yield from self._candidates()
        yield from self._groups()

    @property
    def _has_errors(self) -> bool:
        """Classes have no absolute error."""
        return self._service.flavor in (None, Flavor.REGRESSION)

    def _candidates(self) -> Iterator[Metric]:
        label = ("candidate",)
        errors = CounterMetricFamily(
            "thalweg_absolute_error", "Sum of absolute errors over all models.", labels=label
        )
        scored = CounterMetricFamily(
            "thalweg_scored_predictions", "Predictions that were scored.", labels=label
        )
        nonfinite = CounterMetricFamily(
            "thalweg_nonfinite_predictions",
            "Predictions that were NaN, infinite, too large or none, and were not scored.",
            labels=label,
        )
        switches = CounterMetricFamily(
            "thalweg_champion_switches",
            "Times that this candidate became a model's champion in place of a sibling.",
            labels=label,
        )
        for name, totals in self._service.totals.candidates():
            errors.add_metric((name,), totals.absolute_error)
            scored.add_metric((name,), totals.scored)
            nonfinite.add_metric((name,), totals.nonfinite)
            switches.add_metric((name,), totals.switches)
        if self._has_errors:
            yield errors
        yield from (scored, nonfinite, switches)

    def _groups(self) -> Iterator[Metric]:
        labels = ("group", "candidate")
        errors = CounterMetricFamily(
            "thalweg_group_absolute_error",
            "Sum of absolute errors over a group of models.",
            labels=labels,
        )
        scored = CounterMetricFamily(
            "thalweg_group_scored_predictions",
            "Predictions that were scored, of a group of models.",
            labels=labels,
        )
        for *key, totals in self._service.totals.by_key():
            errors.add_metric(key, totals.absolute_error)
            scored.add_metric(key, totals.scored)
        if self._has_errors:
            yield errors
        yield scored
