"""The feed of events: what viewers are sent, how many there may be, and what a slow one misses."""

from __future__ import annotations

import asyncio
import http.client
import logging
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.page.showing import Around, Shown, first, showing
from tests.scraping import learn, make_service, mean, upload
from tests.waiting import until
from thalweg_server.config import WebLimits
from thalweg_server.page import Load, feed
from thalweg_server.page.feed import VIEWERS_MAX, Feed, Viewer


@pytest.fixture
def shown() -> Iterator[Shown]:
    """A page of a service with two models that have learned."""
    service = make_service()
    for name in ("one", "two"):
        upload(service, name, "mean", mean())
    learn(service, ("one", 2.0), ("two", 4.0), ("one", 3.0))
    with showing(service) as shown:
        yield shown


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples and surveys without the pauses that are for people."""
    monkeypatch.setattr(feed, "PULSE_SECONDS", 0.05)
    monkeypatch.setattr(feed, "SURVEY_SECONDS", 0.05)


@pytest.mark.usefixtures("fast")
def test_a_viewer_begins_with_what_was_before(shown: Shown) -> None:
    """Versions and the samples kept, so that curves do not begin with the viewer."""
    time.sleep(0.5)
    with shown.events() as events:
        kind, about = next(events)
        assert (kind, about["versions"]) == ("about", {"version": "0"})
        kind, samples = next(events)
        assert kind == "pulses"
        assert len(samples) > 2
        assert [s["at"] for s in samples] == sorted(s["at"] for s in samples)


@pytest.mark.usefixtures("fast")
def test_samples_follow_what_is_learned(shown: Shown) -> None:
    """Counters of rows, of load, and of each candidate's errors, as the totals have them."""
    shown.around.load = Load(predictions=7, streams=2, waiting=1)
    with shown.events() as events:
        before = first(events, "pulse")
        learn(shown.service, ("two", 9.0), ("two", 1.0))
        while (after := first(events, "pulse"))["rows"]["learned"] < 5:
            pass
    assert before["rows"]["learned"] == 3
    assert (after["models"], after["flavor"], after["state"]) == (2, "regression", "ready")
    assert (after["predictions"], after["streams"], after["waiting"]) == (7, 2, 1)
    [(_, totals)] = shown.service.totals.candidates()
    assert after["candidates"] == [["mean", totals.absolute_error, totals.scored, 0]]


@pytest.mark.usefixtures("fast")
def test_events_of_the_log_are_told_when_they_change(shown: Shown) -> None:
    """And not again and again."""
    told: list[Mapping[str, Any]] = [{"at": "2026-01-01T00:00:00Z", "event": "started"}]
    shown.around.recent = lambda most: told[:most]
    with shown.events() as events:
        assert first(events, "recent") == told
        told.insert(0, {"at": "2026-01-01T00:00:01Z", "event": "uploaded"})
        assert first(events, "recent") == told
        kinds = [next(events)[0] for _ in range(10)]
        assert "recent" not in kinds
        assert "survey" not in kinds  # nothing was learned


