"""A store that breaks its promise: it acknowledges first, and writes now and then.

It shows that the tests would notice a server that loses what it has acknowledged.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from thalweg_server.core.events import Event, Progress, Raised, Streamed
from thalweg_server.storage.sqlite import SqliteStore
from thalweg_server.storage.writer import Addition, Then

BUFFERED_MAX = 40
"""Events that wait in this process's memory."""


class BufferedStore(SqliteStore):
    """A `Store` that says "durable" and means "soon"."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._buffer: list[tuple[Event, Progress]] = []
        self._position = self._log.last
        self._turn = threading.RLock()

    def append(self, events: Sequence[Event], progress: Progress) -> int:
        """Keeps events in memory."""
        with self._turn:
            for event in events:
                self._keep(event, progress)
            return self._position

    def submit(self, event: Streamed, then: Then) -> None:
        """Keeps an event in memory, and says that it is durable."""
        with self._turn:
            self._keep(event, Progress())
            then(self._position)

    def note(self, event: Raised) -> None:
        """Keeps an event in memory."""
        with self._turn:
            self._keep(event, Progress())

    def close(self) -> None:
        """Writes what is left: only who is killed loses it."""
        self._write()
        super().close()

    def _keep(self, event: Event, progress: Progress) -> None:
        self._position += 1
        self._buffer.append((event, progress))
        if len(self._buffer) >= BUFFERED_MAX:
            self._write()

    def _write(self) -> None:
        for event, progress in self._buffer:
            self._writer.put(Addition((event,), progress, lambda _: None))
        self._buffer.clear()
