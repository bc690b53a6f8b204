"""Bounds on calls, over real sockets."""

from __future__ import annotations

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.abuse.attacks import PREDICT, PREDICT_MANY, STREAM_LEARN
from tests.abuse.frames import HEADERS, Frame, Peer, call, data
from tests.conftest import Connect, StartServer
from tests.waiting import until
from tests.wire import SECONDS, batch, refused, row
from thalweg.v1 import forecaster_pb2 as pb

PATIENT = {"opening_calls_max": -1, "request_seconds_max": 0.3}
"""Every call is taken as where many are opening."""


@pytest.mark.parametrize("bound", ["calls_max", "calls_per_caller_max"])
def test_calls_beyond_the_bound_are_asked_for_patience(
    bound: str, start_server: StartServer, connect: Connect
) -> None:
    """OVERLOADED with the time to wait; health is answered all the same."""
    wire = connect(start_server(**{bound: 0}))
    with refused("OVERLOADED") as seen:
        wire.learn("m", 1.0)
    assert seen[0].code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert seen[0].retry_seconds == 1.0
    health = health_pb2_grpc.HealthStub(wire.channel)
    answer = health.Check(health_pb2.HealthCheckRequest(), timeout=SECONDS)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("bound", ["streams_max", "streams_per_caller_max"])
def test_streams_beyond_the_bound_are_refused(
    bound: str, start_server: StartServer, connect: Connect
) -> None:
    """LIMIT_REACHED without a time to wait, for every kind of stream, until one ends."""
    wire = connect(start_server(**{bound: 1}))
    with wire.stream() as stream:
        stream.open("s")
        with refused("LIMIT_REACHED") as seen, wire.stream() as second:
            second.open()
        assert (seen[0].retry_seconds, seen[0].code.name) == (None, "RESOURCE_EXHAUSTED")
        with refused("LIMIT_REACHED"):
            wire.predict_many(glob="*")
        with refused("LIMIT_REACHED"):
            next(wire.stub.WatchScores(pb.WatchScoresRequest(), timeout=SECONDS))
        watch = health_pb2_grpc.HealthStub(wire.channel).Watch
        with pytest.raises(grpc.RpcError) as raised:
            next(watch(health_pb2.HealthCheckRequest(), timeout=SECONDS))
        assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        stream.done()
    until(lambda: not wire.server.server._quotas.streams)
    with wire.stream() as again:
        again.open()


def test_nothing_is_counted_of_calls_that_are_over(
    start_server: StartServer, connect: Connect
) -> None:
    """Answered, refused, cancelled and past their deadline, unary and streams."""
    wire = connect(start_server())
    with refused("UNKNOWN_MODEL"):
        wire.predict("nix")
    wire.names()
    for _ in range(5):
        with wire.stream() as stream:
            stream.open()
        watch = wire.stub.WatchScores(pb.WatchScoresRequest(), timeout=SECONDS)
        watch.cancel()
        list(wire.predict_many(glob="*"))
        with pytest.raises(grpc.RpcError):
            next(wire.stub.WatchScores(pb.WatchScoresRequest(), timeout=0.02))
    quotas = wire.server.server._quotas
    until(lambda: (quotas.calls, quotas.streams, len(quotas)) == (0, 0, 0))


def test_batches_beyond_what_may_be_in_flight_are_held_back_and_all_learned(
    start_server: StartServer, connect: Connect
) -> None:
    """With room for one row at a time, two streams of one caller lose nothing."""
    wire = connect(start_server(inflight_rows_per_caller_max=1))
    with wire.stream() as first, wire.stream() as second:
        first.open("a")
        second.open("b")
        for sequence in range(1, 41):
            first.send(batch(sequence, [row("nix", 1.0)] * 2))
            second.send(batch(sequence, [row("nix", 1.0)] * 2))
        for sequence in range(1, 41):
            assert first.ack().sequence == second.ack().sequence == sequence
        quotas = wire.server.server._quotas
        until(lambda: all(not usage.rows for usage in quotas._usage.values()))


def test_a_request_that_does_not_come_is_not_waited_for(start_server: StartServer) -> None:
    """Where many calls are opening, each has its time, unary and server-streaming."""
    server = start_server(**PATIENT)
    for path in (PREDICT, PREDICT_MANY):
        with Peer(server.address) as peer:
            peer.send(call(1, path))
            assert b"request did not come within 0.3 s" in end_of(peer).payload
    until(lambda: not server.server._quotas.calls)


def test_a_call_that_ends_without_a_request_is_told(start_server: StartServer) -> None:
    """Half-closed with nothing sent."""
    server = start_server(**PATIENT)
    with Peer(server.address) as peer:
        peer.send(call(1, PREDICT, end=True))
        assert b"ended before its request" in end_of(peer).payload


def test_calls_are_answered_as_ever_while_many_are_opening(
    start_server: StartServer, connect: Connect
) -> None:
    """Unary, server streams and bidirectional ones; errors keep their reason and type."""
    wire = connect(start_server(**PATIENT))
    assert wire.names() == []
    assert list(wire.predict_many(glob="*"))
    with refused("UNKNOWN_MODEL"):
        wire.predict("nix")
    with wire.stream() as stream:
        stream.open()


def test_a_thousand_calls_without_a_request_leave_room_for_others(
    start_server: StartServer, connect: Connect
) -> None:
    """Another caller is answered while they are open, and when they are gone none is counted."""
    server = start_server(
        opening_calls_max=10,
        calls_per_caller_max=100,
        request_seconds_max=60.0,
        streams_per_connection_max=1_000,
    )
    wire = connect(server)
    with Peer(server.address) as peer:
        peer.send(b"".join(call(2 * number + 1, PREDICT) for number in range(500)))
        over = [each for each in peer.frames(2.0) if each.kind == HEADERS]
        assert len(over) >= 380, "those beyond the caller's bound are refused at once"
        assert wire.names() == []
    until(lambda: not server.server._quotas.calls)


def test_a_stream_that_was_opened_and_never_spoke_costs_its_caller_only(
    start_server: StartServer, connect: Connect
) -> None:
    """Two callers, of whom one has as many streams open as it may."""
    server = start_server(streams_per_caller_max=3)
    wire = connect(server)
    with Peer(server.address) as peer:
        peer.send(b"".join(call(2 * number + 1, STREAM_LEARN) for number in range(5)))
        until(lambda: server.server._quotas.streams == 3)
        with wire.stream() as stream:
            stream.open()
        peer.send(data(1, b"\x00\x00\x00\x00\x00", end=True))


def end_of(peer: Peer) -> Frame:
    """Return the frame that ends the first call."""
    return next(each for each in peer.frames(10.0) if each.kind == HEADERS)
