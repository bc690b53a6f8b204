"""Every error the client raises.

One class per status code, named after it, and one per `ErrorReason` of the contract below the
class of its code: `except NotFound` catches `UnknownModel` too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import grpc

REASON_PREFIX = "ERROR_REASON_"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldViolation:
    """A field of the request that the server refused, and why."""

    field: str
    description: str


class ThalwegError(Exception):
    """Base of every error of a call.

    Attributes:
        code: the gRPC status code.
        reason: full name of the ErrorReason, such as "ERROR_REASON_BAD_DATE"; "" for errors
            that come from the transport.
        metadata: the reason's metadata, such as {"expected": "7"} of a SequenceGap.
        field_violations: the request's fields at fault.
        retry_after: seconds the server asks to wait before the call is repeated, or None.
        request_id: what the server's log names the call by; "" for errors that the client found.
    """

    default_code: ClassVar[grpc.StatusCode] = grpc.StatusCode.UNKNOWN

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode | None = None,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        field_violations: tuple[FieldViolation, ...] = (),
        retry_after: float | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code or self.default_code
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.field_violations = field_violations
        self.retry_after = retry_after
        self.request_id = request_id


class Cancelled(ThalwegError):
    """The call was cancelled, here or by the server."""

    default_code = grpc.StatusCode.CANCELLED


class Unknown(ThalwegError):
    """The server failed in a way it could not name."""


class InvalidArgument(ThalwegError):
    """The request itself is wrong; repeating it does not help."""

    default_code = grpc.StatusCode.INVALID_ARGUMENT


class DeadlineExceeded(ThalwegError):
    """No answer within `timeout`; whether the call took effect is unknown."""

    default_code = grpc.StatusCode.DEADLINE_EXCEEDED


class NotFound(ThalwegError):
    """What the call is about does not exist."""

    default_code = grpc.StatusCode.NOT_FOUND


class AlreadyExists(ThalwegError):
    """What the call would create exists."""

    default_code = grpc.StatusCode.ALREADY_EXISTS


class PermissionDenied(ThalwegError):
    """The server forbids it."""

    default_code = grpc.StatusCode.PERMISSION_DENIED


class Unauthenticated(ThalwegError):
    """The server asks for a token, or for another one."""

    default_code = grpc.StatusCode.UNAUTHENTICATED


class ResourceExhausted(ThalwegError):
    """A limit was reached: a message too large, too many models, too much queued."""

    default_code = grpc.StatusCode.RESOURCE_EXHAUSTED


class FailedPrecondition(ThalwegError):
    """The server is not in the state the call needs."""

    default_code = grpc.StatusCode.FAILED_PRECONDITION


class Aborted(ThalwegError):
    """Another call took over."""

    default_code = grpc.StatusCode.ABORTED


class OutOfRange(ThalwegError):
    """The call goes past the end of something."""

    default_code = grpc.StatusCode.OUT_OF_RANGE


class Unimplemented(ThalwegError):
    """The server does not know this rpc: it is older, or no Thalweg."""

    default_code = grpc.StatusCode.UNIMPLEMENTED


class Internal(ThalwegError):
    """The server or the connection broke a rule of its own."""

    default_code = grpc.StatusCode.INTERNAL


class Unavailable(ThalwegError):
    """The server cannot be reached, or the connection broke."""

    default_code = grpc.StatusCode.UNAVAILABLE


class DataLoss(ThalwegError):
    """Data arrived damaged, or is gone."""

    default_code = grpc.StatusCode.DATA_LOSS


class UnknownModel(NotFound):
    """No model or template of that name."""


class UnknownCandidate(NotFound):
    """The model has no candidate of that name."""


class UnknownPrediction(NotFound):
    """No prediction is stored under that id."""


class NotInitialised(FailedPrecondition):
    """Call `init` with a flavor first."""


class FlavorConflict(FailedPrecondition):
    """The server holds models of another flavor; `reset` would remove them."""


class EstimatorFailed(FailedPrecondition):
    """Every candidate raised; with metadata {"consumed": "true"} the observation is used up."""


class SequenceGap(FailedPrecondition):
    """A batch of the stream is missing; metadata `expected` names the one to send."""


class StreamNotOpen(FailedPrecondition):
    """The first message of a stream was not `open`."""


class BadPayload(InvalidArgument):
    """The payload is no dill of the server's Python."""


class NotAnEstimator(InvalidArgument):
    """The payload is no estimator of the server's flavor."""


class BadName(InvalidArgument):
    """An empty or too long name, or one with a glob character."""


class BadDate(InvalidArgument):
    """No such day, or a date where none may or one must be."""


class BadTarget(InvalidArgument):
    """A target that is missing, not finite, too large or of another kind."""


class BadFeature(InvalidArgument):
    """A feature that is not finite or too large."""


class BadRequest(InvalidArgument):
    """Fields that do not go together."""


class CandidateExists(AlreadyExists):
    """The model has a candidate of that name; `replace` would take its place."""


class PredictionUsed(AlreadyExists):
    """That prediction id was learned from."""


class ChecksumMismatch(DataLoss):
    """The bytes of an estimator are not those whose SHA-256 came with them."""


class PayloadRefused(PermissionDenied):
    """The server's policy forbids what the payload holds."""


class StreamFenced(Aborted):
    """A newer stream of the same id, or an init with `reset`, took over."""


class BatchTooLarge(ResourceExhausted):
    """The server takes smaller batches."""


class LimitReached(ResourceExhausted):
    """A limit of the server; waiting does not help."""


class BadToken(Unauthenticated):
    """The call had no token, or one that is unknown, revoked or expired."""


class RoleMissing(PermissionDenied):
    """The token has not the role that the call needs; metadata `role` names it."""


class Overloaded(ResourceExhausted):
    """Too much is queued; the call did nothing and waiting helps."""


class Draining(Unavailable):
    """The server is shutting down; the call did nothing."""


class StorageFailed(Unavailable):
    """The server's disk failed, and it ends; the call may have had its effect or not."""


class StreamForgotten(DataLoss):
    """After a broken connection the server no longer knows batches it had acked: it lost its
    state, as one that keeps it in memory does when it restarts. Found by the client."""


class VersionMismatch(FailedPrecondition):
    """A downloaded estimator was made by another Python than this one. Found by the client."""


def class_of(code: grpc.StatusCode, reason: str = "") -> type[ThalwegError]:
    """Return the class for a reason or, for one this client does not know, for its code."""
    by_reason = _CLASSES.get(_camel(reason.removeprefix(REASON_PREFIX)))
    return by_reason or _CLASSES.get(_camel(code.name), ThalwegError)


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


_CLASSES = {
    name: value
    for name, value in dict(globals()).items()
    if isinstance(value, type) and issubclass(value, ThalwegError)
}
