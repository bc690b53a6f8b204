"""A small Forecaster over real gRPC that misbehaves on request: it breaks connections, restarts,
loses its memory, is slow, is busy. It learns nothing; it counts rows."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from thalweg.v1 import forecaster_pb2 as pb
from thalweg.v1 import forecaster_pb2_grpc as rpc


@dataclass
class Fake(rpc.ForecasterServicer):
    """The servicer; its attributes say how it behaves and what it saw."""

    durable: bool = False
    max_batch_rows: int = 0
    max_batch_bytes: int = 0
    window: int = 4
    lose_ack_of: set[int] = field(default_factory=set)
    break_before: set[int] = field(default_factory=set)
    end_before: set[int] = field(default_factory=set)
    hold_acks: threading.Event | None = None
    failures: list[tuple[grpc.StatusCode, str, float | None]] = field(default_factory=list)
    stream_error: tuple[grpc.StatusCode, str] | None = None
    fail_at: int = 0
    cancels: int = 0

    calls: list[str] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    metadata: list[dict[str, Any]] = field(default_factory=list)
    opened: int = 0
    ended: int = 0
    applied: dict[str, int] = field(default_factory=dict)
    learned: list[tuple[str, float]] = field(default_factory=list)
    batches: list[pb.StreamLearnRequest] = field(default_factory=list)
    received: int = 0

    def forget(self) -> None:
        """Lose everything, as a server in memory does that restarts."""
        self.applied.clear()

    # Unary calls and PredictMany: an entry of `failures` each, then success.

    def Init(self, request: pb.InitRequest, context: grpc.ServicerContext) -> pb.InitResponse:
        self._enter("Init", request, context)
        return pb.InitResponse(flavor=request.flavor or pb.FLAVOR_REGRESSION, storage="fake")

    def Predict(self, request: pb.PredictRequest, context: Any) -> pb.PredictResponse:
        self._enter("Predict", request, context)
        return pb.PredictResponse(model=request.model, prediction=pb.Prediction(value=1.5))

    def Learn(self, request: pb.LearnRequest, context: Any) -> pb.LearnResponse:
        self._enter("Learn", request, context)
        return pb.LearnResponse(model=request.model, learned=1)

    def UploadModel(self, request: pb.UploadModelRequest, context: Any) -> pb.UploadModelResponse:
        self._enter("UploadModel", request, context)
        return pb.UploadModelResponse(info=pb.ModelInfo(model=request.model))

    def DownloadModel(
        self, request: pb.DownloadModelRequest, context: Any
    ) -> Iterator[pb.DownloadModelResponse]:
        self._enter("DownloadModel", request, context)
        yield from self.download

    download: list[pb.DownloadModelResponse] = field(default_factory=list)

    def PredictMany(
        self, request: pb.PredictManyRequest, context: Any
    ) -> Iterator[pb.PredictManyResponse]:
        self._enter("PredictMany", request, context)
        for name in request.models:
            if name == "break":
                context.abort(grpc.StatusCode.UNAVAILABLE, "broken half way")
            yield pb.PredictManyResponse(models=[name], means=[2.0])

    def _enter(self, name: str, request: Any, context: grpc.ServicerContext) -> None:
        self.calls.append(name)
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        if self.cancels:
            self.cancels -= 1
            context.cancel()
        if self.failures:
            context.abort_with_status(rich_status(*self.failures.pop(0)))

    # The stream.

    def StreamLearn(
        self, requests: Iterable[pb.StreamLearnRequest], context: grpc.ServicerContext
    ) -> Iterator[pb.StreamLearnResponse]:
        self.opened += 1
        try:
            yield from self._stream(iter(requests), context)
        finally:
            self.ended += 1

    def _stream(
        self, requests: Iterator[pb.StreamLearnRequest], context: grpc.ServicerContext
    ) -> Iterator[pb.StreamLearnResponse]:
        if self.stream_error is not None:
            code, reason = self.stream_error
            context.abort_with_status(rich_status(code, reason, None))
        name = next(requests).open.stream_id
        yield pb.StreamLearnResponse(opened=self._opened(name))
        for batch in requests:
            self.received += 1
            if batch.sequence in self.break_before:
                self.break_before.remove(batch.sequence)
                context.abort(grpc.StatusCode.UNAVAILABLE, "broken before")
            if batch.sequence in self.end_before:
                self.end_before.remove(batch.sequence)
                return
            if batch.sequence == self.fail_at:
                context.abort_with_status(
                    rich_status(grpc.StatusCode.ABORTED, "ERROR_REASON_STREAM_FENCED", None)
                )
            if self.hold_acks is not None:
                self.hold_acks.wait(10)
            ack = self._apply(name, batch)
            if batch.sequence in self.lose_ack_of:
                self.lose_ack_of.remove(batch.sequence)
                context.abort(grpc.StatusCode.UNAVAILABLE, "broken after")
            yield pb.StreamLearnResponse(ack=ack)

    def _opened(self, name: str) -> pb.StreamOpened:
        last = self.applied.get(name, 0)
        return pb.StreamOpened(
            last_applied_sequence=last,
            last_durable_sequence=last if self.durable else 0,
            durable=self.durable,
            max_batch_rows=self.max_batch_rows,
            max_batch_bytes=self.max_batch_bytes,
            max_inflight_batches=self.window,
        )

    def _apply(self, name: str, batch: pb.StreamLearnRequest) -> pb.StreamAck:
        rows = list(rows_of(batch))
        last = self.applied.get(name, 0)
        ack = pb.StreamAck(sequence=batch.sequence, applied_sequence=max(last, batch.sequence))
        ack.durable_sequence = ack.applied_sequence if self.durable else 0
        if name and batch.sequence <= last:
            ack.duplicates = len(rows)
            return ack
        assert not name or batch.sequence == last + 1, "a gap"
        self.applied[name] = batch.sequence
        self.batches.append(batch)
        self.learned += rows
        ack.learned = len(rows)
        return ack


def rows_of(batch: pb.StreamLearnRequest) -> Iterator[tuple[str, float]]:
    """Yield model and target of every row."""
    if batch.WhichOneof("body") == "rows":
        for row in batch.rows.rows:
            yield row.model, row.target.number or row.target.integer
        return
    columns = batch.columns
    index = columns.model_index or range(len(columns.target))
    for position, target in zip(index, columns.target, strict=True):
        yield columns.models[position], target


def rich_status(code: grpc.StatusCode, reason: str, retry_after: float | None) -> Any:
    """Return a status with the details that the contract asks for."""
    number: Any = code.value
    status = status_pb2.Status(code=number[0], message=f"scripted {code.name}")
    details: list[Any] = []
    if reason:
        details.append(error_details_pb2.ErrorInfo(domain="thalweg", reason=reason))
    if retry_after is not None:
        delay = Duration()
        delay.FromNanoseconds(int(retry_after * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return _Status(code, status.message, status.SerializeToString())


class _Status(grpc.Status):
    def __init__(self, code: grpc.StatusCode, details: str, raw: bytes) -> None:
        self.code = code
        self.details = details
        self.trailing_metadata = (("grpc-status-details-bin", raw),)


class FakeServer:
    """A `Fake` on a free port of this machine; `restart` breaks every connection."""

    def __init__(self, credentials: grpc.ServerCredentials | None = None, **behaviour: Any) -> None:
        self.fake = Fake(**behaviour)
        self._credentials = credentials
        self.port = 0
        self.start()

    @property
    def target(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Listen, on the same port as before."""
        server = grpc.server(
            ThreadPoolExecutor(16),
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", 64 * 1024 * 1024),
            ],
        )
        rpc.add_ForecasterServicer_to_server(self.fake, server)
        address = f"127.0.0.1:{self.port}"
        if self._credentials is None:
            self.port = server.add_insecure_port(address)
        else:
            self.port = server.add_secure_port(address, self._credentials)
        server.start()
        self._server = server

    def stop(self) -> None:
        """Stop at once; open calls break."""
        self._server.stop(None).wait()
