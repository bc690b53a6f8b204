"""Runs calls over a blocking gRPC channel: deadlines, retries, typed errors."""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Generator, Iterable, Iterator
from typing import Any, TypeVar

import grpc
from tenacity import Retrying

from thalweg.batches import Item
from thalweg.calls import Call
from thalweg.connection import Connection, grpc_timeout, new_request_id
from thalweg.errors import DeadlineExceeded
from thalweg.pump import Pump, items_of
from thalweg.results import Ack
from thalweg.retry import controller_settings
from thalweg.session import Session, StreamSettings
from thalweg.status import from_rpc
from thalweg.v1 import forecaster_pb2_grpc as rpc

R = TypeVar("R")


class Transport:
    """A channel and what runs on it; safe to use from several threads."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._channel = open_channel(connection)
        self._stub = rpc.ForecasterStub(self._channel)
        self._pumps: weakref.WeakSet[Pump] = weakref.WeakSet()

    def wait_ready(self, timeout: float) -> None:
        """Wait until the connection is made.

        Raises:
            DeadlineExceeded: it was not within `timeout` seconds.
        """
        ready = grpc.channel_ready_future(self._channel)
        try:
            ready.result(grpc_timeout(timeout))
        except grpc.FutureTimeoutError:
            target = self.connection.target
            raise DeadlineExceeded(f"no connection to {target} within {timeout} s") from None
        finally:
            ready.cancel()

    def close(self) -> None:
        """Cancel what runs and close the channel."""
        for pump in list(self._pumps):
            pump.close()
        self._channel.close()

    def unary(self, call: Call[R], timeout: float | None) -> R:
        """Run a unary call to its result."""
        seconds = self.connection.seconds_for(timeout, call.least_seconds)
        deadline = time.monotonic() + seconds
        method, request_id = getattr(self._stub, call.rpc), new_request_id()

        def attempt() -> R:
            left = grpc_timeout(deadline - time.monotonic())
            try:
                metadata = self.connection.metadata(request_id)
                answer = method(call.request, timeout=left, metadata=metadata)
            except grpc.RpcError as failure:
                raise from_rpc(failure, request_id) from None
            return call.read(answer)

        return self._retrying(call, seconds)(attempt)

    def stream(self, call: Call[R], timeout: float | None) -> Generator[R, None, None]:
        """Run a server-streaming call; it is repeated only before its first message."""
        seconds = math.inf if timeout is None else timeout
        deadline = time.monotonic() + seconds
        method, request_id = getattr(self._stub, call.rpc), new_request_id()

        def attempt() -> tuple[Any, Any]:
            left = grpc_timeout(deadline - time.monotonic())
            metadata = self.connection.metadata(request_id)
            answer = method(call.request, timeout=left, metadata=metadata)
            return answer, _next(answer, request_id)

        answer, message = self._retrying(call, seconds)(attempt)
        try:
            while message is not None:
                yield call.read(message)
                message = _next(answer, request_id)
        finally:
            answer.cancel()

    def learn(
        self, settings: StreamSettings, source: Iterable[Item] | Item
    ) -> Generator[Ack, None, None]:
        """Run StreamLearn to its acks."""
        pump = Pump(Session(settings), items_of(source), self._open_learn)
        self._pumps.add(pump)
        return pump.run()

    def _open_learn(self, requests: Iterator[Any]) -> Any:
        metadata = self.connection.metadata(new_request_id())
        return self._stub.StreamLearn(requests, metadata=metadata)

    def _retrying(self, call: Call[Any], seconds: float) -> Retrying:
        policy = self.connection.retry
        return Retrying(**controller_settings(policy, idempotent=call.idempotent, seconds=seconds))


def open_channel(connection: Connection) -> grpc.Channel:
    """Open a channel the way the connection says; the caller closes it."""
    credentials, options = connection.credentials(), connection.channel_options
    if credentials is None:
        return grpc.insecure_channel(connection.target, options)
    return grpc.secure_channel(connection.target, credentials, options)


def _next(answer: Iterator[Any], request_id: str) -> Any:
    """Return the next message, None at the end."""
    try:
        return next(answer, None)
    except grpc.RpcError as failure:
        raise from_rpc(failure, request_id) from None
