"""The page's routes: the shell and what it is made of, the feed, and looking models up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from thalweg_server.core.errors import Overloaded, Refusal, UnknownModel
from thalweg_server.page.events import dump
from thalweg_server.page.feed import VIEWERS_MAX, Feed, Full
from thalweg_server.page.models import describe
from thalweg_server.page.responses import Json, Problem, Stream
from thalweg_server.page.searching import search
from thalweg_server.page.subject import State, Subject

STATIC = Path(__file__).with_name("static")

ANSWER_SECONDS_MAX = 10.0
"""For a model's description: whoever waits longer has reloaded the page by then."""


class Site:
    """The live page.

    Args:
        subject: what it shows.
    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._feed = Feed(subject)
        self._searching = asyncio.Lock()

    def start(self) -> None:
        """Begins to watch, on the running loop."""
        self._feed.start()

    async def close(self) -> None:
        """Ends what is being streamed."""
        await self._feed.close()

    def routes(self) -> Sequence[BaseRoute]:
        """Where it is reached."""
        return [
            Route("/", self._shell),
            Route("/events", self._events),
            Route("/api/models", self._search),
            Route("/api/models/{name:path}", self._model),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]

    async def _shell(self, _: Request) -> Response:
        return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})

    async def _events(self, request: Request) -> Response:
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        try:
            return Stream(self._feed, self._feed.join())
        except Full:
            return Problem(
                f"{VIEWERS_MAX} people are watching, the most that may: close a tab somewhere", 503
            )

    async def _search(self, request: Request) -> Response:
        text = request.query_params.get("search", "")
        async with self._searching:  # one thread, whoever types how fast
            names = list(self._subject.service.registry.models)
            return Json(dump({"names": await asyncio.to_thread(search, names, text)}))

    async def _model(self, request: Request) -> Response:
        name: str = request.path_params["name"]
        state, service = self._subject.state(), self._subject.service
        if state is not State.READY:
            return Problem(f"the server is {state.value}: try again when it is ready", 503)
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                return Json(await self._subject.read(lambda: describe(service, name)))
        except UnknownModel as refusal:
            return Problem(refusal.message, 404)
        except Overloaded as refusal:
            return Problem(refusal.message, 503)
        except Refusal as refusal:
            return Problem(refusal.message, 409)
        except TimeoutError:
            return Problem("the models are busy: try again in a moment", 503)
