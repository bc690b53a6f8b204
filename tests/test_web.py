"""The HTTP side, over real sockets."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.page.showing import Shown, showing
from tests.scraping import learn, make_service, mean, upload
from thalweg_server.page import State
from thalweg_server.web import WebServer


@pytest.fixture
def site() -> Iterator[Shown]:
    """A running site with one model."""
    service = make_service()
    upload(service, "item", "mean", mean())
    with showing(service) as site:
        yield site


def test_metrics_are_current(site: Shown) -> None:
    """A scrape shows what was learned just before, in Prometheus' content type."""
    for target in (3.0, 8.5):
        learn(site.service, ("item", target))
        status, headers, body = site.get("/metrics")
        assert (status, headers["content-type"]) == (
            200,
            "text/plain; version=0.0.4; charset=utf-8",
        )
        mae = site.service.judge.score(site.service.registry.models["item"].champion).mae
        assert f'thalweg_model_mae{{model="item",candidate="mean"}} {mae!r}\n'.encode() in body


def test_a_head_request_gets_no_body(site: Shown) -> None:
    """HEAD answers as GET does, without the page."""
    status, _, body = site.get("/metrics", "HEAD")
    assert (status, body) == (200, b"")


def test_health_does_not_depend_on_readiness(site: Shown) -> None:
    """A process that is alive but not ready says so."""
    assert site.get("/readyz")[0] == 200
    site.around.state = State.DRAINING
    assert site.get("/readyz")[0] == 503
    assert site.get("/healthz")[0] == 200


def test_an_unknown_path_is_not_found(site: Shown) -> None:
    """Nothing else is served."""
    assert site.get("/admin")[0] == 404


def test_health_is_answered_while_a_page_is_being_made(
    site: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rendering happens off the web's loop, too."""
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> tuple[bytes, ...]:
        begun.set()
        go_on.wait(10)
        return (b"",)

    monkeypatch.setattr(site.telemetry, "page", slow)
    scrape = threading.Thread(target=site.get, args=("/metrics",))
    scrape.start()
    begun.wait(10)
    assert site.get("/healthz")[0] == 200
    go_on.set()
    scrape.join()


def test_a_taken_port_is_an_error_at_start(site: Shown) -> None:
    """A second server on the port raises OSError, and leaves no thread behind."""
    threads = threading.active_count()
    second = WebServer("127.0.0.1", site.port, site.telemetry, site.subject)
    with pytest.raises(OSError, match=r"in use"):
        second.start()
    second.stop()
    assert threading.active_count() == threads


def test_stop_is_prompt_and_leaves_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """With an idle and a stalled connection open: joined in time, port free, nothing logged."""
    caplog.set_level(logging.DEBUG)
    threads = set(threading.enumerate())
    site = Shown(make_service())
    site.get("/metrics")
    idle = socket.create_connection(("127.0.0.1", site.port))
    idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n")
    idle.recv(1000)
    stalled = socket.create_connection(("127.0.0.1", site.port))
    stalled.sendall(b"GET /metr")
    started = time.perf_counter()
    site.web.stop()
    site.web.stop()
    assert time.perf_counter() - started < 5
    assert set(threading.enumerate()) == threads
    idle.close()
    stalled.close()
    again = WebServer("127.0.0.1", site.port, site.telemetry, site.subject)
    assert again.start() == site.port
    again.stop()
    assert not [r for r in caplog.records if r.name.startswith("uvicorn")]


def test_a_large_page_arrives_whole(site: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many parts, read slowly by one scraper and closed halfway by another."""
    parts = tuple(bytes([65 + n]) * 1_000_000 for n in range(20))
    monkeypatch.setattr(site.telemetry, "page", lambda: parts)
    with socket.create_connection(("127.0.0.1", site.port)) as quitter:
        quitter.sendall(b"GET /metrics HTTP/1.1\r\nHost: t\r\n\r\n")
        quitter.recv(1000)
    assert site.get("/metrics")[2] == b"".join(parts)