@pytest.mark.usefixtures("fast")
def test_all_models_are_looked_at_only_while_somebody_watches(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first viewer and after the last one there are no surveys."""
    looks: list[float] = []
    survey, take = shown.web._site._feed._survey, shown.web._site._feed._survey.take
    monkeypatch.setattr(survey, "take", lambda: looks.append(time.monotonic()) or take())
    time.sleep(0.3)
    assert not looks
    with shown.events() as events:
        first(events, "survey")
        until(lambda: len(looks) > 2)
    until(lambda: not shown.web._site._feed._viewers)
    time.sleep(0.2)
    count = len(looks)
    time.sleep(0.3)
    assert len(looks) == count


def test_there_are_only_so_many_viewers(shown: Shown) -> None:
    """One more gets 503 and a line that says why; a place that is left is free again."""
    with ExitStack() as stack:
        for _ in range(VIEWERS_MAX - 1):
            stack.enter_context(shown.events())
        with shown.events():
            status, told = shown.json("/events")
            assert (status, told["problem"]) == (
                503,
                "50 people are watching, the most that may: close a tab somewhere",
            )
        until(lambda: len(shown.web._site._feed._viewers) == VIEWERS_MAX - 1)
        with shown.events() as events:
            assert next(events)[0] == "about"
    until(lambda: not shown.web._site._feed._viewers)


async def test_a_slow_viewer_gets_the_newest_of_each_kind_and_no_more() -> None:
    """However much it has missed, no more waits for it."""
    viewer = Viewer(b"first ")
    payloads = viewer.payloads()
    assert await anext(payloads) == b"first "
    for number in range(1000):
        viewer.offer("pulse", b"pulse %d " % number)
        viewer.offer("survey", b"survey %d " % number)
    assert await anext(payloads) == b"pulse 999 survey 999 "
    viewer.end()
    assert [payload async for payload in payloads] == []


@pytest.mark.usefixtures("fast")
def test_a_viewer_that_does_not_read_holds_up_nobody() -> None:
    """Others go on, and it is let go of after a while."""
    service = make_service()
    upload(service, "one", "mean", mean())
    with showing(service, limits=WebLimits(stall_seconds_max=0.5)) as shown:
        shown.around.recent = lambda _: [{"event": "x" * 500_000, "at": str(time.monotonic())}]
        with socket.create_connection(("127.0.0.1", shown.port)) as stalled:
            stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stalled.sendall(b"GET /events HTTP/1.1\r\nHost: t\r\n\r\n")
            until(lambda: len(shown.web._site._feed._viewers) == 1)
            with shown.events() as events:
                for _ in range(5):
                    first(events, "pulse")
                until(lambda: len(shown.web._site._feed._viewers) == 1)
                first(events, "pulse")


def test_a_silent_feed_says_that_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """A comment, which browsers ignore and proxies count as life."""
    monkeypatch.setattr(feed, "PULSE_SECONDS", 60.0)
    monkeypatch.setattr(feed, "SILENCE_SECONDS_MAX", 0.05)
    with showing(make_service()) as shown, shown.events() as events:
        assert first(events, "comment") == "still here"


async def test_an_event_is_made_once_for_all_viewers() -> None:
    """They are given the very same bytes."""
    one = Feed(Around().subject(make_service()))
    viewers = one.join(), one.join()
    one.start()
    while "pulse" not in viewers[0]._waiting:
        await asyncio.sleep(0.01)
    await one.close()
    assert viewers[0]._waiting["pulse"] is viewers[1]._waiting["pulse"]


@pytest.mark.usefixtures("fast")
def test_a_picture_that_fails_is_told_of_and_the_next_one_is_drawn(shown: Shown) -> None:
    """The page is not worth the server: what goes wrong is one line of its log."""

    def broken(_: int) -> list[dict[str, Any]]:
        raise RuntimeError("no events today")

    with capture_logs() as logs, shown.events() as events:
        shown.around.recent = broken
        until(lambda: bool(logs))
        shown.around.recent = lambda _: [{"event": "again"}]
        while first(events, "recent") != [{"event": "again"}]:
            pass
    assert logs[0]["event"] == "the live page could not be drawn"


def test_stopping_ends_the_streams(caplog: pytest.LogCaptureFixture) -> None:
    """Promptly, with the end of the response, and without complaints of the HTTP server."""
    caplog.set_level(logging.ERROR)
    with showing(make_service()) as shown:
        connection = http.client.HTTPConnection("127.0.0.1", shown.port, timeout=10)
        connection.request("GET", "/events")
        response = connection.getresponse()
        started = time.monotonic()
        shown.web.stop()
        assert b"event: pulse" in response.read()  # to its proper end
        assert time.monotonic() - started < 5
        connection.close()
    assert not caplog.records
