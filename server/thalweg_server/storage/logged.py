"""What all durable stores do: they hand events to a writer, and read a log before there is one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue

from thalweg_server.core.errors import StorageFailed
from thalweg_server.core.events import Entry, Event, Progress, Raised, Streamed
from thalweg_server.durations import Durations
from thalweg_server.storage.writer import Addition, Log, Note, Then, Truncation, Writer


class LoggedStore:
    """A `Store` over a log; what is added during one commit goes into the next, all together.

    Args:
        log: the store's alone.
        on_failure: gets the error, once, where the medium fails; in the writer's thread.
    """

    durable = True

    def __init__(self, log: Log, on_failure: Callable[[Exception], None]) -> None:
        self._log = log
        self._writer = Writer(log, on_failure)

    @property
    def last(self) -> int:
        """The position of what is in the log, or about to be, and nothing behind it. Any thread."""
        return self._log.last

    @property
    def commits(self) -> Durations:
        """How long commits took. Any thread."""
        return self._writer.commits

    @property
    def lag_seconds(self) -> float:
        """How long the oldest change that is not durable yet has been waiting. Any thread."""
        return self._writer.lag_seconds

    def append(self, events: Sequence[Event], progress: Progress) -> int:
        """Adds events, all or none, and waits until they are durable; see `Store`."""
        answer: SimpleQueue[int | None] = SimpleQueue()
        self._writer.put(Addition(events, progress, answer.put))
        position = answer.get()
        if position is None:
            reason = self._writer.failure or "it was closed"
            raise StorageFailed(
                f"the event log failed ({reason}): nothing is acknowledged any more; retry when "
                "the server is back"
            )
        return position

    def submit(self, event: Streamed, then: Then) -> None:
        """Adds an event without waiting; see `Store`."""
        self._writer.put(Addition((event,), Progress(), then))

    def note(self, event: Raised) -> None:
        """Adds an event with whatever is added next, or on closing; see `Store`."""
        self._writer.put(Note(event))

    def entries(self, start: int) -> Iterator[Entry]:
        """What is logged at `start` and behind it, in order; see `Store`."""
        for entry in self._log.entries(start):
            if self._writer.started:
                break
            yield entry
        if self._writer.started:
            raise RuntimeError("the log is read before anything is added to it")

    def truncate(self, end: int) -> None:
        """Forgets what is logged before a position, little by little; see `Store`."""
        self._writer.put(Truncation(end))

    def close(self) -> None:
        """Adds what is queued and lets go of the medium; idempotent."""
        self._writer.close()
        self._log.close()
