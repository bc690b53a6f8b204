"""Holds every call to the bounds: what its caller has under way, and when its request has to come.

gRPC runs a handler whose request is one message only once that message is there, and lets no one
give up waiting. A few such calls are harmless. Where they are many, the next ones are taken in
another way, as streams that bring one message: those are counted at once and do not wait for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from inspect import isawaitable
from typing import Any

import grpc

from thalweg_server.config import Config
from thalweg_server.core.errors import BadRequest, Overloaded, Refusal
from thalweg_server.rpc.quotas import Quotas, caller_key
from thalweg_server.status import abort


class Bounds(grpc.aio.ServerInterceptor):  # type: ignore[misc, unused-ignore]
    """The innermost interceptor: it knows the caller, and is told when the request is there.

    Args:
        quotas: what callers have under way.
        config: the bounds.

    Attributes:
        opening: calls whose request has not come yet.
    """

    def __init__(self, quotas: Quotas, config: Config) -> None:
        self.opening = 0
        self._quotas = quotas
        self._config = config

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """See grpc.aio.ServerInterceptor."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        ours = handler_call_details.method.startswith("/thalweg.")
        if handler.request_streaming:
            return _like(handler, self._stream(handler.stream_stream, ours, _nothing))
        begun = self._begin()
        if handler.response_streaming:
            run = self._stream(handler.unary_stream, ours, begun)
        else:
            run = self._call(handler.unary_unary, ours, begun)
        if self.opening > self._config.opening_calls_max:
            return self._patient(handler, run)
        return _like(handler, run)

    def _begin(self) -> Callable[[], None]:
        """Counts a call as opening until the result is called, or it is over."""
        opening = [None]
        self.opening += 1

        def begun(_: object = None) -> None:
            if opening:
                opening.clear()
                self.opening -= 1

        task = asyncio.current_task()  # lives as long as the call
        assert task is not None
        task.add_done_callback(begun)
        return begun

    def _call(self, run: Any, ours: bool, begun: Callable[[], None]) -> Any:
        async def call(request: Any, context: Any) -> Any:
            begun()
            if not ours:  # health is answered whatever else is going on
                return await run(request, context)
            with self._quotas.call(caller_key(context), request.ByteSize()):
                return await run(request, context)

        return call

    def _stream(self, run: Any, ours: bool, begun: Callable[[], None]) -> Any:
        async def call(request: Any, context: Any) -> AsyncIterator[Any]:
            begun()
            try:
                with self._quotas.stream(caller_key(context)):
                    running = run(request, context)
                    if isawaitable(running):  # one that writes by itself, as health's does
                        await running
                        return
                    async with aclosing(running) as responses:
                        async for response in responses:
                            yield response
            except Refusal as refusal:
                if ours:
                    raise
                await abort(context, refusal)

        return call

    def _patient(self, handler: Any, run: Any) -> Any:
        """Takes the request as a stream of one, and gives up where it does not come."""
        seconds = self._config.request_seconds_max

        async def read(requests: AsyncIterator[Any], context: Any) -> Any:
            with self._quotas.call(caller_key(context), 0):
                try:
                    async with asyncio.timeout(seconds):
                        request = await anext(requests, None)
                except TimeoutError:
                    raise Overloaded(
                        f"many calls are open, and this one's request did not come within "
                        f"{seconds:g} s: try again"
                    ) from None
            if request is None:
                raise BadRequest("the call ended before its request came: send one message")
            return request

        async def call(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
            try:
                request = await read(requests, context)
            except Refusal as refusal:
                await abort(context, refusal)
            if not handler.response_streaming:
                yield await run(request, context)
                return
            async with aclosing(run(request, context)) as responses:
                async for response in responses:
                    yield response

        return grpc.stream_stream_rpc_method_handler(
            call, handler.request_deserializer, handler.response_serializer
        )


def _nothing() -> None:
    """Streams of requests are not waited for: their handlers begin at once."""


def _like(handler: Any, run: Any) -> Any:
    """A handler of the same kind that runs something else."""
    if handler.request_streaming:
        make = grpc.stream_stream_rpc_method_handler
    elif handler.response_streaming:
        make = grpc.unary_stream_rpc_method_handler
    else:
        make = grpc.unary_unary_rpc_method_handler
    return make(run, handler.request_deserializer, handler.response_serializer)
