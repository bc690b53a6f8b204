"""Domain errors as gRPC statuses: ONE table, applied by ONE interceptor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from structlog.contextvars import bind_contextvars

from thalweg.v1 import forecaster_pb2 as pb
from thalweg_server.callers.identity import caller_name
from thalweg_server.core import errors
from thalweg_server.endings import Call, Ended, Observer, Watch
from thalweg_server.logs import Seldom, log
from thalweg_server.request_ids import HEADER, request_id_of
from thalweg_server.telemetry import CallObserver
from thalweg_server.unreadable import check_readable, readable, reader

Code = grpc.StatusCode

STATUSES: dict[type[errors.Refusal], tuple[grpc.StatusCode, pb.ErrorReason.ValueType]] = {
    errors.UnknownModel: (Code.NOT_FOUND, pb.ERROR_REASON_UNKNOWN_MODEL),
    errors.UnknownCandidate: (Code.NOT_FOUND, pb.ERROR_REASON_UNKNOWN_CANDIDATE),
    errors.UnknownPrediction: (Code.NOT_FOUND, pb.ERROR_REASON_UNKNOWN_PREDICTION),
    errors.NotInitialised: (Code.FAILED_PRECONDITION, pb.ERROR_REASON_NOT_INITIALISED),
    errors.FlavorConflict: (Code.FAILED_PRECONDITION, pb.ERROR_REASON_FLAVOR_CONFLICT),
    errors.EstimatorFailed: (Code.FAILED_PRECONDITION, pb.ERROR_REASON_ESTIMATOR_FAILED),
    errors.SequenceGap: (Code.FAILED_PRECONDITION, pb.ERROR_REASON_SEQUENCE_GAP),
    errors.StreamNotOpen: (Code.FAILED_PRECONDITION, pb.ERROR_REASON_STREAM_NOT_OPEN),
    errors.BadPayload: (Code.INVALID_ARGUMENT, pb.ERROR_REASON_BAD_PAYLOAD),
    errors.NotAnEstimator: (Code.INVALID_ARGUMENT, pb.ERROR_REASON_NOT_AN_ESTIMATOR),
    errors.BadName: (Code.INVALID_ARGUMENT, pb.ERROR_REASON_BAD_NAME),
    errors.BadDate: (Code.INVALID_ARGUMENT, pb.ERROR_REASON_BAD_DATE),
    errors.BadTarget: (Code.INVALID_ARGUMENT, pb.ERROR_REASON_BAD_TARGET),
    errors.BadFeature: (Code.INVALID_ARGUMENT, pb.ERROR_REASON_BAD_FEATURE),
    errors.BadRequest: (Code.INVALID_ARGUMENT, pb.ERROR_REASON_BAD_REQUEST),
    errors.CandidateExists: (Code.ALREADY_EXISTS, pb.ERROR_REASON_CANDIDATE_EXISTS),
    errors.PredictionUsed: (Code.ALREADY_EXISTS, pb.ERROR_REASON_PREDICTION_USED),
    errors.ChecksumMismatch: (Code.DATA_LOSS, pb.ERROR_REASON_CHECKSUM_MISMATCH),
    errors.PayloadRefused: (Code.PERMISSION_DENIED, pb.ERROR_REASON_PAYLOAD_REFUSED),
    errors.StreamFenced: (Code.ABORTED, pb.ERROR_REASON_STREAM_FENCED),
    errors.BatchTooLarge: (Code.RESOURCE_EXHAUSTED, pb.ERROR_REASON_BATCH_TOO_LARGE),
    errors.LimitReached: (Code.RESOURCE_EXHAUSTED, pb.ERROR_REASON_LIMIT_REACHED),
    errors.Overloaded: (Code.RESOURCE_EXHAUSTED, pb.ERROR_REASON_OVERLOADED),
    errors.Draining: (Code.UNAVAILABLE, pb.ERROR_REASON_DRAINING),
    errors.StorageFailed: (Code.UNAVAILABLE, pb.ERROR_REASON_STORAGE_FAILED),
    errors.BadToken: (Code.UNAUTHENTICATED, pb.ERROR_REASON_BAD_TOKEN),
    errors.RoleMissing: (Code.PERMISSION_DENIED, pb.ERROR_REASON_ROLE_MISSING),
}

_SERVICE = pb.DESCRIPTOR.services_by_name["Forecaster"]
_METHODS = _SERVICE.methods_by_name

UNKNOWN = "unknown"
"""Service and rpc of calls of what is not in the contract: each name that is counted takes memory
for good, and strangers can think of any number."""

MESSAGE_BYTES_MAX = 1_200
"""UTF-8 of a message: in trailers, which hold 8 KiB by default, it travels up to three times, once
of these at three bytes for one."""

RETRY_SECONDS = 1


def reason_of(refusal: errors.Refusal) -> pb.ErrorReason.ValueType:
    """The contract's reason for a domain error."""
    return STATUSES[type(refusal)][1]


