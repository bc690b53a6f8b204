"""HTTP connections that take their time."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.page.showing import Around
from tests.scraping import make_service
from thalweg_server.config import WebLimits
from thalweg_server.telemetry import Telemetry
from thalweg_server.web import WebServer

LIMITS = WebLimits(
    connections_max=4,
    header_bytes_max=2_000,
    request_seconds_max=0.4,
    stall_seconds_max=0.4,
    keepalive_seconds=2,
)
GET = b"GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n"


class Site:
    """A web server with small bounds."""

    def __init__(self) -> None:
        service = make_service()
        self.telemetry = Telemetry(service)
        subject = Around().subject(service)
        self.web = WebServer("127.0.0.1", 0, self.telemetry, subject, limits=LIMITS)
        self.port = self.web.start()

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def status(self) -> bytes:
        """Return the status of a request on a connection of its own."""
        with self.connect() as connection:
            connection.sendall(GET)
            return answer(connection)


@pytest.fixture
def site() -> Iterator[Site]:
    """A running site."""
    site = Site()
    yield site
    site.web.stop()


def answer(connection: socket.socket) -> bytes:
    """Return the status of a response of health's, read to its end."""
    came = b""
    while not came.endswith((b"ok\n", b"Unavailable")):
        part = connection.recv(1_000)
        if not part:
            break
        came += part
    return came[9:12]


def closed(connection: socket.socket) -> bool:
    """Whether the server ends the connection before the test's patience does."""
    try:
        while connection.recv(65_536):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize("sent", [b"", b"GET /metr", GET[:-2]])
def test_a_request_that_does_not_come_is_not_waited_for(sent: bytes, site: Site) -> None:
    """Silent from the start, or in the middle of it."""
    with site.connect() as connection:
        connection.sendall(sent)
        assert closed(connection)


def test_a_request_in_drops_is_not_waited_for(site: Site) -> None:
    """A byte now and then does not begin the time anew, on a first request or a later one."""
    for first in (b"", GET):
        with site.connect() as connection:
            if first:
                connection.sendall(first)
                assert answer(connection) == b"200"
            begun = time.monotonic()
            with pytest.raises(OSError):  # a reset or a broken pipe
                while time.monotonic() - begun < 10:
                    connection.sendall(b"G")
                    time.sleep(0.05)
            assert time.monotonic() - begun < 5


def test_a_connection_with_a_request_now_and_then_stays(site: Site) -> None:
    """Longer than a request may take."""
    with site.connect() as connection:
        for _ in range(4):
            connection.sendall(GET)
            assert answer(connection) == b"200"
            time.sleep(0.25)


def test_headers_have_a_largest(site: Site) -> None:
    """Beyond it the request is refused and the connection closed."""
    with site.connect() as connection:
        connection.sendall(GET[:-2] + b"x-much: " + b"y" * 20_000)
        assert closed(connection)
    assert site.status() == b"200"


def test_a_reader_that_stops_reading_is_let_go(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page it was sent does not stay in memory; one that reads slowly gets all of it."""
    parts = tuple(bytes([65 + number]) * 1_000_000 for number in range(20))
    monkeypatch.setattr(site.telemetry, "page", lambda: parts)
    with site.connect() as slow:
        slow.sendall(GET.replace(b"/healthz", b"/metrics"))
        came = 0
        while came < 20_000_000:
            came += len(slow.recv(500_000))
            time.sleep(0.02)
    with site.connect() as stalled:
        stalled.sendall(GET.replace(b"/healthz", b"/metrics"))
        assert stalled.recv(100)
        server = site.web._server
        assert server is not None
        end = time.monotonic() + 10
        while server.server_state.connections:
            assert time.monotonic() < end
            time.sleep(0.02)


def test_connections_beyond_the_bounds_are_refused_and_then_closed(site: Site) -> None:
    """From the bound on requests get 503; from twice of it connections are closed unheard."""
    with ExitStack() as stack:
        held = []
        for _ in range(4):
            held.append(stack.enter_context(site.connect()))
            held[-1].sendall(GET)
            assert answer(held[-1]) == (b"200" if len(held) < 4 else b"503")
        assert site.status() == b"503"
        many = [stack.enter_context(site.connect()) for _ in range(8)]
        many[-1].settimeout(0.3)  # sooner than silence is punished
        assert closed(many[-1])
    end = time.monotonic() + 10
    while site.status() != b"200":
        assert time.monotonic() < end
        time.sleep(0.05)
