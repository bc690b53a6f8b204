"""Talking to a server through the generated stubs, and looking at its live estimators."""

from __future__ import annotations

import asyncio
import contextlib
import queue
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import dill
import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from tests.structure import snapshot
from thalweg.v1 import forecaster_pb2 as pb
from thalweg.v1 import forecaster_pb2_grpc
from thalweg_server.background import BackgroundServer
from thalweg_server.engines.river import RiverEngine

SECONDS = 60.0
"""Deadline of every call: far more than any takes, so that a hanging server fails a test."""


def value(given: Any) -> pb.Value:
    """Return a Python value as the contract's Value; None has no kind."""
    if given is None:
        return pb.Value()
    kinds = {bool: "flag", int: "integer", float: "number", str: "text"}
    return pb.Value(**{kinds[type(given)]: given})


def values(x: Mapping[str, Any] | None) -> dict[str, pb.Value]:
    """Return features as the contract's map."""
    return {name: value(each) for name, each in (x or {}).items()}


def row(model: str, target: Any = None, x: Any = None, **fields: Any) -> pb.LearnRequest:
    """Return one observation; `x` is features, or a text."""
    if isinstance(x, str):
        fields["text"] = x
    else:
        fields["features"] = values(x)
    return pb.LearnRequest(model=model, target=value(target), **fields)


def question(model: str, x: Any = None, **fields: Any) -> pb.PredictRequest:
    """Return what to ask; `x` is features, or a text."""
    if isinstance(x, str):
        fields["text"] = x
    else:
        fields["features"] = values(x)
    return pb.PredictRequest(model=model, **fields)


def payload(estimator: Any) -> bytes:
    """Return an estimator as an upload carries it."""
    return bytes(dill.dumps(estimator, recurse=True))


def opening(stream_id: str = "", **options: Any) -> pb.StreamLearnRequest:
    """Return the first message of a stream."""
    return pb.StreamLearnRequest(open=pb.StreamOpen(stream_id=stream_id, **options))


def batch(sequence: int, rows: Iterable[pb.LearnRequest]) -> pb.StreamLearnRequest:
    """Return a batch of rows."""
    return pb.StreamLearnRequest(sequence=sequence, rows=pb.LearnRows(rows=rows))


def columns(sequence: int, **fields: Any) -> pb.StreamLearnRequest:
    """Return a batch in columns; `features` are name to values, numbers or texts."""
    features = {name: column(each) for name, each in fields.pop("features", {}).items()}
    body = pb.LearnColumns(features=features, **fields)
    return pb.StreamLearnRequest(sequence=sequence, columns=body)


def column(given: Iterable[float] | Iterable[str]) -> pb.Column:
    """Return values as one column."""
    given = list(given)
    if given and isinstance(given[0], str):
        return pb.Column(texts=pb.TextColumn(values=given))
    return pb.Column(numbers=pb.NumberColumn(values=given))


@dataclass(frozen=True)
class Failure:
    """An error as a client in any language sees it."""

    code: grpc.StatusCode
    message: str
    reason: str
    domain: str
    metadata: dict[str, str]
    fields: list[str]
    retry_seconds: float | None


def failure(error: grpc.RpcError) -> Failure:
    """Return what an error carries; one without ErrorInfo has an empty reason."""
    status = rpc_status.from_call(error)
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    retry, waits = error_details_pb2.RetryInfo(), False
    for detail in status.details if status else ():
        detail.Unpack(info)
        detail.Unpack(request)
        waits = detail.Unpack(retry) or waits
    return Failure(
        code=error.code(),
        message=error.details(),
        reason=info.reason.removeprefix("ERROR_REASON_"),
        domain=info.domain,
        metadata=dict(info.metadata),
        fields=[violation.field for violation in request.field_violations],
        retry_seconds=retry.retry_delay.ToMicroseconds() / 1e6 if waits else None,
    )


@contextlib.contextmanager
def refused(reason: str) -> Iterator[list[Failure]]:
    """Expect an error of this reason; the list then holds it."""
    seen: list[Failure] = []
    try:
        yield seen
    except grpc.RpcError as error:
        seen.append(failure(error))
    assert seen, f"no error, {reason} expected"
    assert seen[0].reason == reason, seen[0]


class Stream:
    """One StreamLearn call, message by message. A context manager: leaving it cancels."""

    def __init__(self, stub: forecaster_pb2_grpc.ForecasterStub) -> None:
        self._outgoing: queue.SimpleQueue[pb.StreamLearnRequest | None] = queue.SimpleQueue()
        self.call = stub.StreamLearn(iter(self._outgoing.get, None), timeout=SECONDS)

    def send(self, *messages: pb.StreamLearnRequest) -> Self:
        """Send messages and do not wait."""
        for message in messages:
            self._outgoing.put(message)
        return self

    def open(self, stream_id: str = "", **options: Any) -> pb.StreamOpened:
        """Open the stream and return the server's answer."""
        self.send(opening(stream_id, **options))
        return self.receive().opened

    def learn(self, *messages: pb.StreamLearnRequest) -> pb.StreamAck:
        """Send batches and return the ack of the last."""
        self.send(*messages)
        return [self.ack() for _ in messages][-1]

    def ack(self) -> pb.StreamAck:
        """Return the next ack."""
        return self.receive().ack

    def acks_until_refused(self, reason: str) -> list[pb.StreamAck]:
        """Return the acks that come before the stream ends with an error of this reason."""
        acks: list[pb.StreamAck] = []
        with refused(reason):
            while True:
                acks.append(self.ack())
        return acks

    def receive(self) -> pb.StreamLearnResponse:
        """Return the next message; raises grpc.RpcError where the stream failed."""
        return next(self.call)

    def done(self) -> None:
        """Half-close, and wait for the end; raises grpc.RpcError unless it is a good one."""
        self._outgoing.put(None)
        assert list(self.call) == []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._outgoing.put(None)
        self.call.cancel()


