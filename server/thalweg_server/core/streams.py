"""How far each stream has been applied, and who may write to it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from thalweg_server.core.errors import SequenceGap, StreamFenced
from thalweg_server.core.limits import Limits
from thalweg_server.core.pace import Pace, Tempo
from thalweg_server.core.validation import shown


@dataclass(slots=True, eq=False)
class Stream:
    """One open stream. A newer one of the same id, or a reset, takes its place.

    Args:
        stream_id: its id; empty = it cannot be resumed.
        logged: sequence of the last batch that was taken in; when a stream is opened, all of
            these are applied.
        epoch: which initialisation of the server it belongs to.
        pace: sizes slices; one batch of a stream is much like the next.
    """

    stream_id: str
    logged: int
    epoch: int
    pace: Pace
    fenced: bool = False

    def check(self) -> None:
        """Raises StreamFenced where another has taken over."""
        if self.fenced:
            raise StreamFenced(
                f"stream {shown(self.stream_id)} was taken over by a newer one, or the server was "
                "reset: do not reconnect"
            )

    def is_repeat(self, sequence: int) -> bool:
        """Whether the batch was taken in before; raises SequenceGap, StreamFenced."""
        self.check()
        if self.stream_id and 1 <= sequence <= self.logged:
            return True
        expected = self.logged + 1
        if sequence != expected:
            raise SequenceGap(
                f"batch {sequence} came where {expected} was expected: send batches in order, "
                "none left out",
                field="sequence",
                expected=str(expected),
            )
        return False


@dataclass(slots=True)
class Watermark:
    """How far a stream is applied, and when it last was, in seconds since the epoch."""

    applied: int
    at: float


class Streams:
    """Watermarks by stream id, kept for `ids_kept_seconds` after their last use.

    Args:
        limits: for how long.
        tempo: of what streams teach.

    Attributes:
        marks: by stream id, the one used longest ago first.
        epoch: how many times the server was initialised.
    """

    def __init__(self, limits: Limits, tempo: Tempo) -> None:
        self.marks: OrderedDict[str, Watermark] = OrderedDict()
        self.epoch = 0
        self._limits = limits
        self._tempo = tempo
        self._open: dict[str, Stream] = {}
        self._anonymous: list[Stream] = []

    def open(self, stream_id: str, at: float) -> Stream:
        """A stream that goes on where the last of its id ended, which it fences."""
        mark = self.marks.get(stream_id)
        stream = Stream(stream_id, mark.applied if mark else 0, self.epoch, Pace(self._tempo))
        if not stream_id:
            self._anonymous.append(stream)
            return stream
        if stream_id in self._open:
            self._open[stream_id].fenced = True
        self._open[stream_id] = stream
        self._expire(at)
        return stream

    def close(self, stream: Stream) -> None:
        """Forgets a stream that has ended; its watermark stays."""
        if stream in self._anonymous:
            self._anonymous.remove(stream)
        elif self._open.get(stream.stream_id) is stream:
            del self._open[stream.stream_id]

    def advance(self, stream_id: str, sequence: int, at: float) -> None:
        """Notes that a batch is applied."""
        if stream_id:
            self.marks[stream_id] = Watermark(sequence, at)
            self.marks.move_to_end(stream_id)

    def clear(self) -> None:
        """Fences and forgets every stream."""
        for stream in (*self._open.values(), *self._anonymous):
            stream.fenced = True
        self.marks.clear()
        self._open.clear()
        self._anonymous.clear()
        self.epoch += 1

    def _expire(self, now: float) -> None:
        while self.marks:
            stream_id, mark = next(iter(self.marks.items()))
            if mark.at >= now - self._limits.ids_kept_seconds:
                break
            del self.marks[stream_id]
