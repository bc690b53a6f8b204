"""Streams' batches that are logged and wait for their turn."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass

from thalweg_server.core.errors import StreamFenced
from thalweg_server.core.events import Progress, Streamed
from thalweg_server.core.job import BatchJob
from thalweg_server.core.streams import Streams


@dataclass(slots=True)
class Turn:
    """A stream's batch.

    Args:
        event: as it is logged.
        job: learns it.
        position: where it is logged.
    """

    event: Streamed
    job: BatchJob
    position: int = 0


class Backlog:
    """Applies streams' batches one after the other, in the order of the log.

    One at a time, so that how far the log is applied is one position and one row: all that it
    takes to repeat what came in between at the same place.

    Args:
        streams: where each stream's watermark is.

    Attributes:
        event: the position up to which all is applied that is no stream's batch.
    """

    def __init__(self, streams: Streams) -> None:
        self.event = 0
        self._streams = streams
        self._turns: deque[Turn] = deque()

    def __len__(self) -> int:
        return len(self._turns)

    @property
    def first(self) -> Turn:
        """The batch whose turn it is."""
        return self._turns[0]

    @property
    def progress(self) -> Progress:
        """How far the log is applied."""
        if not self._turns:
            return Progress(self.event + 1, 0, self.event)
        first = self._turns[0]
        return Progress(first.position, first.job.next, self.event)

    def put(self, turn: Turn, position: int) -> None:
        """Adds a batch that was logged here. Any thread, in the order of the log."""
        turn.position = position
        self._turns.append(turn)

    def step(self) -> bool:
        """Learns a slice of the first batch; returns whether that is done.

        Raises:
            StreamFenced: the server was reset since the batch came, which is dropped.
        """
        turn = self._turns[0]
        if turn.event.epoch != self._streams.epoch:
            self._end(turn)
            raise StreamFenced("the server was reset: what this stream taught is gone")
        done = turn.job.step()
        if done:
            self._end(turn)
            self._streams.advance(turn.event.stream_id, turn.event.sequence, turn.event.at)
        return done

    def catch_up(self, progress: Progress) -> None:
        """Replays what had been applied when an entry was logged: so far it was."""
        while self._turns and self._turns[0].position < progress.batch:
            self._replay()
        if self._turns and self._turns[0].position == progress.batch:
            self._turns[0].job.advance(progress.row)

    def finish(self) -> None:
        """Replays all that is left."""
        while self._turns:
            self._replay()

    def _replay(self) -> None:
        with suppress(StreamFenced):
            while not self.step():
                pass

    def _end(self, turn: Turn) -> None:
        self._turns.popleft()
        # Empty, the backlog has applied all up to here: positions before are events', or its own.
        self.event = max(self.event, turn.position)
