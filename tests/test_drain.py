"""Stopping: no new calls, a last ack for every stream, then nothing."""

from __future__ import annotations

import threading
import time

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.conftest import Connect, StartServer
from tests.estimators import Constant, Slow
from tests.wire import SECONDS, Wire, batch, refused, row
from thalweg.v1 import forecaster_pb2 as pb
from thalweg_server.background import BackgroundServer
from thalweg_server.engines.river import RiverEngine


def stopping(server: BackgroundServer) -> threading.Thread:
    """Begin to stop a server; return when it drains."""
    thread = threading.Thread(target=server.stop)
    thread.start()
    while not server.server.draining:
        time.sleep(0.001)
    return thread


def busy(wire: Wire) -> None:
    """Wait until the batch is being learned."""
    while not wire.live("slow").learned:
        time.sleep(0.001)


def test_open_streams_get_their_last_ack_then_unavailable(
    start_server: StartServer, connect: Connect
) -> None:
    """What has begun is acked; what comes behind it is for the next server."""
    server = start_server(engine=RiverEngine())
    wire = connect(server)
    wire.upload("slow", Slow(0.01))
    with wire.stream() as stream, wire.stream() as idle, wire.stream() as nameless:
        stream.open("s")
        idle.open("i")
        nameless.open()
        stream.send(*[batch(n, [row("slow", float(n))] * 30) for n in range(1, 9)])
        busy(wire)
        thread = stopping(server)
        acks = stream.acks_until_refused("DRAINING")
        assert [ack.sequence for ack in acks] == [*range(1, len(acks) + 1)]
        assert {ack.learned for ack in acks} == {30}
        assert 1 <= len(acks) < 8
        for each in (idle, nameless):
            with refused("DRAINING") as seen:
                each.receive()
            assert seen[0].code is grpc.StatusCode.UNAVAILABLE
            assert "resume" in seen[0].message
        thread.join()
    assert wire.live("slow").targets == [float(ack.sequence) for ack in acks for _ in range(30)]


def test_health_tells_before_anything_is_refused(
    start_server: StartServer, connect: Connect
) -> None:
    """NOT_SERVING while draining, to those who watch and those who ask."""
    server = start_server(engine=RiverEngine())
    wire = connect(server)
    wire.upload("slow", Slow(0.01))
    health = health_pb2_grpc.HealthStub(wire.channel)
    watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=SECONDS)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    with wire.stream() as stream:
        stream.open("s")
        stream.send(batch(1, [row("slow", 1.0)] * 50))
        busy(wire)
        thread = stopping(server)
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        for service in ("", "thalweg.v1.Forecaster"):
            checked = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=SECONDS)
            assert checked.status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()
        thread.join()


def test_watchers_are_told_to_go(start_server: StartServer, connect: Connect) -> None:
    """With DRAINING, after the state they had coming."""
    server = start_server(engine=RiverEngine())
    wire = connect(server)
    wire.upload("m", Constant())
    watch = wire.stub.WatchScores(pb.WatchScoresRequest(), timeout=SECONDS)
    assert next(watch).model == "m"
    thread = stopping(server)
    with refused("DRAINING"):
        next(watch)
    thread.join()


def test_a_call_in_flight_is_answered(start_server: StartServer, connect: Connect) -> None:
    """What was begun before the drain is finished."""
    server = start_server(engine=RiverEngine())
    wire = connect(server)
    wire.upload("slow", Slow(0.4))
    call = wire.stub.Learn.future(row("slow", 1.0), timeout=SECONDS)
    while not wire.live("slow").begun:
        time.sleep(0.001)
    thread = stopping(server)
    assert call.result().learned == 1
    thread.join()


def test_stopping_an_idle_server_is_quick(start_server: StartServer, connect: Connect) -> None:
    """Nothing to wait for, and stopping twice is fine."""
    server = start_server(engine=RiverEngine())
    connect(server).init()
    started = time.monotonic()
    server.stop()
    server.stop()
    assert time.monotonic() - started < 1.0
