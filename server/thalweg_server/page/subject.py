"""What the page looks at: the service, and what only the server around it can tell."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from thalweg_server.core.service import Service

T = TypeVar("T")


class State(enum.Enum):
    """Whether the server takes calls."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"

    @staticmethod
    def of(ready: bool, draining: bool) -> State:
        """By whether calls are taken, and whether no more will be."""
        if ready:
            return State.READY
        return State.DRAINING if draining else State.STARTING


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What callers do.

    Args:
        predictions: Predict and PredictMany calls begun since the start.
        streams: StreamLearn calls that are open.
        waiting: calls that wait for the models' thread.
    """

    predictions: int = 0
    streams: int = 0
    waiting: int = 0


class Read(Protocol):
    """Runs a function that changes nothing where the models are; raises Overloaded."""

    def __call__(self, function: Callable[[], T]) -> Awaitable[T]:
        """The function's result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the page looks at.

    Args:
        service: models that learn. Read from any thread, never changed.
        state: whether the server takes calls.
        read: asks the models' thread.
        versions: of what the server is made of, by name.
        load: what callers do.
        recent: the latest events, so many at most, newest first; each with "at", "event" and
            "level", plain JSON.
    """

    service: Service
    state: Callable[[], State]
    read: Read
    versions: Mapping[str, str]
    load: Callable[[], Load]
    recent: Callable[[int], Sequence[Mapping[str, Any]]]
