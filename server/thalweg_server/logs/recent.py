"""The last things that a server told: what somebody who opens the live page has missed."""

from __future__ import annotations

import threading
from collections import deque
from itertools import islice
from typing import Any

from structlog.types import EventDict

EVENTS_MAX = 100
"""Events that are kept: some screens full."""

QUIET = ("debug",)
"""Levels that are not kept: a line per rpc would push out all else."""


class Recent:
    """A ring of the last events, filled as a processor of structlog's. Any thread."""

    def __init__(self) -> None:
        self._events: deque[EventDict] = deque(maxlen=EVENTS_MAX)
        self._lock = threading.Lock()

    def __call__(self, _: object, __: str, event: EventDict) -> EventDict:
        """Keeps an event; see structlog's processors."""
        if event["level"] not in QUIET:
            kept = {name: value for name, value in event.items() if _is_plain(name)}
            with self._lock:
                self._events.appendleft(kept)
        return event

    def last(self, count: int = EVENTS_MAX) -> list[dict[str, Any]]:
        """The newest events, newest first.

        Each has "at" (ISO 8601, UTC), "event", "level" and fields of its own: plain JSON values.
        """
        with self._lock:
            return [dict(event) for event in islice(self._events, count)]


def _is_plain(name: str) -> bool:
    """Whether a field is for a page: neither a trace of pages' length nor structlog's own."""
    return name != "exception" and not name.startswith("_")
