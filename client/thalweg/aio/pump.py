"""Drives a `Session` over asyncio gRPC: one task feeds, one sends, the caller's receives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import suppress
from typing import Any

import grpc

from thalweg.batches import Batcher, Item
from thalweg.results import Ack
from thalweg.session import Session
from thalweg.status import from_rpc
from thalweg.v1 import forecaster_pb2 as pb


class Pump:
    """One `stream_learn` in progress; everything runs on one event loop."""

    def __init__(
        self,
        session: Session,
        source: AsyncIterable[Item] | Iterable[Item],
        open_call: Callable[[], Any],
    ) -> None:
        self._session = session
        self._source = source
        self._open_call = open_call
        self._changed = asyncio.Event()
        self._batcher: Batcher | None = None
        self._failure: BaseException | None = None

    async def run(self) -> AsyncGenerator[Ack, None]:
        """Yield the acks; raise what the source raised once all before it is acked."""
        feeder = asyncio.create_task(self._feed())
        connection: AsyncGenerator[Ack, None] | None = None
        try:
            while not self._session.finished:
                connection = self._one_connection()
                async for ack in connection:
                    yield ack
        finally:
            if connection is not None:
                await connection.aclose()
            await _stop(feeder)
        if self._failure is not None:
            raise self._failure

    async def _one_connection(self) -> AsyncGenerator[Ack, None]:
        self._session.connect()
        call = self._open_call()
        sender = asyncio.create_task(self._send(call))
        try:
            async for message in call:
                ack = self._session.receive(message)
                self._notify()
                if ack is not None:
                    yield ack
            delay = self._session.ended_by_server(time.monotonic())
        except grpc.RpcError as failure:
            delay = self._session.broken(from_rpc(failure), time.monotonic())
        finally:
            call.cancel()
            await _stop(sender)
        await asyncio.sleep(delay)

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    # The feeding task.

    async def _feed(self) -> None:
        try:
            await self._take_all()
        except BaseException as error:
            self._failure = error
        self._session.end()
        self._notify()

    async def _take_all(self) -> None:
        while (limits := self._session.limits) is None:
            await self._changed.wait()
        self._batcher = batcher = Batcher(limits, self._session.settings.batch_rows)
        items = _iterate(self._source)
        try:
            async for item in items:
                idle = not batcher.pending
                for batch in batcher.add(item):
                    await self._put(batch)
                if idle and batcher.pending:
                    self._notify()
        finally:
            await items.aclose()
        for batch in batcher.flush():
            await self._put(batch)

    async def _put(self, batch: pb.StreamLearnRequest) -> None:
        while not self._session.has_room:
            await self._changed.wait()
        self._session.put(batch)
        self._notify()
        await asyncio.sleep(0)

    # The sending task.

    async def _send(self, call: Any) -> None:
        # Whatever ends the call shows where it is read, with its status.
        with suppress(grpc.RpcError, grpc.aio.InternalError, asyncio.InvalidStateError):
            while not self._session.all_sent:
                message = self._session.next_message()
                if message is None:
                    await self._wait_or_send_what_there_is()
                else:
                    await _write(call, message)
            await call.done_writing()

    async def _wait_or_send_what_there_is(self) -> None:
        batcher, linger = self._batcher, self._session.linger
        if batcher is None or linger is None or not batcher.pending:
            await self._changed.wait()
            return
        try:
            await asyncio.wait_for(self._changed.wait(), linger)
        except TimeoutError:
            if self._session.has_room:
                for batch in batcher.flush():
                    self._session.put(batch)


async def _iterate(source: AsyncIterable[Item] | Iterable[Item]) -> AsyncGenerator[Item, None]:
    """Yield from either kind of iterable, and close an async generator at the end."""
    if not isinstance(source, AsyncIterable):
        for item in source:
            yield item
        return
    items: AsyncIterator[Item] = aiter(source)
    try:
        async for item in items:
            yield item
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()


async def _write(call: Any, message: pb.StreamLearnRequest) -> None:
    """Send a message.

    Not with `call.write` where it can be helped: when that meets the end of the call it puts an
    INTERNAL of its own in place of the status that the server sent, and STREAM_FENCED is lost.
    """
    inner = getattr(call, "_cython_call", None)
    if inner is None:
        await call.write(message)
        return
    await call.wait_for_connection()
    await inner.send_serialized_message(message.SerializeToString())


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()