class Wire:
    """The generated client of a server in this process, with shorthands.

    Args:
        server: whose state `estimator` looks at.
        channel: to it.
    """

    def __init__(self, server: BackgroundServer, channel: grpc.Channel) -> None:
        self.server = server
        self.channel = channel
        self.stub = forecaster_pb2_grpc.ForecasterStub(channel)

    def init(self, flavor: Any = pb.FLAVOR_UNSPECIFIED, *, reset: bool = False) -> pb.InitResponse:
        """Call Init."""
        return self.stub.Init(pb.InitRequest(flavor=flavor, reset=reset), timeout=SECONDS)

    def upload(self, model: str, estimator: Any, candidate: str = "", **fields: Any) -> Any:
        """Upload an estimator, or bytes, and return the ModelInfo."""
        data = estimator if isinstance(estimator, bytes) else payload(estimator)
        request = pb.UploadModelRequest(model=model, candidate=candidate, payload=data, **fields)
        return self.stub.UploadModel(request, timeout=SECONDS).info

    def learn(self, model: str, target: Any = None, x: Any = None, **fields: Any) -> Any:
        """Learn one observation."""
        return self.stub.Learn(row(model, target, x, **fields), timeout=SECONDS)

    def predict(self, model: str, x: Any = None, **fields: Any) -> pb.PredictResponse:
        """Ask one model."""
        return self.stub.Predict(question(model, x, **fields), timeout=SECONDS)

    def predict_many(self, **fields: Any) -> list[pb.PredictManyResponse]:
        """Ask many models and return all parts of the answer."""
        features = {name: column(each) for name, each in fields.pop("features", {}).items()}
        request = pb.PredictManyRequest(features=features, **fields)
        return list(self.stub.PredictMany(request, timeout=SECONDS))

    def get(self, model: str, *, template: bool = False) -> pb.ModelInfo:
        """Describe a model."""
        request = pb.GetModelRequest(model=model, template=template)
        return self.stub.GetModel(request, timeout=SECONDS).info

    def score(self, model: str, candidate: str = "default") -> pb.Score:
        """Return a candidate's score."""
        return next(c.score for c in self.get(model).candidates if c.candidate == candidate)

    def names(self, **fields: Any) -> list[str]:
        """List the names of models."""
        return [info.model for info in self.list(**fields).models]

    def list(self, **fields: Any) -> pb.ListModelsResponse:
        """Return one page of models."""
        return self.stub.ListModels(pb.ListModelsRequest(**fields), timeout=SECONDS)

    def delete(self, model: str, candidate: str = "", *, template: bool = False) -> None:
        """Delete a model or candidate."""
        request = pb.DeleteModelRequest(model=model, candidate=candidate, template=template)
        self.stub.DeleteModel(request, timeout=SECONDS)

    def download(self, model: str, candidate: str = "", *, template: bool = False) -> Any:
        """Return all messages of a download."""
        request = pb.DownloadModelRequest(model=model, candidate=candidate, template=template)
        return list(self.stub.DownloadModel(request, timeout=SECONDS))

    def stream(self) -> Stream:
        """Begin a StreamLearn call."""
        return Stream(self.stub)

    def estimator(self, model: str, candidate: str = "default") -> Any:
        """Return a copy of a live estimator; a quiet server is assumed."""
        return snapshot(self.live(model, candidate))

    def live(self, model: str, candidate: str = "default") -> Any:
        """Return an estimator with a candidate's state; of an in-process engine its own object."""
        found = self.server.server.service.registry.models[model].find(candidate)
        assert found is not None
        if isinstance(self.engine, RiverEngine):
            return self.engine.estimator(found.slot)
        return dill.loads(self.run(lambda: self.engine.dump(found.slot)))

    def run(self, function: Callable[[], Any]) -> Any:
        """Run a function in the models' thread, between two slices."""

        async def call() -> Any:
            return await self.server.server.models_thread.call(function)

        return asyncio.run_coroutine_threadsafe(call(), self.server.loop).result(SECONDS)

    @property
    def engine(self) -> Any:
        """The server's engine; `len` says how many candidates it holds."""
        return self.server.server.service.engine

    def state(self) -> Any:
        """Return everything a refused call must leave as it is, to compare with `difference`."""
        service = self.server.server.service
        models = sorted(service.registry.models)
        return snapshot(
            {
                "flavor": service.flavor,
                "infos": [_described(self.get(name)) for name in models],
                "templates": sorted(service.registry.templates),
                "estimators": {
                    (name, c.name): self.estimator(name, c.name)
                    for name in models
                    for c in service.registry.models[name].candidates
                },
                "pending": service.ledger.pending,
                "requests": list(service.ledger._requests),
                "predictions": list(service.ledger._predictions),
                "streams": {n: mark.applied for n, mark in service.streams.marks.items()},
            }
        )


def _described(info: pb.ModelInfo) -> str:
    for candidate in info.candidates:
        candidate.ClearField("state_bytes")  # an estimate, which caches change
    return str(info)
