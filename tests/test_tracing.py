"""Traces and metrics over OTLP, as a collector receives them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_rpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as traces_rpc
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from river import linear_model

import thalweg
from tests.cli.test_serve import failed, serving
from tests.conftest import Connect, StartServer
from tests.test_logs import events
from tests.wire import SECONDS, Wire, columns, opening, question, refused
from thalweg_server.tracing import NoExporter

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

ROWS = 300


class Collector(traces_rpc.TraceServiceServicer, metrics_rpc.MetricsServiceServicer):
    """What an OpenTelemetry collector does with what it is sent, as far as a test is concerned."""

    def __init__(self) -> None:
        self.resources: list[dict[str, Any]] = []
        self.spans: list[Span] = []
        self.metrics: dict[str, Metric] = {}

    def Export(self, request: Any, context: Any) -> Any:
        """Take spans or metrics: the two services have this one method each."""
        if isinstance(request, traces.ExportTraceServiceRequest):
            for group in request.resource_spans:
                self.resources.append(attributes(group.resource.attributes))
                self.spans += [span for scope in group.scope_spans for span in scope.spans]
            return traces.ExportTraceServiceResponse()
        for each in request.resource_metrics:
            self.metrics |= {m.name: m for scope in each.scope_metrics for m in scope.metrics}
        return metrics.ExportMetricsServiceResponse()

    def called(self, method: str, count: int = 1) -> list[Span]:
        """Return the spans of an rpc, once there are so many."""
        name = f"thalweg.v1.Forecaster/{method}"
        return until(lambda: [s for s in self.spans if s.name == name], lambda s: len(s) >= count)


def until(look: Callable[[], Any], enough: Callable[[Any], bool] = bool) -> Any:
    """Look again and again until it is enough, and return that."""
    deadline = time.monotonic() + SECONDS
    while not enough(seen := look()):
        assert time.monotonic() < deadline, f"not within {SECONDS} s: {seen}"
        time.sleep(0.05)
    return seen


def attributes(pairs: Any) -> dict[str, Any]:
    """Return attributes as plain values."""

    def plain(pair: KeyValue) -> Any:
        return getattr(pair.value, pair.value.WhichOneof("value") or "")

    return {pair.key: plain(pair) for pair in pairs}


@pytest.fixture
def collector() -> Iterator[tuple[Collector, str]]:
    """A collector, and its endpoint."""
    collector = Collector()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    traces_rpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    metrics_rpc.add_MetricsServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield collector, f"http://127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.fixture
def wire(
    collector: tuple[Collector, str],
    start_server: StartServer,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> Wire:
    """A client of a server that sends there, and soon."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "100")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    wire = connect(start_server(otlp_endpoint=collector[1]))
    wire.upload("m", linear_model.LinearRegression())
    return wire


def test_a_call_is_a_span_below_its_callers(collector: tuple[Collector, str], wire: Wire) -> None:
    """Named, timed and described by OpenTelemetry's conventions for rpcs."""
    before = time.time_ns()
    wire.stub.Predict(
        question("m", {"x": 1.0}),
        metadata=[("traceparent", f"00-{TRACE}-{PARENT}-01"), ("x-request-id", "order 66")],
        timeout=SECONDS,
    )
    after = time.time_ns()
    (span,) = collector[0].called("Predict")
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert span.kind == Span.SPAN_KIND_SERVER
    assert before < span.start_time_unix_nano < span.end_time_unix_nano < after
    assert span.status.code == Status.STATUS_CODE_UNSET
    assert attributes(span.attributes) == {
        "rpc.system": "grpc",
        "rpc.service": "thalweg.v1.Forecaster",
        "rpc.method": "Predict",
        "rpc.grpc.status_code": 0,
        "thalweg.request_id": "order 66",
        "thalweg.model": "m",
    }
    (upload,) = collector[0].called("UploadModel")
    assert (upload.parent_span_id, upload.trace_id == span.trace_id) == (b"", False)
    resource = collector[0].resources[0]
    assert resource["service.name"] == "thalweg"
    assert resource["service.version"] == thalweg.__version__
    assert resource["deployment.environment.name"] == "test"


def test_the_callers_decision_not_to_sample_is_kept(
    collector: tuple[Collector, str], wire: Wire
) -> None:
    """Its call is no span, those of others are."""
    unsampled = [("traceparent", f"00-{TRACE}-{PARENT}-00")]
    wire.stub.Predict(question("m", {"x": 1.0}), metadata=unsampled, timeout=SECONDS)
    wire.predict("m", {"x": 1.0})
    (span,) = collector[0].called("Predict")
    assert span.trace_id.hex() != TRACE