def message_of(refusal: errors.Refusal) -> str:
    """The error's text, cut where it is too long to send."""
    text = refusal.message.encode(errors="replace")
    if len(text) <= MESSAGE_BYTES_MAX:
        return text.decode()
    return text[:MESSAGE_BYTES_MAX].decode(errors="ignore") + "…"


def details_of(refusal: errors.Refusal) -> status_pb2.Status:
    """The error as google.rpc.Status: ErrorInfo, BadRequest for a field, RetryInfo for a wait."""
    code, reason = STATUSES[type(refusal)]
    message = message_of(refusal)
    number: int = code.value[0]  # type: ignore[index, unused-ignore]
    status = status_pb2.Status(code=number, message=message)
    info = error_details_pb2.ErrorInfo(
        reason=pb.ErrorReason.Name(reason), domain="thalweg", metadata=refusal.metadata
    )
    _pack(status, info)
    if refusal.field:
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=refusal.field, description=message
        )
        _pack(status, error_details_pb2.BadRequest(field_violations=[violation]))
    if isinstance(refusal, errors.Overloaded):
        delay = Duration(seconds=RETRY_SECONDS)
        _pack(status, error_details_pb2.RetryInfo(retry_delay=delay))
    return status


def _pack(status: status_pb2.Status, detail: Any) -> None:
    packed = AnyMessage()
    packed.Pack(detail)
    status.details.append(packed)


async def abort(context: Any, refusal: errors.Refusal) -> None:
    """Ends a call with the error; what comes after this is not reached."""
    status = details_of(refusal)
    details = ("grpc-status-details-bin", status.SerializeToString())
    metadata = (*context.trailing_metadata(), details)
    await context.abort(STATUSES[type(refusal)][0], status.message, metadata)


