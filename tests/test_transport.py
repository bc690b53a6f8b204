"""What gRPC itself is told to bound, seen from raw sockets."""

from __future__ import annotations

import dataclasses
import time

import pytest

from tests.abuse.attacks import STREAM_LEARN
from tests.abuse.frames import (
    GOAWAY,
    PING,
    PREFACE,
    RST_STREAM,
    Closed,
    Peer,
    call,
    frame,
    settings,
)
from tests.conftest import StartServer
from thalweg_server.config import Config
from thalweg_server.transport import channel_options

PASSED_ON = (
    "message_bytes_max",
    "metadata_bytes_max",
    "read_buffer_bytes_max",
    "connections_max",
    "streams_per_connection_max",
    "unaccepted_calls_max",
    "handshake_seconds_max",
    "idle_seconds_max",
    "connection_age_seconds_max",
    "connection_grace_seconds_max",
    "keepalive_seconds",
    "keepalive_timeout_seconds",
    "ping_seconds_min",
    "ping_strikes_max",
)


@pytest.mark.parametrize("name", PASSED_ON)
def test_every_bound_of_the_transport_reaches_grpc(name: str) -> None:
    """Another value of the setting is another value of some argument."""
    usual = Config()
    other = dataclasses.replace(usual, **{name: getattr(usual, name) * 2})
    assert channel_options(usual) != channel_options(other)


HELLOS = {
    "nothing": b"",
    "half a preface": PREFACE[:10],
    "a preface": PREFACE,
    "no answer to settings": PREFACE + settings(),
}


@pytest.mark.parametrize("hello", HELLOS.values(), ids=HELLOS)
def test_a_connection_that_does_not_finish_its_handshake_is_closed(
    hello: bytes, start_server: StartServer
) -> None:
    """However far it came, and not before its time."""
    server = start_server(handshake_seconds_max=0.5)
    with Peer(server.address, None) as peer:
        peer.send(hello)
        assert not peer.wait_closed(0.2)
        assert peer.wait_closed(10.0)


def test_a_connection_without_calls_is_closed_in_time(start_server: StartServer) -> None:
    """One with an open call is not."""
    server = start_server(idle_seconds_max=1.0)
    with Peer(server.address) as idle, Peer(server.address) as busy:
        busy.send(call(1, STREAM_LEARN))
        assert goes_away(idle, 10.0)
        assert not goes_away(busy, 0.5)


def test_a_connection_grows_so_old_and_its_calls_get_so_long(start_server: StartServer) -> None:
    """First it is told to go, then it is closed, open call or not."""
    server = start_server(connection_age_seconds_max=1.0, connection_grace_seconds_max=1.0)
    with Peer(server.address) as peer:
        peer.send(call(1, STREAM_LEARN))
        assert goes_away(peer, 10.0)
        assert peer.wait_closed(10.0)


def test_connections_beyond_the_bound_are_closed_at_once(start_server: StartServer) -> None:
    """And when others have gone there is room again."""
    server = start_server(connections_max=2)
    with Peer(server.address) as first, Peer(server.address) as second:
        assert next(first.frames(5.0))
        assert next(second.frames(5.0))
        with Peer(server.address, None) as third:
            assert third.wait_closed(5.0)
    end = time.monotonic() + 10.0
    while time.monotonic() < end:
        with Peer(server.address) as again:
            if any(True for _ in again.frames(0.2)):
                return
    pytest.fail("no room")


def test_streams_beyond_a_connections_bound_are_turned_away(start_server: StartServer) -> None:
    """Those that came first go on."""
    server = start_server(streams_per_connection_max=5)
    with Peer(server.address) as peer:
        peer.send(b"".join(call(2 * number + 1, STREAM_LEARN) for number in range(8)))
        gone = {each.stream for each in peer.frames(1.0) if each.kind == RST_STREAM}
    assert gone == {11, 13, 15}


def test_who_pings_too_often_is_sent_away(start_server: StartServer) -> None:
    """By the pace that is set, not by gRPC's own, which is minutes."""
    ping = frame(PING, 0, b"tick-tok")
    with Peer(start_server(ping_seconds_min=0.01).address) as peer:
        for _ in range(8):
            peer.send(ping)
            assert not goes_away(peer, 0.05)
    with Peer(start_server().address) as peer:
        peer.send(ping * 20)
        assert goes_away(peer, 5.0)


def goes_away(peer: Peer, seconds: float) -> bool:
    """Whether the server says goodbye within this time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if any(each.kind == GOAWAY for each in peer.poll()):
                return True
        except Closed:
            return True
        time.sleep(0.01)
    return False
