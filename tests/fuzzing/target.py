"""The server under test, in a process of its own, and what shows that it is well."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Self

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client.parser import text_string_to_metric_families

from tests.fuzzing.estimators import Canary, X, canaries
from tests.fuzzing.methods import HANG_SECONDS, Call, Caller
from tests.fuzzing.seeds import uploads
from tests.wire import values
from thalweg.v1 import forecaster_pb2 as pb

GROWTH_MB_MAX = 600.0
"""How much the front process may grow: the models that messages make, and freed memory that the
allocator keeps."""

STOP_SECONDS_MAX = 60.0


class Target:
    """A server of one flavor; a context manager.

    Args:
        flavor: what its models predict.

    Attributes:
        call: makes raw calls.
        growth_mb: of the process' memory since its start, at most so far.
    """

    def __init__(self, flavor: str) -> None:
        self.flavor = flavor
        self.growth_mb = 0.0
        self._canaries = canaries(flavor)
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._seen = 0

    def __enter__(self) -> Self:
        options = ("--ephemeral", "--port", "0", "--metrics-port", "0", "--json")
        kind = ("--flavor", self.flavor, "--uploads", "safe")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "thalweg_server", *options, *kind],
            stdout=subprocess.PIPE,
            stderr=self._complaints,
        )
        assert self._process.stdout is not None
        where = json.loads(self._process.stdout.readline())
        self._metrics: str = where["metrics"]
        self._channel = grpc.insecure_channel(where["address"])
        self._health = health_pb2_grpc.HealthStub(self._channel)
        self.call = Caller(self._channel)
        self.prepare()
        self._first_mb = self._megabytes()
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._complaints.close()

    def kill(self) -> None:
        """Kill the server."""
        self._process.kill()
        self._process.wait()

    def prepare(self) -> None:
        """Put the server into the state that every stretch of calls begins with."""
        flavor = pb.Flavor.Value(f"FLAVOR_{self.flavor.upper()}")
        self._do("Init", pb.InitRequest(flavor=flavor, reset=True))
        for request in uploads(self.flavor):
            self._do("UploadModel", request)
        for canary in self._canaries:
            self._do(
                "UploadModel", pb.UploadModelRequest(model=canary.name, payload=canary.payload)
            )

    def ailment(self) -> str:
        """What is wrong with the server; empty where it is well."""
        if (code := self._process.poll()) is not None:
            return f"the server ended with code {code}:\n{self._said()}"
        said = self._said()
        if "Traceback" in said or "Fatal Python error" in said:
            return f"the server complained:\n{said}"
        self.growth_mb = max(self.growth_mb, self._megabytes() - self._first_mb)
        if self.growth_mb > GROWTH_MB_MAX:
            return f"the server grew by {self.growth_mb:.0f} MB: at most {GROWTH_MB_MAX:.0f}"
        try:
            health = self._health.Check(health_pb2.HealthCheckRequest(), timeout=HANG_SECONDS)
        except grpc.RpcError as error:
            return f"health: {error.code().name}: {error.details()}"
        if health.status != health_pb2.HealthCheckResponse.SERVING:
            return f"health is {health.status}"
        return next(filter(None, map(self._misses, self._canaries)), "")

    def figures(self) -> dict[str, float]:
        """The unlabelled samples of the metrics page, which has to parse."""
        with urllib.request.urlopen(self._metrics, timeout=HANG_SECONDS) as response:
            page = response.read().decode()
        families = text_string_to_metric_families(page)
        return {s.name: s.value for family in families for s in family.samples if not s.labels}

    def _misses(self, canary: Canary) -> str:
        """Asked for by name of the candidate: templates may add others to the model."""
        question = pb.PredictRequest(model=canary.name, candidate="default", features=values(X))
        answer = self.call(Call("Predict", (question.SerializeToString(),)))
        if not answer.ok:
            return f"{canary.name}: {answer.label}: {answer.message}"
        said = pb.PredictResponse.FromString(answer.responses[0]).prediction
        if canary.value is not None:
            right = said.WhichOneof("kind") == "value" and said.value == canary.value
        else:
            right = dict(said.probabilities.by_class) == canary.probabilities
        return "" if right else f"{canary.name} predicted {said}, not {canary}"

    def _do(self, method: str, request: pb.InitRequest | pb.UploadModelRequest) -> None:
        answer = self.call(Call(method, (request.SerializeToString(),)))
        assert answer.ok, f"{method}: {answer.label}: {answer.message}"

    def _said(self) -> str:
        """What is new on stderr."""
        self._complaints.seek(self._seen)
        said = self._complaints.read()
        self._seen += len(said)
        return said.decode(errors="replace")

    def _megabytes(self) -> float:
        statm = Path(f"/proc/{self._process.pid}/statm").read_text(encoding="ascii")
        return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
