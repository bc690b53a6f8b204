"""All models at a glance, counted anew at each scrape: a few milliseconds of NumPy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from thalweg_server.core.observation import NO_DAY, Flavor
from thalweg_server.core.service import Service
from thalweg_server.telemetry.histograms import buckets

Ints = NDArray[np.int64]

MAE_BOUNDS = (
    *(round(step * 10.0**power, 3) for power in range(-2, 4) for step in (1.0, 2.5, 5.0)),
    10_000.0,
)
"""Bounds of the distribution of MAE: whether units are single loaves or truckloads."""

DAY_SECONDS = 86_400


class Fleet(Collector):
    """Who answers, how well, what runs them, and how far groups have come.

    Any thread may collect. The live state is read without a lock: a model that is being made or
    removed may be counted for another, until the next scrape.

    Args:
        service: whose models.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client's Collector."""
        roster, board = self._service.registry.roster, self._service.board
        # Arrays are replaced by longer ones as models come. Read in this order, each has all that
        # those before point to.
        models = np.flatnonzero(roster.width)
        first, candidates = roster.begin[models], roster.rows(models)
        champions = first + board.order[first]
        of_champions, of_candidates = board.group[champions], board.group[candidates]
        of_models, through = board.group[first], roster.through[models]
        keys = self._service.totals.keys
        yield self._engines(board.slot[candidates])
        yield _champions([name for _, name in keys], of_champions, of_candidates)
        yield _learned_through([label for label, _ in keys], of_models, through)
        if self._service.flavor in (None, Flavor.REGRESSION):
            yield _errors(board.mae[champions][board.count[champions] > 0])

    def _engines(self, slots: Ints) -> Metric:
        family = GaugeMetricFamily(
            "thalweg_candidates", "Candidates of models, by what runs them.", labels=("engine",)
        )
        for engine, count in self._service.engine.census(slots).items():
            family.add_metric((engine,), count)
        return family


def _champions(names: Sequence[str], of_champions: Ints, of_candidates: Ints) -> Metric:
    """Of champions and of all candidates their rows of the totals; `names` are those by row."""
    family = GaugeMetricFamily(
        "thalweg_champions", "Models that this candidate answers for.", labels=("candidate",)
    )
    numbered, of_row = _numbered(names)
    held = np.bincount(of_row[of_candidates], minlength=len(numbered)).tolist()
    leading = np.bincount(of_row[of_champions], minlength=len(numbered)).tolist()
    for name, holds, leads in zip(numbered, held, leading, strict=True):
        if holds:
            family.add_metric((name,), leads)
    return family


def _learned_through(labels: Sequence[str], of_models: Ints, through: Ints) -> Metric:
    """Of models their rows of the totals, and their latest days; `labels` are those by row."""
    family = GaugeMetricFamily(
        "thalweg_group_learned_through_timestamp_seconds",
        "Midnight UTC of the latest day that a model of the group has learned.",
        labels=("group",),
    )
    numbered, of_row = _numbered(labels)
    latest = np.full(len(numbered), NO_DAY, np.int64)
    np.maximum.at(latest, of_row[of_models], through)
    for label, day in zip(numbered, latest.tolist(), strict=True):
        if day != NO_DAY:
            family.add_metric((label,), day * DAY_SECONDS)
    return family


def _errors(errors: NDArray[np.float64]) -> Metric:
    at_most = np.searchsorted(np.sort(errors), MAE_BOUNDS, side="right").tolist()
    family = HistogramMetricFamily(
        "thalweg_champion_mae",
        "Mean absolute error of every model's champion, as of now: counts may fall.",
    )
    counts = [*at_most, len(errors)]
    family.add_metric((), buckets(MAE_BOUNDS, counts), float(errors.sum()))
    return family


def _numbered(texts: Sequence[str]) -> tuple[list[str], Ints]:
    """The different ones, and for each of all its number among these."""
    numbers: dict[str, int] = {}
    each = [numbers.setdefault(text, len(numbers)) for text in texts]
    return list(numbers), np.array(each, np.int64)
