"""The contract's rpcs as raw bytes: what was sent, what came back, and whether it may."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc

from tests.wire import failure
from thalweg.v1 import forecaster_pb2 as pb
from thalweg_server.core import errors
from thalweg_server.status import STATUSES

SERVICE = pb.DESCRIPTOR.services_by_name["Forecaster"]

HANG_SECONDS = 90.0
"""A call that takes longer hangs: three times what a worker may take for an upload."""

BYTES_A_SECOND = 500
"""That a stream may go on for beyond that: a row may have four bytes, and a model of River's own
that learns it, on a busy machine, as many milliseconds.
"""

WATCH_SECONDS, WATCH_MESSAGES_MAX = 0.1, 3
"""WatchScores never ends by itself: how long it is listened to."""

IMPOSSIBLE = {
    *(errors.Draining, errors.StorageFailed),  # nobody stops the server, and it has no disk
    *(errors.BadToken, errors.RoleMissing),  # it asks for none
    *(errors.NotInitialised, errors.Overloaded),  # it is told its flavor, and called one by one
}
"""Refusals that would be lies here."""

LEGITIMATE = {
    (code, pb.ErrorReason.Name(reason).removeprefix("ERROR_REASON_"))
    for refusal, (code, reason) in STATUSES.items()
    if refusal not in IMPOSSIBLE
}
"""Codes with the reasons that may come with them. UNKNOWN and INTERNAL are not among them."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call: an rpc's name and its messages, of which all but StreamLearn take one."""

    method: str
    messages: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended.

    Args:
        code: its status.
        reason: of its ErrorInfo; empty where it has none.
        message: of its status.
        responses: what came before.
        seconds: it took.
    """

    code: grpc.StatusCode
    reason: str
    message: str
    responses: tuple[bytes, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the call succeeded."""
        return self.code is grpc.StatusCode.OK

    @property
    def label(self) -> str:
        """Code and reason, to count by."""
        return f"{self.code.name} {self.reason}".strip()


class Caller:
    """Sends raw bytes over one channel; never raises."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._rpcs = {each.name: _rpc(channel, each) for each in SERVICE.methods}

    def __call__(self, call: Call) -> Answer:
        """Make a call and wait for its end."""
        method = SERVICE.methods_by_name[call.method]
        request = iter(call.messages) if method.client_streaming else call.messages[0]
        seconds = _patience(call)
        begun = time.monotonic()
        responses: list[bytes] = []
        code, reason, message = grpc.StatusCode.OK, "", ""
        try:
            answer = self._rpcs[call.method](request, timeout=seconds)
            responses += _read(call.method, answer) if method.server_streaming else [answer]
        except grpc.RpcError as error:
            code, message = error.code(), error.details() or ""
            with contextlib.suppress(ValueError):  # details that contradict the status
                reason = failure(error).reason
        return Answer(code, reason, message, tuple(responses), time.monotonic() - begun)


def wrong_with(call: Call, answer: Answer) -> str:
    """Why a call may not end like this; empty where it may."""
    if answer.ok or (answer.code, answer.reason) in LEGITIMATE:
        return ""
    if call.method == "WatchScores" and answer.code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return ""
    return f"{call.method} ended with {answer.label}: {answer.message[:300]}"


def _patience(call: Call) -> float:
    """Seconds that a call may take."""
    if call.method == "WatchScores":
        return WATCH_SECONDS
    streamed = call.method == "StreamLearn"
    return HANG_SECONDS + streamed * sum(map(len, call.messages)) / BYTES_A_SECOND


def _read(method: str, answer: Any) -> Iterator[bytes]:
    for number, response in enumerate(answer, 1):
        yield response
        if method == "WatchScores" and number == WATCH_MESSAGES_MAX:
            answer.cancel()
            return


def _rpc(channel: grpc.Channel, method: Any) -> Any:
    make: Any
    if method.client_streaming:
        make = channel.stream_stream
    elif method.server_streaming:
        make = channel.unary_stream
    else:
        make = channel.unary_unary
    return make(f"/{SERVICE.full_name}/{method.name}", _same, _same)


def _same(data: bytes) -> bytes:
    return data
