"""Sends calls as spans, and the server's sums as metrics, to an OpenTelemetry collector.

Whatever becomes of the collector, serving goes on: spans wait in a bounded queue, for a thread of
their own, and are dropped where that is full.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import version
from uuid import uuid4

import grpc
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from thalweg_server.core.service import Service
from thalweg_server.durations import SECONDS
from thalweg_server.endings import Ended

NAME = "thalweg"

PUSH_SECONDS = 60.0
"""Between two pushes of metrics, where OTEL_METRIC_EXPORT_INTERVAL (milliseconds) is not set."""

FLUSH_SECONDS_MAX = 1.5
"""What a server that stops waits for a collector to take the last spans and sums."""

FAULTS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
"""Codes that are the server's fault, by OpenTelemetry's conventions: others are its callers'."""


class Exporter:
    """Spans and metrics of one server. See `start_exporter`.

    Metrics are calls' durations and sums of the whole server. Those of single models are not sent:
    a push of 61,000 candidates each minute is what Prometheus' page is there to avoid.

    The SDK's globals are left to whoever embeds the server.
    """

    def __init__(self, endpoint: str, service: Callable[[], Service]) -> None:
        self._service = service
        resource = _resource()
        self._spans = OTLPSpanExporter(endpoint=endpoint)
        self._tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._tracers.add_span_processor(BatchSpanProcessor(self._spans))
        self._tracer = self._tracers.get_tracer(NAME)
        self._parents = TraceContextTextMapPropagator()
        self._sums = OTLPMetricExporter(endpoint=endpoint)
        # Without a thread: the SDK would start that anew in the process that writes a snapshot.
        self._reader = PeriodicExportingMetricReader(self._sums, export_interval_millis=math.inf)
        self._meters = MeterProvider([self._reader], resource=resource, shutdown_on_exit=False)
        self._measure()
        self._closed = threading.Event()
        self._pusher = threading.Thread(target=self._push, name="thalweg-otlp", daemon=True)

    def start(self) -> None:
        """Begins to send metrics; from now on there is a service."""
        self._pusher.start()

    def ended(self, call: Ended) -> None:
        """Takes a call that is over. The event loop's thread."""
        code: int = call.code.value[0]  # type: ignore[index, unused-ignore]
        facts: dict[str, str | int] = {
            "rpc.system": "grpc",
            "rpc.service": call.service,
            "rpc.method": call.method,
            "rpc.grpc.status_code": code,
        }
        self._durations.record(call.duration_ns / 1e6, facts)
        span = self._tracer.start_span(
            f"{call.service}/{call.method}",
            context=self._parent(call),
            kind=SpanKind.SERVER,
            attributes=facts | dict(_particulars(call)),
            start_time=call.begun_ns,
        )
        if call.code in FAULTS:
            span.set_status(StatusCode.ERROR, call.reason or call.code.name)
        span.end(call.begun_ns + call.duration_ns)

    def close(self) -> None:
        """Sends what is left, if the collector takes it at once; idempotent."""
        self._closed.set()
        if self._pusher.ident is None:  # a server that did not get as far
            self._pusher.start()
        self._pusher.join(FLUSH_SECONDS_MAX)
        if self._pusher.is_alive():  # and would try again and again
            self._spans.shutdown()
            self._sums.shutdown()

    def _parent(self, call: Ended) -> Context:
        carrier = {key: value for key, value in call.metadata if isinstance(value, str)}
        return self._parents.extract(carrier, Context())

    def _measure(self) -> None:
        meter = self._meters.get_meter(NAME)
        self._durations = meter.create_histogram(
            "rpc.server.duration",
            unit="ms",
            description="Time from a call's start to its completion.",
            explicit_bucket_boundaries_advisory=[1000 * each for each in SECONDS],
        )
        meter.create_observable_counter(
            "thalweg.learn.rows",
            [lambda _: list(self._rows())],
            unit="{row}",
            description="Rows sent to learn, by what became of them.",
        )
        meter.create_observable_gauge(
            "thalweg.models",
            [lambda _: [Observation(len(self._service().registry.models))]],
            unit="{model}",
            description="Models held.",
        )

    def _rows(self) -> Iterator[Observation]:
        for outcome, count in list(self._service().totals.rows.items()):
            yield Observation(count, {"outcome": outcome})

    def _push(self) -> None:
        """Has metrics sent until it is closed, then all that is left. The pusher's thread."""
        pause = float(os.environ.get("OTEL_METRIC_EXPORT_INTERVAL", PUSH_SECONDS * 1000)) / 1000
        while not self._closed.wait(pause):
            self._reader.collect()
        flush = threading.Thread(target=self._tracers.shutdown, daemon=True)
        flush.start()
        self._reader.collect()
        self._meters.shutdown()
        flush.join()


def _particulars(call: Ended) -> Iterator[tuple[str, str | int]]:
    """What there is to say of this call alone; too much for a metric's attributes."""
    for name in ("request_id", "reason", "caller", "model", "batches", "rows"):
        value = getattr(call, name)
        if value:
            yield f"{NAME}.{name}", value


def _resource() -> Resource:
    """Who sends: what the environment says of it (OTEL_SERVICE_NAME, …) goes first."""
    ours = {
        "service.name": NAME,
        "service.version": version("thalweg"),
        "service.instance.id": str(uuid4()),
    }
    return Resource.create(ours).merge(OTELResourceDetector().detect())
