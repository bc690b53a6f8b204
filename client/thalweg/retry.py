"""Which failed calls may be repeated, and after how long. No gRPC, no clock of its own."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import grpc
from tenacity import RetryCallState, retry_if_exception, stop_after_attempt
from tenacity.stop import stop_base
from tenacity.wait import wait_base

from thalweg.errors import Draining, Overloaded, StorageFailed, ThalwegError


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often and how patiently a call is repeated where that is safe.

    Args:
        attempts: tries in all; 1 = no retry.
        first_delay: seconds before the second try; doubles with every further one. Each wait
            is drawn between half of it and all of it, so that clients do not come in step.
        longest_delay: seconds a wait never exceeds, unless the server asks for more.
    """

    attempts: int = 6
    first_delay: float = 0.1
    longest_delay: float = 2.0

    def delay(self, attempt: int, error: BaseException | None) -> float:
        """Return the seconds to wait after failed try number `attempt`, counted from 1."""
        longest = min(self.longest_delay, self.first_delay * 2.0 ** min(attempt - 1, 60))
        asked = error.retry_after if isinstance(error, ThalwegError) else None
        return max(asked or 0.0, longest * random.uniform(0.5, 1.0))


def is_safe(error: BaseException, *, idempotent: bool) -> bool:
    """Say whether a call that failed with `error` may be repeated.

    Always where the server says that it did nothing; for a connection that could not be made
    or broke only where the call has the same effect twice as once.
    """
    if isinstance(error, Draining | Overloaded):
        return True
    return idempotent and isinstance(error, ThalwegError) and _lost_its_server(error)


def _lost_its_server(error: ThalwegError) -> bool:
    """Whether there is no connection, or it broke.

    A call that comes in the moment in which a server stops is cancelled by gRPC there, without
    a word; that a client was closed is said in its own.
    """
    cancelled = error.code is grpc.StatusCode.CANCELLED and str(error) == error.code.name
    return cancelled or error.code is grpc.StatusCode.UNAVAILABLE


def breaks_stream_only(error: ThalwegError) -> bool:
    """Say whether `error` is about the connection, so that a stream may go on over a new one."""
    if error.reason:
        return isinstance(error, Draining | StorageFailed)
    text = str(error).upper()
    return (
        error.code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        or (error.code is grpc.StatusCode.INTERNAL and "RST_STREAM" in text)
        or (error.code is grpc.StatusCode.UNKNOWN and "STREAM REMOVED" in text)
    )


class _Wait(wait_base):
    def __init__(self, policy: Retry) -> None:
        self._policy = policy

    def __call__(self, retry_state: RetryCallState) -> float:
        outcome = retry_state.outcome
        error = outcome.exception() if outcome else None
        return self._policy.delay(retry_state.attempt_number, error)


class _StopBeforeDeadline(stop_base):
    """Give up where the next wait would end after the deadline: the error says more than it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __call__(self, retry_state: RetryCallState) -> bool:
        waited = retry_state.seconds_since_start or 0.0
        return waited + retry_state.upcoming_sleep >= self._seconds


def controller_settings(policy: Retry, *, idempotent: bool, seconds: float) -> dict[str, Any]:
    """Return what `tenacity.Retrying` and `AsyncRetrying` take for one call.

    Args:
        policy: how often and how patiently.
        idempotent: whether the call has the same effect twice as once.
        seconds: time for all tries together.
    """
    return {
        "stop": stop_after_attempt(policy.attempts) | _StopBeforeDeadline(seconds),
        "wait": _Wait(policy),
        "retry": retry_if_exception(lambda error: is_safe(error, idempotent=idempotent)),
        "reraise": True,
    }
