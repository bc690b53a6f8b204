"""Calls that ended: what the log and traces are told of each, where somebody asked for that."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter_ns, time_ns
from types import TracebackType
from typing import Any, Protocol

import grpc

from thalweg.v1 import forecaster_pb2 as pb
from thalweg_server.logs import log
from thalweg_server.telemetry import CallObserver
from thalweg_server.telemetry.calls import code_name, code_of

Metadata = Iterable[tuple[str, str | bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """One call that is over.

    Args:
        service: full name of the gRPC service.
        method: name of the rpc.
        code: what it ended with.
        reason: of the contract's reasons, without their prefix; empty where there is none.
        begun_ns: when it began, in nanoseconds since 1970.
        duration_ns: how long it took, in nanoseconds.
        caller: name of its token; empty where it has none.
        model: the one that it names; empty where it names none, or many.
        request_id: what it is found by.
        batches: that a stream brought,
        rows: and the rows in them.
        metadata: that came with it; tokens among it.
    """

    service: str
    method: str
    code: grpc.StatusCode
    reason: str
    begun_ns: int
    duration_ns: int
    caller: str
    model: str
    request_id: str
    batches: int
    rows: int
    metadata: Metadata


class Observer(Protocol):
    """Watches one call, as a context manager around its handler. See `CallObserver`."""

    def __enter__(self) -> Observer: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def received(self) -> None: ...

    def sent(self) -> None: ...

    def refused(self, code: grpc.StatusCode, reason: str = "") -> None: ...

    def count(self, requests: AsyncIterator[Any]) -> AsyncIterator[Any]: ...


@dataclass(frozen=True, slots=True)
class Call:
    """What is known of a call when it begins; as in `Ended`."""

    service: str
    method: str
    request_id: str
    caller: str
    metadata: Metadata


class Watch:
    """The observer of a call whose end is told.

    Args:
        counted: the observer that counts it.
        call: what it is.
        request: its message; None for a stream of them.
        told: who is told.
    """

    def __init__(
        self,
        counted: CallObserver,
        call: Call,
        request: Any,
        told: Sequence[Callable[[Ended], None]],
    ) -> None:
        self._counted = counted
        self._call = call
        self._told = told
        self._model: str = getattr(request, "model", "")
        self._code: grpc.StatusCode | None = None
        self._reason = ""
        self._batches = self._rows = 0

    def __enter__(self) -> Watch:
        self._begun_ns, self._clock_ns = time_ns(), perf_counter_ns()
        self._counted.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._counted.__exit__(kind, error, traceback)
        ended = Ended(
            service=self._call.service,
            method=self._call.method,
            code=self._code or code_of(error),
            reason=self._reason,
            begun_ns=self._begun_ns,
            duration_ns=perf_counter_ns() - self._clock_ns,
            caller=self._call.caller,
            model=self._model,
            request_id=self._call.request_id,
            batches=self._batches,
            rows=self._rows,
            metadata=self._call.metadata,
        )
        for tell in self._told:
            tell(ended)

    def received(self) -> None:
        """See `CallObserver`."""
        self._counted.received()

    def sent(self) -> None:
        """See `CallObserver`."""
        self._counted.sent()

    def refused(self, code: grpc.StatusCode, reason: str = "") -> None:
        """See `CallObserver`."""
        self._code, self._reason = code, reason
        self._counted.refused(code, reason)

    async def count(self, requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """See `CallObserver`; counts batches and rows as well."""
        async for request in self._counted.count(requests):
            if getattr(request, "sequence", 0):  # single calls may come as streams
                self._batches += 1
                self._rows += _rows(request)
            yield request


def log_ended(ended: Ended) -> None:
    """One line for a call. There is none per row."""
    fields = {
        "reason": ended.reason,
        "caller": ended.caller,
        "model": ended.model,
        "batches": ended.batches,
        "rows": ended.rows,
    }
    log().debug(
        "rpc",
        method=ended.method,
        code=code_name(ended.code),
        seconds=round(ended.duration_ns / 1e9, 6),
        request_id=ended.request_id,
        **{name: value for name, value in fields.items() if value},
    )


def _rows(request: pb.StreamLearnRequest) -> int:
    columns = request.columns
    return len(request.rows.rows) or len(columns.target) or len(columns.target_text)
