"""The metrics as a page: every family that a server serves, read from servers that serve them."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import structlog
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from river import dummy, linear_model, stats

import thalweg
from thalweg_server.background import BackgroundServer
from thalweg_server.config import Config
from thalweg_server.core.observation import Flavor
from thalweg_server.engines.river import RiverEngine

from .markdown import plain, table

SECTIONS = (
    ("Models", "thalweg_model_"),
    ("Service", "thalweg_"),
    ("Calls", "grpc_server_"),
    ("Process", ""),
)
"""Title, and what the names of its families begin with; a family is in the first that fits."""


def text() -> str:
    """Return a table of families for each section."""
    parts, left = [], _families()
    for title, prefix in SECTIONS:
        here = {name: one for name, one in left.items() if name.startswith(prefix)}
        left = {name: one for name, one in left.items() if name not in here}
        rows = (_row(name, *here[name]) for name in sorted(here))
        parts.append(f"## {title}\n\n{table(('metric, type and labels', ''), rows)}")
    return "".join(parts)


LAST = "thalweg_snapshot_duration_seconds"
"""What comes last to a server's page: with its first snapshot."""

SECONDS_MAX = 30.0

Family = tuple[Metric, set[str]]


def _families() -> dict[str, Family]:
    """Return name to family and labels, of a server with regressors and one with classifiers."""
    found: dict[str, Family] = {}
    for flavor, story in ((Flavor.REGRESSION, _numbers), (Flavor.BINARY, _classes)):
        for family in _scrape(flavor, story):
            labels = {label for sample in family.samples for label in sample.labels}
            name = _exported(family)
            found[name] = (family, labels | found.get(name, (family, set()))[1])
    return found


def _scrape(flavor: Flavor, story: Callable[[thalweg.Client], None]) -> list[Metric]:
    with _server(flavor) as server:
        with thalweg.Client(server.address) as client:
            story(client)
        deadline = time.monotonic() + SECONDS_MAX
        while True:
            with urlopen(f"http://{server.metrics_address}/metrics") as page:
                text = page.read().decode()
            if LAST in text:
                return list(text_string_to_metric_families(text))
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {LAST} within {SECONDS_MAX:g} seconds")
            time.sleep(0.1)


@contextmanager
def _server(flavor: Flavor) -> Iterator[BackgroundServer]:
    """A durable server that runs estimators in this process, which starts at once."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as folder:
        config = Config(
            port=0,
            metrics_port=0,
            flavor=flavor,
            data_dir=Path(folder),
            snapshot_learning_seconds=0.0,
            snapshot_pause_seconds=0.0,
        )
        with BackgroundServer(config, engine=RiverEngine()) as server:
            yield server


def _numbers(client: thalweg.Client) -> None:
    """As little as gives every family of a regression server a series."""
    for candidate in ("a", "b"):
        mean = dummy.StatisticRegressor(stats.Mean())
        client.upload_model("*", mean, candidate=candidate, template=True)
    rows = [thalweg.Row(model="m", target=1.0, date="2026-01-01")]
    for _ in client.stream_learn(rows):
        pass


def _classes(client: thalweg.Client) -> None:
    client.upload_model("m", linear_model.LogisticRegression())
    client.learn("m", True, {"x": 1.0})


def _row(name: str, family: Metric, labels: set[str]) -> tuple[str, str]:
    inner = {"le"} if family.type == "histogram" else set()
    listed = ", ".join(f"`{label}`" for label in sorted(labels - inner))
    kind = f"{family.type} by {listed}" if listed else family.type
    return f"`{name}`<br>{kind}", plain(family.documentation)


def _exported(family: Metric) -> str:
    """The name that queries use: the parser takes the ending off a counter's."""
    return f"{family.name}_total" if family.type == "counter" else family.name
