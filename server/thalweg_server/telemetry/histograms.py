"""Histograms as prometheus_client wants them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.utils import floatToGoString

from thalweg_server.durations import SECONDS, Durations


def buckets(bounds: Iterable[float], counts: Sequence[int]) -> list[tuple[str, float]]:
    """Bounds beside how many are at most that large; the last count is that of all."""
    return list(zip([*map(floatToGoString, bounds), "+Inf"], counts, strict=True))


def durations(name: str, text: str, counted: Durations) -> HistogramMetricFamily:
    """A family without labels."""
    family = HistogramMetricFamily(name, text)
    add_durations(family, (), counted)
    return family


def add_durations(family: HistogramMetricFamily, labels: Sequence[str], counted: Durations) -> None:
    """Adds the series of these labels to a family."""
    family.add_metric(labels, buckets(SECONDS, counted.counts), counted.seconds)
