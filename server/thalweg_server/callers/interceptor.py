"""Stops every call whose caller is not known or may not make it, before its request is read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc

from thalweg_server.callers.checking import Tokens
from thalweg_server.callers.identity import CALLER, Caller
from thalweg_server.callers.roles import Need, check_role, needed
from thalweg_server.core.errors import BadToken

SCHEME = "bearer "

HOW = (
    "send metadata `authorization: Bearer <token>` (the command line: --token-file or "
    "THALWEG_TOKEN); the server's owner makes tokens with `thalweg token new`"
)


class Callers(grpc.aio.ServerInterceptor):  # type: ignore[misc, unused-ignore]
    """Finds a call's caller by its token, and sets `CALLER` for its handler.

    What it raises is for the interceptor around it, `Statuses`, to turn into a status.

    Args:
        tokens: the callers.
    """

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """See grpc.aio.ServerInterceptor.

        Raises:
            BadToken: there is no token, or it is not or no longer known.
            RoleMissing: its caller may not make this call.
        """
        method: str = handler_call_details.method
        need = needed(method)
        if need is Need.NOTHING:
            return await continuation(handler_call_details)
        token = _token_of(handler_call_details.invocation_metadata)
        # The handler runs in the task of this coroutine, and so in its context.
        CALLER.set(self._admitted(token, method))
        handler = await continuation(handler_call_details)
        if handler is None or not handler.response_streaming:
            return handler
        return _watched(handler, lambda: self._admitted(token, method))

    def _admitted(self, token: str, method: str) -> Caller:
        caller = self._tokens.caller(token)
        if caller is None:
            raise BadToken(f"the call's token is unknown, revoked or expired: {HOW}")
        need = needed(method)
        if not isinstance(need, Need):
            check_role(caller, need, method.rpartition("/")[2])
        return caller


def _token_of(metadata: Any) -> str:
    for key, value in metadata or ():
        if key == "authorization":
            if not isinstance(value, str) or not value[: len(SCHEME)].lower() == SCHEME:
                raise BadToken(f"the call's authorization is no bearer token: {HOW}")
            return value[len(SCHEME) :].strip()
    raise BadToken(f"this server asks for a token, and the call has none: {HOW}")


def _watched(handler: Any, check: Callable[[], Caller]) -> Any:
    """The same handler; its stream ends where the caller is no longer admitted."""
    run = handler.stream_stream if handler.request_streaming else handler.unary_stream
    wrap = (
        grpc.stream_stream_rpc_method_handler
        if handler.request_streaming
        else grpc.unary_stream_rpc_method_handler
    )

    async def call(request: Any, context: Any) -> AsyncIterator[Any]:
        async with aclosing(run(request, context)) as responses:
            async for response in responses:
                check()
                yield response

    return wrap(call, handler.request_deserializer, handler.response_serializer)
