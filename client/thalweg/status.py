"""From the status of a failed gRPC call to the typed error."""

from __future__ import annotations

from typing import Protocol, cast

import grpc
from google.rpc import error_details_pb2, status_pb2

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


def from_rpc(failure: object) -> ThalwegError:
    """Return the typed error for a failed call.

    Args:
        failure: a `grpc.RpcError`, of the blocking or the asyncio kind.
    """
    rpc = cast(RpcFailure, failure)
    code = rpc.code() or grpc.StatusCode.UNKNOWN
    status = _status(rpc.trailing_metadata())
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
    )


def _status(trailing_metadata: object) -> status_pb2.Status:
    """Return the google.rpc.Status of the trailers, empty where there is none that parses."""
    for key, value in cast("tuple[tuple[str, bytes], ...]", trailing_metadata or ()):
        if key == _DETAILS_KEY:
            try:
                return status_pb2.Status.FromString(value)
            except ValueError:
                break
    return status_pb2.Status()
