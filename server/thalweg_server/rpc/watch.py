"""WatchScores: the current state first, then changes, merged where the receiver is slow."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from functools import partial

from thalweg.v1 import forecaster_pb2 as pb
from thalweg_server.core.errors import BadRequest
from thalweg_server.core.globs import compile_glob
from thalweg_server.core.observation import day_text
from thalweg_server.core.service import Service
from thalweg_server.models_thread import ModelsThread
from thalweg_server.rpc import encode

CHUNK = 200
"""Models described in one go: about a millisecond of the models' thread."""


class Watchers:
    """Everybody who watches, and the one listener that tells them."""

    def __init__(self, service: Service, models_thread: ModelsThread) -> None:
        self._service = service
        self._models_thread = models_thread
        self._watchers: set[Watcher] = set()
        self._loop = asyncio.get_running_loop()

    def _changed(self, names: set[str]) -> None:
        # The models' thread. Copies what it needs: the set lives on.
        self._loop.call_soon_threadsafe(self._tell, frozenset(names))

    def _tell(self, names: frozenset[str]) -> None:
        for watcher in self._watchers:
            watcher.add(names)

    def stop(self) -> None:
        """Ends every watch."""
        for watcher in self._watchers:
            watcher.end()

    async def watch(self, request: pb.WatchScoresRequest) -> AsyncIterator[pb.WatchScoresResponse]:
        """One WatchScores call."""
        self._service.ready()
        if request.models and request.glob:
            raise BadRequest("models and glob exclude each other: send one", field="glob")
        watcher = Watcher(frozenset(request.models), request.glob)
        self._watchers.add(watcher)
        self._listen()
        try:
            known = await self._models_thread.slice(lambda: self._start(request))
            watcher.put_first(known)
            async for chunk in watcher:
                for response in await self._models_thread.slice(partial(self._describe, chunk)):
                    yield response
        finally:
            self._watchers.discard(watcher)
            self._listen()

    def _listen(self) -> None:
        """Only while somebody watches: naming what changed costs something for every row."""
        self._service.listeners = (self._changed,) if self._watchers else ()

    def _start(self, request: pb.WatchScoresRequest) -> list[str]:
        self._service.ready()
        if request.models:
            return [self._service.registry.get(name).name for name in request.models]
        return sorted(m.name for m in self._service.registry.matching(request.glob))

    def _describe(self, names: Iterable[str]) -> list[pb.WatchScoresResponse]:
        return [self._response(name) for name in names]

    def _response(self, name: str) -> pb.WatchScoresResponse:
        model = self._service.model(name)
        if model is None:
            return pb.WatchScoresResponse(model=name, deleted=True)
        return pb.WatchScoresResponse(
            model=name,
            scores=encode.scores(model, self._service.judge),
            learned=model.learned,
            learned_through=day_text(model.learned_through),
        )


class Watcher:
    """The names one watcher has yet to be told about, in order, each once."""

    def __init__(self, names: frozenset[str], glob: str) -> None:
        self._names = names
        self._pattern: re.Pattern[str] | None = compile_glob(glob) if glob else None
        self._pending: dict[str, None] = {}
        self._wake = asyncio.Event()
        self._ended = False

    def put_first(self, names: Iterable[str]) -> None:
        """Puts the current state in front of changes that came meanwhile."""
        self._pending = dict.fromkeys((*names, *self._pending))
        self._wake.set()

    def add(self, names: frozenset[str]) -> None:
        """Notes changes."""
        wanted = [name for name in names if self._wants(name)]
        if wanted:
            self._pending.update(dict.fromkeys(wanted))
            self._wake.set()

    def end(self) -> None:
        """Ends the watch."""
        self._ended = True
        self._wake.set()

    def _wants(self, name: str) -> bool:
        if self._names:
            return name in self._names
        return self._pattern is None or self._pattern.fullmatch(name) is not None

    async def __aiter__(self) -> AsyncIterator[list[str]]:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._pending and not self._ended:
                chunk = list(self._pending)[:CHUNK]
                for name in chunk:
                    del self._pending[name]
                yield chunk
            if self._ended:
                return
