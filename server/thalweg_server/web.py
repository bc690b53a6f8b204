"""The HTTP side, in a thread with an event loop of its own: large pages never hold up gRPC."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Sequence

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from thalweg_server.callers.checking import SecretFile
from thalweg_server.callers.door import guarded
from thalweg_server.config import WebLimits
from thalweg_server.page import Site, State, Subject
from thalweg_server.page.responses import closed_in
from thalweg_server.telemetry import CONTENT_TYPE, Telemetry
from thalweg_server.web_patience import patient_protocol

STOP_SECONDS_MAX = 1
"""How long `stop` waits for responses that are under way."""


class WebServer:
    """Serves `/metrics`, `/healthz`, `/readyz` and a live page.

    Args:
        host: address to listen on.
        port: port to listen on; 0 = any free one.
        telemetry: what scrapers are shown.
        subject: what people are shown, and whether the service takes calls.
        token: what all but health asks for; None = nothing.
        tls: speaks HTTPS with this; None = HTTP.
        limits: on requests and connections.
    """

    def __init__(
        self,
        host: str,
        port: int,
        telemetry: Telemetry,
        subject: Subject,
        *,
        token: SecretFile | None = None,
        tls: ssl.SSLContext | None = None,
        limits: WebLimits | None = None,
    ) -> None:
        self._limits = limits or WebLimits()
        self._address = (host, port)
        self._site = Site(subject)
        self._app = guarded(closed_in(_app(telemetry, subject, self._site)), token)
        self._tls = tls
        self._server: _Server | None = None

    def start(self) -> int:
        """Listens; returns the port. Raises OSError where the address cannot be had."""
        listener = _listen(*self._address)
        port: int = listener.getsockname()[1]
        self._server = _Server(self._app, self._site, listener, self._limits, self._tls)
        return port

    def stop(self) -> None:
        """Closes the port and every connection; idempotent."""
        if self._server is not None:
            self._server.close()
            self._server = None


class _Server(uvicorn.Server):
    """Uvicorn in a thread: it leaves signals alone there, and says when it serves."""

    def __init__(
        self,
        app: ASGIApp,
        site: Site,
        listener: socket.socket,
        limits: WebLimits,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                lifespan="off",
                ws="none",
                log_config=None,
                log_level="error",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                http=patient_protocol(limits),
                h11_max_incomplete_event_size=limits.header_bytes_max,
                limit_concurrency=limits.connections_max,
                timeout_keep_alive=limits.keepalive_seconds,
                timeout_graceful_shutdown=STOP_SECONDS_MAX,
            )
        )
        self._site = site
        self._listener = listener
        self._tls = tls
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._serve_all, name="thalweg-web", daemon=True)
        self._thread.start()
        self._up.wait()

    def close(self) -> None:
        """Stops serving and waits for the thread to end."""
        self.should_exit = True
        self._thread.join()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn.Server."""
        self.config.ssl = self._tls  # a context of ours, that takes renewed certificates
        await super().startup(sockets)
        self._site.start()
        self._up.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn.Server: streams without an end are ended, it waits for all others."""
        await self._site.close()
        await super().shutdown(sockets)

    def _serve_all(self) -> None:
        try:
            with contextlib.closing(self._listener):
                self.run(sockets=[self._listener])
        finally:
            self._up.set()  # whatever happens, nobody waits for ever


class _Parts(Response):
    """A response in parts, each sent as it is: one body would be copied several times over."""

    def __init__(self, parts: Sequence[bytes]) -> None:
        super().__init__(headers={"content-type": CONTENT_TYPE, "cache-control": "no-store"})
        self.headers["content-length"] = str(sum(map(len, parts)))
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the parts; see Starlette's Response."""
        await send(
            {"type": "http.response.start", "status": 200, "headers": self.raw_headers},
        )
        for part in self._parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _listen(host: str, port: int) -> socket.socket:
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server((host, port), family=family)


def _app(telemetry: Telemetry, subject: Subject, site: Site) -> Starlette:
    async def metrics(_: Request) -> Response:
        # In a thread, so that health is answered while a page is being made.
        return _Parts(await asyncio.to_thread(telemetry.page))

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        if subject.state() is State.READY:
            return PlainTextResponse("ready\n")
        return PlainTextResponse("not ready\n", 503)

    return Starlette(
        routes=[
            Route("/metrics", metrics),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            *site.routes(),
        ]
    )
