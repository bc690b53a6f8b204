"""The ports of the core to where state goes: events (`Store`), and snapshots (`Sink`, `Source`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from thalweg_server.core.events import Entry, Event, Progress, Raised, Streamed


class Store(Protocol):
    """The durable order of everything that changed a model: the event log.

    Events have positions 1, 2, 3 … An event is added whole or not at all. Where `durable` is true,
    an event that was reported as added survives a crash, and the core applies it only then. What
    several callers add at the same time becomes durable together.

    After a failure of the medium nothing is added any more, and nobody is told that anything was:
    what was on its way may be found in the log by the next process, or not.
    """

    name: str
    durable: bool

    def append(self, events: Sequence[Event], progress: Progress) -> int:
        """Adds events, all or none, and waits until they are durable. The models' thread only.

        Returns:
            The position of the last one.

        Raises:
            StorageFailed: the medium failed, now or before.
        """

    def submit(self, event: Streamed, then: Callable[[int | None], None]) -> None:
        """Adds an event without waiting. Any thread.

        `then` gets the position once the event is durable, or None where the medium failed; it is
        called in the order of the log, in a thread of the store's or the caller's, and before any
        `append` behind it returns.
        """

    def note(self, event: Raised) -> None:
        """Adds an event with whatever is added next; nobody waits for it. Any thread."""

    def entries(self, start: int) -> Iterator[Entry]:
        """What is logged at `start` and behind it, in order. Before anything is added.

        Raises:
            CorruptStorage: an entry is missing or damaged; it says which, and where.
        """

    def truncate(self, end: int) -> None:
        """Forgets what is logged before a position: a snapshot holds it. Any thread."""

    def close(self) -> None:
        """Lets go of the medium; idempotent."""


class Sink(Protocol):
    """Where a snapshot's parts go."""

    def array(self, name: str, values: NDArray[Any]) -> None:
        """Writes an array."""

    def data(self, name: str, payload: bytes) -> None:
        """Writes bytes."""

    def dump(self, name: str, version: int, make: Callable[[], bytes]) -> None:
        """Writes bytes that take long to make.

        Where the snapshot before has the same name and version, its bytes are copied instead.
        """


class Source(Protocol):
    """A verified snapshot's parts. Asking for what is not there raises KeyError."""

    def array(self, name: str) -> NDArray[Any]:
        """An array of its own, to be kept and changed."""

    def fill(self, name: str, room: Callable[[int], NDArray[Any]]) -> None:
        """Reads an array into memory that is there: `room` is given its length, and has it.

        That has to be of the array's own type and shape, row by row.
        """

    def data(self, name: str) -> bytes:
        """What `Sink.data` or `Sink.dump` wrote."""
