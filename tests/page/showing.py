"""A page without a gRPC server around it, and what it sends."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

import dill

from thalweg_server.callers.checking import SecretFile
from thalweg_server.config import WebLimits
from thalweg_server.core.events import Uploaded
from thalweg_server.core.observation import Context
from thalweg_server.core.service import Service
from thalweg_server.page import Load, State, Subject
from thalweg_server.telemetry import Telemetry
from thalweg_server.web import WebServer

T = TypeVar("T")


@dataclass
class Around:
    """What a server would tell the page, for tests to change."""

    state: State = State.READY
    load: Load = field(default_factory=Load)
    recent: Callable[[int], Sequence[Mapping[str, Any]]] = lambda _: ()

    def subject(self, service: Service) -> Subject:
        """What the page looks at."""
        return Subject(
            service=service,
            state=lambda: self.state,
            read=at_once,
            versions={"version": "0"},
            load=lambda: self.load,
            recent=lambda most: self.recent(most),  # noqa: PLW0108 - a test may change it
        )


async def at_once(function: Callable[[], T]) -> T:
    """Runs a read right here, in place of the models' thread."""
    return function()


class Shown:
    """A running web server around a service."""

    def __init__(self, service: Service, **settings: Any) -> None:
        self.service = service
        self.around = Around()
        self.telemetry = Telemetry(service)
        self.subject = self.around.subject(service)
        self.web = WebServer("127.0.0.1", 0, self.telemetry, self.subject, **settings)
        self.port = self.web.start()

    def get(
        self, path: str, method: str = "GET", **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def json(self, path: str) -> tuple[int, Any]:
        """Status and what the JSON says."""
        status, headers, body = self.get(path)
        assert headers["content-type"] == "application/json"
        return status, json.loads(body)

    def model(self, name: str) -> tuple[int, Any]:
        """One model."""
        return self.json(f"/api/models/{quote(name, safe='')}")

    def found(self, text: str) -> list[str]:
        """Names that a search finds."""
        names: list[str] = self.json(f"/api/models?search={quote(text)}")[1]["names"]
        return names

    @contextmanager
    def events(self) -> Iterator[Iterator[tuple[str, Any]]]:
        """A viewer's events, of kind and data, until it has seen enough."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/events")
            response = connection.getresponse()
            assert response.status == 200, response.read()
            yield parsed(response)
        finally:
            connection.close()


def parsed(response: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    """Events, as they come; of a comment, its text."""
    kind = ""
    for line in response:
        name, _, value = line.decode().rstrip("\n").partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield kind, json.loads(value)
        elif line.startswith(b":"):
            yield "comment", value


def first(events: Iterator[tuple[str, Any]], kind: str) -> Any:
    """The data of the next event of that kind."""
    return next(data for found, data in events if found == kind)


@contextmanager
def showing(
    service: Service, token: SecretFile | None = None, limits: WebLimits | None = None
) -> Iterator[Shown]:
    """Serves the page for a while."""
    shown = Shown(service, token=token, limits=limits)
    try:
        yield shown
    finally:
        shown.web.stop()


def upload_dated(service: Service, model: str, candidate: str, estimator: Any) -> None:
    """Adds a candidate that sees the date."""
    event = Uploaded(
        model=model,
        candidate=candidate,
        payload=dill.dumps(estimator, recurse=True),
        template=False,
        replace=False,
        apply_to_existing=False,
        context=(Context.DATE,),
    )
    service.upload(event, None)
