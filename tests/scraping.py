"""A service without a server, and its metrics page as Prometheus reads it."""

from __future__ import annotations

import struct
import time
from typing import Any

import dill
import numpy as np
from prometheus_client.parser import text_string_to_metric_families
from river import dummy, stats

from thalweg_server.core.events import Uploaded
from thalweg_server.core.limits import Limits
from thalweg_server.core.observation import NO_DAY, Batch, Flavor, Names, Target
from thalweg_server.core.service import Service
from thalweg_server.engines.river import RiverEngine
from thalweg_server.storage.memory import MemoryStore
from thalweg_server.telemetry import Telemetry

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def make_service(flavor: Flavor = Flavor.REGRESSION) -> Service:
    """An initialised service without models."""
    service = Service(
        engine=RiverEngine(), store=MemoryStore(), limits=Limits(), clock=time.perf_counter
    )
    service.init(flavor, reset=False)
    return service


def upload(service: Service, model: str, candidate: str, estimator: Any, **flags: bool) -> None:
    """Adds a candidate."""
    event = Uploaded(
        model=model,
        candidate=candidate,
        payload=dill.dumps(estimator, recurse=True),
        template=flags.get("template", False),
        replace=flags.get("replace", False),
        apply_to_existing=False,
        context=(),
    )
    service.upload(event, None)


def learn(
    service: Service,
    *rows: tuple[str, Target],
    x: list[Any] | None = None,
    day: int = NO_DAY,
    at: float = 0.0,
) -> None:
    """Learns rows of (model, target), all of one day, that came at one time."""
    targets = [target for _, target in rows]
    batch = Batch(
        names=Names(name for name, _ in rows),
        index=np.arange(len(rows), dtype=np.int32),
        days=np.full(len(rows), day, np.int32),
        targets=np.array(targets, float) if service.flavor is Flavor.REGRESSION else list(targets),
        rows=x or [{} for _ in rows],
    )
    job = service.classroom.job(batch, at=at)
    while not job.step():
        pass


def mean() -> Any:
    """The cheapest regressor there is."""
    return dummy.StatisticRegressor(stats.Mean())


def read(telemetry: Telemetry) -> Samples:
    """Every sample of the page, as Prometheus would read it."""
    text = b"".join(telemetry.page()).decode()
    families = list(text_string_to_metric_families(text))
    names = [family.name for family in families]
    assert len(names) == len(set(names)), "a family's lines are in one place"
    samples = [sample for family in families for sample in family.samples]
    result = {(s.name, tuple(sorted(s.labels.items()))): s.value for s in samples}
    assert len(result) == len(samples), "no series appears twice"
    return result


def value(samples: Samples, name: str, **labels: str) -> float | None:
    """One sample's value."""
    return samples.get((name, tuple(sorted(labels.items()))))


def models_in(samples: Samples) -> set[str]:
    """Names of all models that have a series."""
    return {label for _, labels in samples for key, label in labels if key == "model"}


def bits(number: float | None) -> bytes:
    """A float's bits."""
    assert number is not None
    return struct.pack("<d", number)
