"""Runs calls over an asyncio gRPC channel: deadlines, retries, typed errors."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from typing import Any, TypeVar

import grpc
from tenacity import AsyncRetrying

from thalweg.aio.pump import Pump
from thalweg.batches import Item
from thalweg.calls import Call
from thalweg.connection import Connection, grpc_timeout, new_request_id
from thalweg.errors import DeadlineExceeded
from thalweg.pump import items_of
from thalweg.results import Ack
from thalweg.retry import controller_settings
from thalweg.session import Session, StreamSettings
from thalweg.status import from_rpc
from thalweg.v1 import forecaster_pb2_grpc as rpc

R = TypeVar("R")


class Transport:
    """A channel, made on the running event loop at the first call, and what runs on it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._channel: grpc.aio.Channel | None = None
        self._stub: rpc.ForecasterAsyncStub | None = None

    def _opened(self) -> tuple[grpc.aio.Channel, rpc.ForecasterAsyncStub]:
        if self._channel is None or self._stub is None:
            self._channel = _open_channel(self.connection)
            self._stub = rpc.ForecasterStub(self._channel)
        return self._channel, self._stub

    async def wait_ready(self, timeout: float) -> None:
        """Wait until the connection is made.

        Raises:
            DeadlineExceeded: it was not within `timeout` seconds.
        """
        channel, _ = self._opened()
        try:
            await asyncio.wait_for(channel.channel_ready(), grpc_timeout(timeout))
        except TimeoutError:
            target = self.connection.target
            raise DeadlineExceeded(f"no connection to {target} within {timeout} s") from None

    async def close(self) -> None:
        """Cancel what runs and close the channel."""
        if self._channel is not None:
            await self._channel.close()

    async def unary(self, call: Call[R], timeout: float | None) -> R:
        """Run a unary call to its result."""
        seconds = self.connection.seconds_for(timeout, call.least_seconds)
        deadline = time.monotonic() + seconds
        method, request_id = getattr(self._opened()[1], call.rpc), new_request_id()

        async def attempt() -> R:
            left = grpc_timeout(deadline - time.monotonic())
            metadata = self.connection.metadata(request_id)
            try:
                answer = await method(call.request, timeout=left, metadata=metadata)
            except grpc.RpcError as failure:
                raise from_rpc(failure, request_id) from None
            return call.read(answer)

        return await self._retrying(call, seconds)(attempt)

    async def stream(self, call: Call[R], timeout: float | None) -> AsyncGenerator[R, None]:
        """Run a server-streaming call; it is repeated only before its first message."""
        seconds = math.inf if timeout is None else timeout
        deadline = time.monotonic() + seconds
        method, request_id = getattr(self._opened()[1], call.rpc), new_request_id()

        async def attempt() -> tuple[Any, Any]:
            left = grpc_timeout(deadline - time.monotonic())
            metadata = self.connection.metadata(request_id)
            answer = method(call.request, timeout=left, metadata=metadata)
            return answer, await _next(answer, request_id)

        answer: Any
        message: Any
        answer, message = await self._retrying(call, seconds)(attempt)
        try:
            while message is not None:
                yield call.read(message)
                message = await _next(answer, request_id)
        finally:
            answer.cancel()

    def learn(
        self, settings: StreamSettings, source: AsyncIterable[Item] | Iterable[Item] | Item
    ) -> AsyncGenerator[Ack, None]:
        """Run StreamLearn to its acks."""
        items = source if isinstance(source, AsyncIterable) else items_of(source)
        return Pump(Session(settings), items, self._open_learn).run()

    def _open_learn(self) -> Any:
        return self._opened()[1].StreamLearn(metadata=self.connection.metadata(new_request_id()))

    def _retrying(self, call: Call[Any], seconds: float) -> AsyncRetrying:
        settings = controller_settings(
            self.connection.retry, idempotent=call.idempotent, seconds=seconds
        )
        return AsyncRetrying(**settings)


def _open_channel(connection: Connection) -> grpc.aio.Channel:
    credentials, options = connection.credentials(), connection.channel_options
    if credentials is None:
        return grpc.aio.insecure_channel(connection.target, options)
    return grpc.aio.secure_channel(connection.target, credentials, options)


async def _next(answer: Any, request_id: str) -> Any:
    """Return the next message, None at the end."""
    try:
        message = await answer.read()
    except grpc.RpcError as failure:
        raise from_rpc(failure, request_id) from None
    except BaseException:
        answer.cancel()
        raise
    return None if message is grpc.aio.EOF else message
