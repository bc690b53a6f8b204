"""Domain errors as gRPC statuses: ONE table, applied by ONE interceptor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from thalweg.v1 import forecaster_pb2 as pb
from thalweg_server.core import errors
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

_METHODS = pb.DESCRIPTOR.services_by_name["Forecaster"].methods_by_name

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
    metadata = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(STATUSES[type(refusal)][0], status.message, metadata)


class Statuses(grpc.aio.ServerInterceptor):  # type: ignore[misc, unused-ignore]
    """Turns domain errors into statuses and lets telemetry see every call.

    Args:
        observe: called as (type, service, method) when a call starts; gives its observer.
        draining: whether new calls are to be turned away; those of other services (health,
            reflection) never are.
    """

    def __init__(
        self, observe: Callable[[str, str, str], CallObserver], draining: Callable[[], bool]
    ) -> None:
        self._observe = observe
        self._draining = draining

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wraps the handler of one call; see grpc.aio.ServerInterceptor."""
        # "/service/method", but nothing keeps a client from sending any other path.
        service, _, method = handler_call_details.method.removeprefix("/").partition("/")
        try:
            handler = await continuation(handler_call_details)
        except errors.Refusal as refusal:  # of an interceptor within this one
            return _refusal(self._observe(_kind(method), service, method), refusal)
        if handler is None or not service.startswith("thalweg."):
            return handler

        def begin() -> CallObserver:
            return self._observe(_kind(method), service, method)

        def check() -> None:
            if self._draining():
                raise errors.Draining("the server is shutting down: try again, or another server")

        return _WRAPPERS[handler.request_streaming, handler.response_streaming](
            handler, begin, check
        )


Begin = Callable[[], CallObserver]


def _kind(name: str) -> str:
    method = _METHODS.get(name)
    if method is None or not method.server_streaming:
        return "unary"
    return "bidi_stream" if method.client_streaming else "server_stream"


def _refusal(observer: CallObserver, refusal: errors.Refusal) -> Any:
    """A handler that refuses. Of whatever kind the rpc is, as a stream its request is not read."""

    async def call(_: AsyncIterator[Any], context: Any) -> None:
        with observer:
            observer.refused(STATUSES[type(refusal)][0])
            await abort(context, refusal)

    return grpc.stream_stream_rpc_method_handler(call)


def _unary_unary(handler: Any, begin: Begin, check: Callable[[], None]) -> Any:
    async def call(request: Any, context: Any) -> Any:
        with begin() as observer:
            observer.received()
            try:
                check()
                check_readable(request)
                response = await handler.unary_unary(request, context)
            except errors.Refusal as refusal:
                observer.refused(STATUSES[type(refusal)][0])
                await abort(context, refusal)
            observer.sent()
            return response

    return grpc.unary_unary_rpc_method_handler(
        call, reader(handler.request_deserializer), handler.response_serializer
    )


def _unary_stream(handler: Any, begin: Begin, check: Callable[[], None]) -> Any:
    async def call(request: Any, context: Any) -> AsyncIterator[Any]:
        with begin() as observer:
            observer.received()
            try:
                check()
                check_readable(request)
                async for response in handler.unary_stream(request, context):
                    yield response
                    observer.sent()
            except errors.Refusal as refusal:
                observer.refused(STATUSES[type(refusal)][0])
                await abort(context, refusal)

    return grpc.unary_stream_rpc_method_handler(
        call, reader(handler.request_deserializer), handler.response_serializer
    )


def _stream_stream(handler: Any, begin: Begin, check: Callable[[], None]) -> Any:
    async def call(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        with begin() as observer:
            try:
                check()
                messages = observer.count(readable(requests))
                async for response in handler.stream_stream(messages, context):
                    yield response
                    observer.sent()
            except errors.Refusal as refusal:
                observer.refused(STATUSES[type(refusal)][0])
                await abort(context, refusal)

    return grpc.stream_stream_rpc_method_handler(
        call, reader(handler.request_deserializer), handler.response_serializer
    )


_WRAPPERS = {
    (False, False): _unary_unary,
    (False, True): _unary_stream,
    (True, True): _stream_stream,
}
