"""Responses of the page: events that go on, JSON, refusals; and what a browser must not do."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from thalweg_server.page.events import dump
from thalweg_server.page.feed import Feed, Viewer

NO_STORE = {"cache-control": "no-store"}

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
"""Nothing from elsewhere, nothing to elsewhere: names on the page are other people's words."""


class Json(Response):
    """JSON that is bytes already."""

    media_type = "application/json"

    def __init__(self, body: bytes, status_code: int = 200) -> None:
        super().__init__(body, status_code, headers=NO_STORE)


class Problem(Json):
    """One line of what was wrong, as JSON."""

    def __init__(self, text: str, status_code: int) -> None:
        super().__init__(dump({"problem": text}), status_code)


class Stream(StreamingResponse):
    """The feed to one viewer, who leaves however it ends."""

    def __init__(self, feed: Feed, viewer: Viewer) -> None:
        super().__init__(viewer.payloads(), headers=NO_STORE, media_type="text/event-stream")
        self._feed, self._viewer = feed, viewer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See Starlette's Response."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._feed.leave(self._viewer)


def closed_in(app: ASGIApp) -> ASGIApp:
    """The application, with HEADERS on all that it sends."""

    async def closed(scope: Scope, receive: Receive, send: Send) -> None:
        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await app(scope, receive, marked)

    return closed