class Statuses(grpc.aio.ServerInterceptor):  # type: ignore[misc, unused-ignore]
    """Turns domain errors into statuses, and lets telemetry, log and traces see every call.

    Args:
        observe: called as (type, service, method) when a call starts; gives its observer.
        draining: whether new calls are to be turned away; those of other services (health,
            reflection) never are.
        told: told of each call that ended; nothing is found out for nobody.
    """

    def __init__(
        self,
        observe: Callable[[str, str, str], CallObserver],
        draining: Callable[[], bool],
        told: Sequence[Callable[[Ended], None]] = (),
    ) -> None:
        self._observe = observe
        self._draining = draining
        self._told = told
        self._limits = Seldom()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wraps the handler of one call; see grpc.aio.ServerInterceptor."""
        service, method = _named(handler_call_details.method)
        metadata = handler_call_details.invocation_metadata
        request_id = request_id_of(metadata)

        def begin(request: Any, context: Any) -> Observer:
            caller = caller_name()
            bind_contextvars(request_id=request_id, **({"caller": caller} if caller else {}))
            context.set_trailing_metadata(((HEADER, request_id),))
            counted = self._observe(_kind(method), service, method)
            if not self._told:
                return counted
            call = Call(service, method, request_id, caller, metadata)
            return Watch(counted, call, request, self._told)

        try:
            handler = await continuation(handler_call_details)
        except errors.Refusal as refusal:  # of an interceptor within this one
            return _refusal(begin, self._refuse, refusal)
        if handler is None or service == UNKNOWN:
            return handler
        return _WRAPPERS[handler.request_streaming, handler.response_streaming](
            handler, begin, self._check, self._refuse
        )

    def _check(self) -> None:
        if self._draining():
            raise errors.Draining("the server is shutting down: try again, or another server")

    async def _refuse(self, observer: Observer, context: Any, refusal: errors.Refusal) -> None:
        code, number = STATUSES[type(refusal)]
        reason = pb.ErrorReason.Name(number).removeprefix("ERROR_REASON_")
        observer.refused(code, reason)
        if code is Code.RESOURCE_EXHAUSTED:
            left_out = self._limits.left_out(reason)
            if left_out is not None:
                log().warning("limit hit", reason=reason, why=refusal.message, left_out=left_out)
        await abort(context, refusal)


Begin = Callable[[Any, Any], Observer]
Check = Callable[[], None]
Refuse = Callable[[Observer, Any, errors.Refusal], Awaitable[None]]


def _named(path: str) -> tuple[str, str]:
    """Service and rpc of "/service/rpc"; nothing keeps a client from sending any other path."""
    service, _, method = path.removeprefix("/").partition("/")
    if service == _SERVICE.full_name and method in _METHODS:
        return service, method
    return UNKNOWN, UNKNOWN


def _kind(name: str) -> str:
    method = _METHODS.get(name)
    if method is None or not method.server_streaming:
        return "unary"
    return "bidi_stream" if method.client_streaming else "server_stream"


def _refusal(begin: Begin, refuse: Refuse, refusal: errors.Refusal) -> Any:
    """A handler that refuses. Of whatever kind the rpc is, as a stream its request is not read."""

    async def call(_: AsyncIterator[Any], context: Any) -> None:
        with begin(None, context) as observer:
            await refuse(observer, context, refusal)

    return grpc.stream_stream_rpc_method_handler(call)


def _unary_unary(handler: Any, begin: Begin, check: Check, refuse: Refuse) -> Any:
    async def call(request: Any, context: Any) -> Any:
        with begin(request, context) as observer:
            observer.received()
            try:
                check()
                check_readable(request)
                response = await handler.unary_unary(request, context)
            except errors.Refusal as refusal:
                await refuse(observer, context, refusal)
            observer.sent()
            return response

    return grpc.unary_unary_rpc_method_handler(
        call, reader(handler.request_deserializer), handler.response_serializer
    )


def _unary_stream(handler: Any, begin: Begin, check: Check, refuse: Refuse) -> Any:
    async def call(request: Any, context: Any) -> AsyncIterator[Any]:
        with begin(request, context) as observer:
            observer.received()
            try:
                check()
                check_readable(request)
                async for response in handler.unary_stream(request, context):
                    yield response
                    observer.sent()
            except errors.Refusal as refusal:
                await refuse(observer, context, refusal)

    return grpc.unary_stream_rpc_method_handler(
        call, reader(handler.request_deserializer), handler.response_serializer
    )


def _stream_stream(handler: Any, begin: Begin, check: Check, refuse: Refuse) -> Any:
    async def call(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        with begin(None, context) as observer:
            try:
                check()
                messages = observer.count(readable(requests))
                async for response in handler.stream_stream(messages, context):
                    yield response
                    observer.sent()
            except errors.Refusal as refusal:
                await refuse(observer, context, refusal)

    return grpc.stream_stream_rpc_method_handler(
        call, reader(handler.request_deserializer), handler.response_serializer
    )


_WRAPPERS = {
    (False, False): _unary_unary,
    (False, True): _unary_stream,
    (True, True): _stream_stream,
}
