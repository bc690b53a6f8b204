"""How calls went, under the names that go-grpc-middleware gave these metrics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from time import perf_counter
from types import TracebackType
from typing import TypeVar

import grpc
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from thalweg_server.durations import Durations
from thalweg_server.telemetry.histograms import add_durations

T = TypeVar("T")

LABELS = ("grpc_type", "grpc_service", "grpc_method")

_COUNTERS = (
    ("started", "grpc_server_started", "Calls started on the server."),
    ("received", "grpc_server_msg_received", "Messages received on the server."),
    ("sent", "grpc_server_msg_sent", "Messages sent by the server."),
)


def code_name(code: grpc.StatusCode) -> str:
    """The code as Go spells it, which is what dashboards look for.

    >>> code_name(grpc.StatusCode.INVALID_ARGUMENT), code_name(grpc.StatusCode.CANCELLED)
    ('InvalidArgument', 'Canceled')
    """
    if code is grpc.StatusCode.OK:
        return "OK"
    if code is grpc.StatusCode.CANCELLED:
        return "Canceled"
    return code.name.title().replace("_", "")


class Calls(Collector):
    """Counts calls. Observers belong to one thread, the event loop's; any thread may collect.

    The counters are plain numbers, for the reason that `Durations` gives.
    """

    def __init__(self) -> None:
        self._methods: dict[tuple[str, str, str], _Method] = {}

    def observe(self, kind: str, service: str, method: str) -> CallObserver:
        """An observer of one call.

        Args:
            kind: "unary", "server_stream" or "bidi_stream".
            service: full name of the gRPC service.
            method: name of the rpc.
        """
        labels = (kind, service, method)
        counts = self._methods.get(labels)
        if counts is None:
            counts = self._methods[labels] = _Method()
        return CallObserver(counts)

    def started(self, *methods: str) -> int:
        """Calls of rpcs of these names that were started."""
        counts = list(self._methods.items())
        return sum(each.started for (_, _, method), each in counts if method in methods)

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client's Collector."""
        methods = list(self._methods.items())
        for attribute, name, text in _COUNTERS:
            counter = CounterMetricFamily(name, text, labels=LABELS)
            for labels, method in methods:
                counter.add_metric(labels, getattr(method, attribute))
            yield counter
        handled = CounterMetricFamily(
            "grpc_server_handled",
            "Calls completed on the server, by the code they ended with.",
            labels=(*LABELS, "grpc_code"),
        )
        seconds = HistogramMetricFamily(
            "grpc_server_handling_seconds",
            "Time from a call's start to its completion on the server.",
            labels=LABELS,
        )
        for labels, method in methods:
            for code, count in list(method.codes.items()):
                handled.add_metric((*labels, code_name(code)), count)
            add_durations(seconds, labels, method.durations)
        yield from (handled, seconds)


class _Method:
    """What is counted of one rpc."""

    __slots__ = ("codes", "durations", "received", "sent", "started")

    def __init__(self) -> None:
        self.started = 0
        self.received = 0
        self.sent = 0
        self.codes = {grpc.StatusCode.OK: 0}
        self.durations = Durations()

    def end(self, code: grpc.StatusCode, seconds: float) -> None:
        """Counts a call that ended."""
        self.codes[code] = self.codes.get(code, 0) + 1
        self.durations.add(seconds)


class CallObserver:
    """Watches one call, as a context manager around its handler.

    The call's code is what `refused` was told, else it follows from how the handler ended:
    cancelled (a stream that its reader closed counts as that), by an exception of any other
    kind, or well.
    """

    __slots__ = ("_begun", "_code", "_counts")

    def __init__(self, counts: _Method) -> None:
        self._counts = counts
        self._code: grpc.StatusCode | None = None
        self._begun = 0.0

    def __enter__(self) -> CallObserver:
        self._counts.started += 1
        self._begun = perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._counts.end(self._code or code_of(error), perf_counter() - self._begun)

    def received(self) -> None:
        """Counts a message received."""
        self._counts.received += 1

    def sent(self) -> None:
        """Counts a message sent."""
        self._counts.sent += 1

    def refused(self, code: grpc.StatusCode, reason: str = "") -> None:
        """Notes the code that the call is about to be ended with. Reasons are not counted."""
        self._code = code

    async def count(self, requests: AsyncIterator[T]) -> AsyncIterator[T]:
        """The same requests, each counted as received."""
        async for request in requests:
            self._counts.received += 1
            yield request


def code_of(error: BaseException | None) -> grpc.StatusCode:
    """What a call ends with whose handler was left by this error; None = by none."""
    if error is None:
        return grpc.StatusCode.OK
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return grpc.StatusCode.CANCELLED
    return grpc.StatusCode.UNKNOWN
