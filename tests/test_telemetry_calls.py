"""Calls are counted under go-grpc-middleware's names."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import grpc
import pytest

from tests.scraping import Samples, make_service, read, value
from thalweg_server.telemetry import CallObserver, Telemetry


def observed(run: Callable[[CallObserver], object]) -> Samples:
    """The page after one call that ran this inside its observer."""
    telemetry = Telemetry(make_service())
    with suppress(*_EXPECTED), telemetry.observe("unary", "s", "M") as call:
        run(call)
    return read(telemetry)


LABELS = {"grpc_type": "unary", "grpc_service": "s", "grpc_method": "M"}
_EXPECTED = (asyncio.CancelledError, GeneratorExit, ValueError, grpc.aio.AbortError)


def _raise(error: BaseException) -> Callable[[CallObserver], None]:
    def run(_: CallObserver) -> None:
        raise error

    return run


def _refuse(code: grpc.StatusCode) -> Callable[[CallObserver], None]:
    def run(call: CallObserver) -> None:
        call.refused(code)
        raise grpc.aio.AbortError  # what context.abort raises

    return run


@pytest.mark.parametrize(
    ("run", "code"),
    [
        (lambda call: call.sent(), "OK"),
        (_raise(asyncio.CancelledError()), "Canceled"),
        (_raise(GeneratorExit()), "Canceled"),
        (_raise(ValueError("a bug")), "Unknown"),
        (_refuse(grpc.StatusCode.INVALID_ARGUMENT), "InvalidArgument"),
        (_refuse(grpc.StatusCode.DEADLINE_EXCEEDED), "DeadlineExceeded"),
        (_refuse(grpc.StatusCode.NOT_FOUND), "NotFound"),
        (_refuse(grpc.StatusCode.RESOURCE_EXHAUSTED), "ResourceExhausted"),
        (_refuse(grpc.StatusCode.CANCELLED), "Canceled"),
    ],
)
def test_a_call_ends_with_its_code(run: Callable[[CallObserver], None], code: str) -> None:
    """The code is what the handler was refused with, or follows from how it ended."""
    samples = observed(run)
    handled = {
        dict(labels)["grpc_code"]: count
        for (name, labels), count in samples.items()
        if name == "grpc_server_handled_total" and count
    }
    assert handled == {code: 1}
    assert value(samples, "grpc_server_started_total", **LABELS) == 1
    assert value(samples, "grpc_server_handling_seconds_count", **LABELS) == 1


def test_durations_fall_into_cumulative_buckets() -> None:
    """A call of 2 ms counts in every bucket from 2.5 ms up, and in the sum."""
    samples = observed(lambda _: time.sleep(0.002))
    counts = {
        float(dict(labels)["le"]): count
        for (name, labels), count in samples.items()
        if name == "grpc_server_handling_seconds_bucket"
    }
    assert counts[0.001] == 0
    assert counts[10.0] == counts[float("inf")] == 1
    assert list(counts.values()) == sorted(counts.values())
    total = value(samples, "grpc_server_handling_seconds_sum", **LABELS)
    assert total is not None
    assert total >= 0.002


async def test_requests_are_counted_as_they_are_read() -> None:
    """A stream's messages pass through, each counted."""
    telemetry = Telemetry(make_service())

    async def requests() -> AsyncIterator[int]:
        for n in range(3):
            yield n

    with telemetry.observe("bidi_stream", "s", "M") as call:
        assert [n async for n in call.count(requests())] == [0, 1, 2]
        call.sent()
    samples = read(telemetry)
    labels = LABELS | {"grpc_type": "bidi_stream"}
    assert value(samples, "grpc_server_msg_received_total", **labels) == 3
    assert value(samples, "grpc_server_msg_sent_total", **labels) == 1


async def test_a_stream_that_its_reader_closes_counts_as_cancelled() -> None:
    """Closing the response generator is how a server stream is cancelled."""
    telemetry = Telemetry(make_service())

    async def responses() -> AsyncIterator[int]:
        with telemetry.observe("unary", "s", "M") as call:
            while True:
                call.sent()
                yield 1

    stream = responses()
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    handled = value(read(telemetry), "grpc_server_handled_total", grpc_code="Canceled", **LABELS)
    assert handled == 1
