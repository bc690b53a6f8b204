"""The store that keeps nothing: state lives in the models and goes with the process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

from thalweg_server.core.events import Entry, Event, Progress, Raised, Streamed


class MemoryStore:
    """A log without a medium, for demos, tests and fleets that are warmed up anew."""

    name = "memory"
    durable = False

    def __init__(self) -> None:
        self._last = 0
        # Held while a caller is told, so that callers are told in order. Whoever is told may add.
        self._lock = threading.RLock()

    def append(self, events: Sequence[Event], progress: Progress) -> int:
        """Counts the events; there is nowhere to write them."""
        with self._lock:
            self._last += len(events)
            return self._last

    def submit(self, event: Streamed, then: Callable[[int | None], None]) -> None:
        """Counts the event and calls `then` at once."""
        with self._lock:
            self._last += 1
            then(self._last)

    def note(self, event: Raised) -> None:
        """Counts the event."""
        with self._lock:
            self._last += 1

    def entries(self, start: int) -> Iterator[Entry]:
        """Nothing is kept."""
        return iter(())

    def truncate(self, end: int) -> None:
        """There is nothing to forget."""

    def close(self) -> None:
        """Has nothing to let go of."""
