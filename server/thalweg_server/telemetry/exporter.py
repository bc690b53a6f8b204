"""Everything that the metrics page shows, behind one object."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import version

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.registry import Collector

from thalweg_server.core.service import Service
from thalweg_server.telemetry.calls import CallObserver, Calls
from thalweg_server.telemetry.fleet import Fleet
from thalweg_server.telemetry.models import ModelSeries
from thalweg_server.telemetry.sums import Sums
from thalweg_server.telemetry.totals import Totals

MODEL_LIMIT = 100_000
"""Candidates exported at most: a page of some 25 MB, which Prometheus still takes in a scrape."""


class Telemetry:
    """What Prometheus is told. Reads the service from any thread and never changes it.

    Args:
        service: what is reported on. It may hold models already.
        versions: what the server is made of, as labels of `thalweg_build_info`; asked of the
            installed packages by default.
        model_limit: candidates with series of their own at most; above it the worst are shown.
    """

    def __init__(
        self,
        service: Service,
        versions: Mapping[str, str] | None = None,
        *,
        model_limit: int = MODEL_LIMIT,
    ) -> None:
        self.service = service
        self.versions = dict(_installed() if versions is None else versions)
        self._calls = Calls()
        self._models = ModelSeries(service, model_limit)
        self._registry = CollectorRegistry()
        self.add(Sums(service))
        self.add(Fleet(service))
        self.add(Totals(service, self.versions, lambda: self._models.truncated))
        self.add(self._calls)
        ProcessCollector(registry=self._registry)

    def add(self, collector: Collector) -> None:
        """Has the page show more from now on."""
        self._registry.register(collector)

    def started(self, *methods: str) -> int:
        """Calls of rpcs of these names that were started."""
        return self._calls.started(*methods)

    def observe(self, kind: str, service: str, method: str) -> CallObserver:
        """An observer of one call; see `Calls.observe`. Called by the event loop's thread only."""
        return self._calls.observe(kind, service, method)

    def page(self) -> tuple[bytes, ...]:
        """The page in Prometheus' text format, in parts of at most about a megabyte.

        Up to date with every change that was acknowledged before the call. Takes up to some
        hundred milliseconds when all of many models changed: not for an event loop.
        """
        models = self._models.render()  # first: it finds out how many are left out
        return (generate_latest(self._registry), *models)


def _installed() -> dict[str, str]:
    return {
        "version": version("thalweg"),
        "river": version("river"),
        "python": platform.python_version(),
    }
