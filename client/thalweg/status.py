"""From the status of a failed gRPC call to the typed error."""

from __future__ import annotations

from typing import Protocol, cast

import grpc
from google.rpc import error_details_pb2, status_pb2

from thalweg.connection import REQUEST_ID
from thalweg.errors import FieldViolation, ThalwegError, class_of

DOMAIN = "thalweg"
_DETAILS_KEY = "grpc-status-details-bin"


class RpcFailure(Protocol):
    """What grpc's blocking and asyncio errors have in common."""

    def code(self) -> grpc.StatusCode:
        """Return the status code."""

    def details(self) -> str | None:
        """Return the message."""

    def trailing_metadata(self) -> object:
        """Return pairs of key and value, or None."""


def from_rpc(failure: object, request_id: str = "") -> ThalwegError:
    """Return the typed error for a failed call.

    Args:
        failure: a `grpc.RpcError`, of the blocking or the asyncio kind.
        request_id: what went with the call; where the server answered with another, that counts.
    """
    rpc = cast(RpcFailure, failure)
    code = rpc.code() or grpc.StatusCode.UNKNOWN
    trailers = dict(cast("tuple[tuple[str, str | bytes], ...]", rpc.trailing_metadata() or ()))
    status = _status(trailers.get(_DETAILS_KEY))
    reason, metadata, retry_after = "", dict[str, str](), None
    violations: list[FieldViolation] = []
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    for detail in status.details:
        if detail.Unpack(info) and info.domain == DOMAIN:
            reason, metadata = info.reason, dict(info.metadata)
        elif detail.Unpack(bad):
            violations += [
                FieldViolation(field=v.field, description=v.description)
                for v in bad.field_violations
            ]
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta().total_seconds()
    return class_of(code, reason)(
        rpc.details() or code.name,
        code=code,
        reason=reason,
        metadata=metadata,
        field_violations=tuple(violations),
        retry_after=retry_after,
        request_id=str(trailers.get(REQUEST_ID, request_id)),
    )


def _status(details: str | bytes | None) -> status_pb2.Status:
    """Return the google.rpc.Status of the trailers, empty where there is none that parses."""
    try:
        return status_pb2.Status.FromString(cast(bytes, details or b""))
    except ValueError:
        return status_pb2.Status()
