"""How far each stream has been applied, and who may write to it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from thalweg_server.core.errors import SequenceGap, StreamFenced
from thalweg_server.core.limits import Limits
from thalweg_server.core.validation import shown


@dataclass(slots=True, eq=False)
class Stream:
    """One open stream. A newer one of the same id, or a reset, takes its place.

    Args:
        stream_id: its id; empty = it cannot be resumed.
        applied: sequence of the last batch applied.
        at: when it was last used, seconds since the epoch.
    """

    stream_id: str
    applied: int
    at: float
    fenced: bool = False

    def check(self) -> None:
        """Raises StreamFenced where another has taken over."""
        if self.fenced:
            raise StreamFenced(
                f"stream {shown(self.stream_id)} was taken over by a newer one, or the server was "
                "reset: do not reconnect"
            )

    def is_repeat(self, sequence: int) -> bool:
        """Whether the batch was applied before; raises SequenceGap, StreamFenced."""
        self.check()
        if self.stream_id and 1 <= sequence <= self.applied:
            return True
        expected = self.applied + 1
        if sequence != expected:
            raise SequenceGap(
                f"batch {sequence} came where {expected} was expected: send batches in order, "
                "none left out",
                field="sequence",
                expected=str(expected),
            )
        return False


class Streams:
    """Watermarks by stream id, kept for `ids_kept_seconds` after their last use."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._named: OrderedDict[str, Stream] = OrderedDict()
        self._anonymous: list[Stream] = []

    def open(self, stream_id: str, at: float) -> Stream:
        """A stream that goes on where the last of its id ended, which it fences."""
        old = self._named.pop(stream_id, None) if stream_id else None
        stream = Stream(stream_id, old.applied if old else 0, at)
        if old is not None:
            old.fenced = True
        if stream_id:
            self._named[stream_id] = stream
        else:
            self._anonymous.append(stream)
        self._expire(at)
        return stream

    def close(self, stream: Stream) -> None:
        """Forgets a stream that cannot be resumed; others keep their watermark."""
        if stream in self._anonymous:
            self._anonymous.remove(stream)

    def advance(self, stream: Stream, sequence: int, at: float) -> None:
        """Notes that a batch is applied."""
        stream.applied, stream.at = sequence, at
        if stream.stream_id in self._named:
            self._named.move_to_end(stream.stream_id)

    def clear(self) -> None:
        """Fences and forgets every stream."""
        for stream in (*self._named.values(), *self._anonymous):
            stream.fenced = True
        self._named.clear()
        self._anonymous.clear()

    def _expire(self, now: float) -> None:
        while self._named:
            stream = next(iter(self._named.values()))
            if stream.at >= now - self._limits.ids_kept_seconds:
                break
            del self._named[stream.stream_id]