def test_a_span_has_the_code_that_its_call_ended_with(
    collector: tuple[Collector, str], wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller's mistakes are no errors of the server; its own are."""
    with refused("UNKNOWN_MODEL"):
        wire.predict("nix")
    (span,) = collector[0].called("Predict")
    told = attributes(span.attributes)
    assert (told["rpc.grpc.status_code"], told["thalweg.reason"]) == (5, "UNKNOWN_MODEL")
    assert span.status.code == Status.STATUS_CODE_UNSET

    def broken(*_: object, **__: object) -> None:
        raise ValueError("a mistake in the server")

    monkeypatch.setattr(wire.server.server.service, "view", broken)
    with pytest.raises(grpc.RpcError):
        wire.get("m")
    (span,) = collector[0].called("GetModel")
    assert attributes(span.attributes)["rpc.grpc.status_code"] == 2
    assert (span.status.code, span.status.message) == (Status.STATUS_CODE_ERROR, "UNKNOWN")


def test_a_stream_is_one_span(collector: tuple[Collector, str], wire: Wire) -> None:
    """With how many batches it brought, and how many rows."""
    ones = [1.0] * ROWS
    batches = [
        columns(number, models=["m"] * ROWS, target=ones, features={"x": ones}) for number in (1, 2)
    ]
    assert len(list(wire.stub.StreamLearn(iter([opening(), *batches]), timeout=SECONDS))) == 3
    (span,) = collector[0].called("StreamLearn")
    told = attributes(span.attributes)
    assert (told["thalweg.batches"], told["thalweg.rows"]) == (2, 2 * ROWS)


def test_durations_and_the_servers_sums_are_metrics(
    collector: tuple[Collector, str], wire: Wire
) -> None:
    """By conventional names; nothing is sent of single models."""
    for number in range(3):
        wire.learn("m", float(number), {"x": 1.0})

    def learned(name: str) -> int:
        points = collector[0].metrics[name].sum.data_points if name in collector[0].metrics else ()
        outcomes = {attributes(p.attributes)["outcome"]: p.as_int for p in points}
        return outcomes.get("learned", 0)

    assert until(lambda: learned("thalweg.learn.rows"), lambda n: n >= 3) == 3
    sent = collector[0].metrics
    assert set(sent) == {"rpc.server.duration", "thalweg.learn.rows", "thalweg.models"}
    assert sent["thalweg.models"].gauge.data_points[0].as_int == 1
    durations = sent["rpc.server.duration"]
    points = {attributes(p.attributes)["rpc.method"]: p for p in durations.histogram.data_points}
    assert durations.unit == "ms"
    assert points["Learn"].count == 3
    assert 0 < points["Learn"].sum < SECONDS * 1000


def test_the_last_spans_are_sent_when_the_server_stops(
    collector: tuple[Collector, str], start_server: StartServer, connect: Connect
) -> None:
    """Not only after the usual pause of seconds, or of a minute for metrics."""
    wire = connect(start_server(otlp_endpoint=collector[1]))
    wire.init()
    wire.server.stop()
    assert [span.name for span in collector[0].spans] == ["thalweg.v1.Forecaster/Init"]
    assert "thalweg.models" in collector[0].metrics


def test_a_collector_that_is_not_there_holds_up_nothing() -> None:
    """Calls are answered, and the server stops within seconds."""
    nobody = "http://127.0.0.1:9"
    with serving(THALWEG_PORT="0", OTEL_EXPORTER_OTLP_ENDPOINT=nobody) as (process, where):
        with thalweg.Client(where["address"]) as client:
            for _ in range(50):
                client.init("regression")
        process.terminate()
        _, logged = process.communicate(timeout=20)
        assert process.returncode == 0
    assert "127.0.0.1:9" in logged
    assert "Traceback" not in logged


def test_snapshots_are_written_beside_it(
    collector: tuple[Collector, str], start_server: StartServer, connect: Connect, tmp_path: Path
) -> None:
    """The process that writes one sends nothing, and ends."""
    quick = {"snapshot_learning_seconds": 0.0, "snapshot_pause_seconds": 0.0}
    wire = connect(start_server(data_dir=tmp_path / "data", otlp_endpoint=collector[1], **quick))
    wire.upload("m", linear_model.LinearRegression())
    for number in range(3):
        wire.learn("m", float(number), {"x": 1.0})
        events(wire.server, "snapshot written")
    wire.server.stop()
    names = [span.name.rpartition("/")[2] for span in collector[0].spans]
    assert sorted(names) == ["Learn", "Learn", "Learn", "UploadModel"]


def test_without_an_endpoint_nothing_of_opentelemetry_is_loaded() -> None:
    """A server that has answered a call has not imported it."""
    code = (
        "import sys\n"
        "import thalweg\n"
        "from thalweg_server.background import BackgroundServer\n"
        "from thalweg_server.config import Config\n"
        "with BackgroundServer(Config(port=0, metrics_port=0)) as server:\n"
        "    with thalweg.Client(server.address) as client:\n"
        "        client.init('regression')\n"
        "    print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_without_the_packages_an_endpoint_is_one_line() -> None:
    """That says what to install."""
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from thalweg.cli import main\n"
        "main(['serve', '--ephemeral', '--port', '0', '--otlp-endpoint', 'http://localhost:4317'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "thalweg: --otlp-endpoint needs OpenTelemetry's packages: pip install 'thalweg[otel]'\n"
    )


@pytest.mark.parametrize("endpoint", ["localhost:4317", "ftp://host", "http://", "http://u:p@host"])
def test_what_is_no_endpoint_is_refused(endpoint: str, start_server: StartServer) -> None:
    """Before anything is opened, and without telling a password."""
    with pytest.raises(NoExporter, match="is no URL such as http://") as refusal:
        start_server(otlp_endpoint=endpoint)
    assert "u:p" not in str(refusal.value)


def test_a_bad_endpoint_ends_the_command() -> None:
    """With exit code 1 and one line."""
    assert "--otlp-endpoint is no URL" in failed("--port", "0", "--otlp-endpoint", "collector")
