"""A server as deploy/ runs it, learning, and a real Prometheus that scrapes it every second."""

from __future__ import annotations

import json
import math
import os
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

import pytest

import thalweg
from tests.deploy.files import PROMETHEUS, ROOT
from tests.deploy.test_keys import make_keys
from thalweg import m5
from thalweg.errors import UnknownModel
from thalweg.observations import Columns
from thalweg_server.engines.compiled.cache import KernelCache

DEPARTMENTS = ("FOODS_1", "FOODS_2", "HOBBIES_1")
STORES = ("CA_1", "CA_2", "TX_1", "WI_3")
MODELS = [f"{dept}_{n:03}_{store}" for dept in DEPARTMENTS for n in range(25) for store in STORES]
FIRST_DAY = 16_800
DAYS = 18
PAUSE_SECONDS = 0.75
"""Between two days: so a scrape lies between most of them."""

PATIENCE_SECONDS = 60.0

COMPILING_SECONDS = 200.0
"""For an upload, where no run before this one has left kernels behind."""


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A Prometheus that answers.

    Args:
        address: host and port.
    """

    address: str

    def get(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its HTTP API; fails on an error, and on a warning."""
        url = f"http://{self.address}/api/v1/{path}"
        with urlopen(Request(url, urlencode(parameters).encode() or None)) as response:
            answer = json.load(response)
        assert answer["status"] == "success"
        assert not answer.get("warnings")
        return answer["data"]

    def query(self, expression: str) -> list[Any]:
        """What an expression gives now: its series."""
        result: list[Any] = self.get("query", query=expression)["result"]
        return result

    def value(self, expression: str) -> float | None:
        """The value of the one series that an expression gives; None where there is none."""
        series = self.query(expression)
        assert len(series) <= 1
        return float(series[0]["value"][1]) if series else None

    def wait_for(self, expression: str, wanted: float) -> None:
        """Returns when an expression has a value; fails after some time."""
        end = time.monotonic() + PATIENCE_SECONDS
        while (found := self.value(expression)) != wanted:
            assert time.monotonic() < end, f"{expression} is {found}, not {wanted}"
            time.sleep(0.2)

    @property
    def names(self) -> set[str]:
        """Names of all series."""
        return set(self.get("label/__name__/values"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A server that has learned, and its Prometheus.

    Args:
        client: an admin's.
        prometheus: has seen everything that was learned.
        page: URL of the server's metrics.
        keys: folder of certificate and tokens.
        learned: rows.
    """

    client: thalweg.Client
    prometheus: Prometheus
    page: str
    keys: Path
    learned: int

    def metrics(self) -> str:
        """The server's metrics, fetched as Prometheus does."""
        context = ssl.create_default_context(cafile=self.keys / "tls.crt")
        token = (self.keys / "metrics-token").read_text().strip()
        request = Request(self.page, headers={"Authorization": f"Bearer {token}"})
        with urlopen(request, context=context) as response:
            text: str = response.read().decode()
        return text


@pytest.fixture(scope="module")
def scene(kernels: KernelCache, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """The keys of make-keys, the files of deploy/prometheus, a stream of days, and some errors."""
    folder = tmp_path_factory.mktemp("scene")
    make_keys(folder / "keys", "thalweg")
    with (
        _server(folder, kernels) as (address, page),
        _prometheus(folder, urlsplit(page).netloc) as prometheus,
        _client(address, folder / "keys") as client,
    ):
        learned = _learn(client, prometheus)
        yield Scene(
            client=client, prometheus=prometheus, page=page, keys=folder / "keys", learned=learned
        )


@contextmanager
def _server(folder: Path, kernels: KernelCache) -> Iterator[tuple[str, str]]:
    """A server process; where gRPC listens, and the URL of the metrics."""
    command = [sys.executable, "-m", "tests.deploy.child", str(folder)]
    environment = {**os.environ, "THALWEG_KERNEL_CACHE": str(kernels.folder)}
    with (
        (folder / "server.log").open("w") as log,
        _process(command, stdout=subprocess.PIPE, stderr=log, cwd=ROOT, env=environment) as process,
    ):
        assert process.stdout
        line = process.stdout.readline()
        assert line, (folder / "server.log").read_text()
        where = json.loads(line)
        yield where["address"], where["metrics"]


@contextmanager
def _process(command: list[str], **settings: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends with the test."""
    process = subprocess.Popen(command, **settings)
    with process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def _prometheus(folder: Path, target: str) -> Iterator[Prometheus]:
    """Prometheus with the files of deploy/, but for paths, the target, and a faster pace."""
    config = (PROMETHEUS / "prometheus.yml").read_text()
    config = config.replace("/etc/thalweg/", f"{folder}/keys/").replace("thalweg:9464", target)
    (folder / "prometheus.yml").write_text(config.replace("interval: 15s", "interval: 1s"))
    (folder / "rules").mkdir()
    for path in (PROMETHEUS / "rules").glob("*.yml"):
        text = re.sub(r"interval: \w+", "interval: 1s", path.read_text())
        (folder / "rules" / path.name).write_text(text)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", "--log.level=warn"]
    command += [f"--storage.tsdb.path={folder}/tsdb", f"--web.listen-address={address}"]
    with (
        (folder / "prometheus.log").open("w") as log,
        _process(command, stdout=log, stderr=log) as process,
    ):
        _wait_until_ready(address, process, folder / "prometheus.log")
        yield Prometheus(address)


def _wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with urlopen(f"http://{address}/-/ready"):
                return
        except URLError:
            time.sleep(0.1)
    pytest.fail(f"Prometheus does not start: {log.read_text()}")


def _client(address: str, keys: Path) -> thalweg.Client:
    token = (keys / "admin-token").read_text().strip()
    return thalweg.Client(address, token=token, tls=keys / "tls.crt")


def _learn(client: thalweg.Client, prometheus: Prometheus) -> int:
    """Streams some days of sales, with a call now and then; returns the rows that were learned."""
    for candidate, pipeline in {"knn": m5.knn(), "lm": m5.lm()}.items():
        client.upload_model(
            *("*_?", pipeline),
            candidate=candidate,
            template=True,
            context=m5.CONTEXT,
            timeout=COMPILING_SECONDS,
        )
    prometheus.wait_for("sum(thalweg_templates)", 1)
    learned = sum(ack.learned for ack in client.stream_learn(_days(client)))
    prometheus.wait_for("sum(thalweg_model_learned_total)", learned)
    # A rule may have been evaluated just before that scrape.
    prometheus.wait_for("count(ALERTS{alertname='ThalwegRejectedRows', alertstate='firing'})", 1)
    return learned


def _days(client: thalweg.Client) -> Iterator[Columns]:
    """Sales day by day: noise, a weekly swing and, of every tenth item, a wild one."""
    for day in range(FIRST_DAY, FIRST_DAY + DAYS):
        time.sleep(PAUSE_SECONDS)
        client.predict(MODELS[day % len(MODELS)], date="2016-02-01")
        with pytest.raises(UnknownModel):
            client.predict("no such model", candidate="knn")
        targets = [_units(place, day) for place in range(len(MODELS))]
        bad = MODELS[:1] if day % 5 == 0 else []
        yield Columns(
            models=[*MODELS, *bad], targets=[*targets, *(math.nan for _ in bad)], date_days=[day]
        )


def _units(item: int, day: int) -> float:
    noise = (item * 7919 + day * 104_729) % 11
    return float(noise * (1 + 9 * (item % 10 == 0)) + (day % 7) * (item % 4))
