"""The one feed of all viewers: what is new is made once, and each takes it at its own pace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress

from thalweg_server.logs import log
from thalweg_server.page.events import COMMENT, RETRY, dump, event
from thalweg_server.page.pulse import Pulse
from thalweg_server.page.subject import Subject
from thalweg_server.page.survey import Survey

PULSE_SECONDS = 1.0
"""Between samples: people call that live."""

SURVEY_SECONDS = 2.0
"""Between looks at all models, while somebody watches."""

SILENCE_SECONDS_MAX = 15.0
"""Proxies close what says nothing for longer, many after half a minute."""

RECENT_EVENTS = 100
"""Events shown."""

VIEWERS_MAX = 50
"""More is no team in front of its screens; each takes a connection."""


class Full(Exception):
    """There are as many viewers as there may be."""


class Viewer:
    """One reader of the feed: of each kind of event it has the newest waiting, and no more.

    Args:
        first: what it reads first.
    """

    def __init__(self, first: bytes) -> None:
        self._waiting = {"first": first}
        self._news = asyncio.Event()
        self._news.set()
        self._ended = False

    def offer(self, kind: str, payload: bytes) -> None:
        """Has it waiting, in place of an older one of its kind."""
        self._waiting[kind] = payload
        self._news.set()

    def end(self) -> None:
        """It takes no more."""
        self._ended = True
        self._news.set()

    async def payloads(self) -> AsyncIterator[bytes]:
        """What it is to read, until the feed ends."""
        while not self._ended:
            yield await self._take()

    async def _take(self) -> bytes:
        """What waits, as soon as there is something; a comment where that takes long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SILENCE_SECONDS_MAX):
                await self._news.wait()
        self._news.clear()
        payload = b"".join(self._waiting.values())
        self._waiting.clear()
        return payload or COMMENT


class Feed:
    """Makes events and hands them to viewers. Belongs to one event loop.

    Args:
        subject: what they are about.
    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._pulse = Pulse(subject)
        self._survey = Survey(subject)
        self._about = dump({"versions": dict(subject.versions), "begun": time.time()})
        self._latest: dict[str, bytes] = {}
        self._viewers: set[Viewer] = set()
        self._watched = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins to take samples, on the running loop."""
        self._tasks = [asyncio.create_task(self._beat()), asyncio.create_task(self._look())]

    async def close(self) -> None:
        """Ends all viewers' streams."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for viewer in self._viewers:
            viewer.end()

    def join(self) -> Viewer:
        """A new viewer, who begins with all that is known; raises Full."""
        if len(self._viewers) >= VIEWERS_MAX:
            raise Full
        first = event("about", self._about) + event("pulses", self._pulse.kept())
        viewer = Viewer(RETRY + first + b"".join(self._latest.values()))
        self._viewers.add(viewer)
        self._watched.set()
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """The viewer is gone; idempotent."""
        self._viewers.discard(viewer)
        if not self._viewers:
            self._watched.clear()

    async def _beat(self) -> None:
        """Samples, whether anybody watches or not: the curves begin before somebody comes."""
        while True:
            with _survived():
                self._tell("pulse", event("pulse", self._pulse.take()))
                if self._viewers:
                    self._tell_news("recent", dump(list(self._subject.recent(RECENT_EVENTS))))
            await asyncio.sleep(PULSE_SECONDS)

    async def _look(self) -> None:
        """Surveys while somebody watches, in a thread: health is answered meanwhile."""
        while True:
            await self._watched.wait()
            with _survived():
                self._tell_news("survey", await asyncio.to_thread(self._survey.take))
            await asyncio.sleep(SURVEY_SECONDS)

    def _tell_news(self, kind: str, body: bytes) -> None:
        """Tells what later viewers want to know as well, unless it is what they know already."""
        payload = event(kind, body)
        if payload != self._latest.get(kind):
            self._latest[kind] = payload
            self._tell(kind, payload)

    def _tell(self, kind: str, payload: bytes) -> None:
        for viewer in self._viewers:
            viewer.offer(kind, payload)


@contextmanager
def _survived() -> Iterator[None]:
    """A picture that fails is told of, and the next one is tried: the page is not the service."""
    try:
        yield
    except Exception:
        log().exception("the live page could not be drawn")
