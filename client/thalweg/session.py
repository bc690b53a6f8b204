"""One StreamLearn over any number of connections: what to send, what is acked, where to resume.

Sans-io: it touches no socket, thread, loop or clock. It is not thread-safe; who drives it from
several threads holds a lock.
"""

from __future__ import annotations

import uuid
from collections import deque
from dataclasses import dataclass

from thalweg import decode
from thalweg.batches import Limits
from thalweg.errors import Internal, StreamForgotten, ThalwegError, Unavailable
from thalweg.results import Ack
from thalweg.retry import Retry, breaks_stream_only
from thalweg.v1 import forecaster_pb2 as pb

LINGER_SECONDS = 0.1
"""How long a live feed's batch waits for more rows: short enough for a person to watch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """How a stream learns; see `Client.stream_learn`.

    Raises:
        ValueError: `batch_rows` below 1.
    """

    stream_id: str | None
    return_predictions: bool
    skip_learned_dates: bool
    batch_rows: int | None
    linger: float | None
    reconnect_timeout: float
    retry: Retry

    def __post_init__(self) -> None:
        if self.batch_rows is not None and self.batch_rows < 1:
            raise ValueError(f"batch_rows must be at least 1, not {self.batch_rows}")


class Session:
    """The state of one stream.

    A batch is kept from `put` until it is durable or, where the server keeps nothing durably,
    until it is acked. After a break every kept batch is sent again; the server learns none of
    them twice.
    """

    def __init__(self, settings: StreamSettings) -> None:
        self.settings = settings
        self.stream_id = uuid.uuid4().hex if settings.stream_id is None else settings.stream_id
        by_default = None if settings.stream_id else LINGER_SECONDS
        self.linger = by_default if settings.linger is None else settings.linger
        self._kept: deque[pb.StreamLearnRequest] = deque()
        self._last_put = 0
        self._last_acked = 0
        self._last_freed = 0
        self._last_sent_ever = 0
        self._input_over = False
        self._failed_tries = 0
        self._failing_since: float | None = None
        self._restart()

    def _restart(self) -> None:
        self._opened: pb.StreamOpened | None = None
        self._open_sent = False
        self._cursor = 0
        self._expected = self._last_freed + 1
        self._sent_before = self._last_sent_ever

    # Towards the server.

    @property
    def limits(self) -> Limits | None:
        """The server's limits; None until the connection is open."""
        if self._opened is None:
            return None
        return Limits(rows=self._opened.max_batch_rows, bytes=self._opened.max_batch_bytes)

    @property
    def has_room(self) -> bool:
        """Whether another batch may be put: not while the server's window is full."""
        if self._opened is None:
            return False
        window = max(self._opened.max_inflight_batches, 1)
        return len(self._kept) < window or self._last_put == self._last_acked

    def put(self, batch: pb.StreamLearnRequest) -> None:
        """Take the next batch and number it."""
        self._last_put += 1
        batch.sequence = self._last_put
        self._kept.append(batch)

    def end(self) -> None:
        """Say that no batch will follow."""
        self._input_over = True

    def connect(self) -> None:
        """Start over on a new connection."""
        self._restart()

    def next_message(self) -> pb.StreamLearnRequest | None:
        """Return what to send now on this connection, None where there is nothing yet."""
        if not self._open_sent:
            self._open_sent = True
            return pb.StreamLearnRequest(
                open=pb.StreamOpen(
                    stream_id=self.stream_id,
                    return_predictions=self.settings.return_predictions,
                    skip_learned_dates=self.settings.skip_learned_dates,
                )
            )
        if self._opened is None or self._cursor >= len(self._kept):
            return None
        message = self._kept[self._cursor]
        self._cursor += 1
        self._last_sent_ever = max(self._last_sent_ever, message.sequence)
        return message

    @property
    def all_sent(self) -> bool:
        """Whether this connection will carry no further message."""
        return self._input_over and self._opened is not None and self._cursor >= len(self._kept)

    # From the server.

    def receive(self, message: pb.StreamLearnResponse) -> Ack | None:
        """Take a message; return the ack to hand to the caller, if it is a new one.

        Raises:
            StreamForgotten: the server lost batches that it had acked.
            Internal: the server broke the contract.
        """
        kind = message.WhichOneof("body")
        if kind == "opened" and self._opened is None:
            self._open(message.opened)
            return None
        if kind != "ack" or message.ack.sequence != self._expected:
            raise Internal(f"expected the ack of batch {self._expected}, not {message}")
        return self._ack(message.ack)

    def _open(self, opened: pb.StreamOpened) -> None:
        if self.stream_id and opened.last_applied_sequence < self._last_freed:
            raise StreamForgotten(
                f"the server had acked batch {self._last_freed} of stream "
                f"{self.stream_id!r}, but now knows it only up to "
                f"{opened.last_applied_sequence}: it has lost its state"
            )
        self._opened = opened

    def _ack(self, ack: pb.StreamAck) -> Ack | None:
        opened = self._opened
        if opened is None or not self._cursor:
            raise Internal(f"an ack of batch {ack.sequence}, which was not sent")
        self._expected += 1
        # No further than acked: another batch, durable by now, still has its own ack to come.
        free_through = min(ack.sequence, ack.durable_sequence if opened.durable else ack.sequence)
        while self._cursor and self._kept[0].sequence <= free_through:
            self._last_freed = self._kept.popleft().sequence
            self._cursor -= 1
        if ack.sequence <= self._last_acked:
            return None
        self._last_acked = ack.sequence
        self._failed_tries, self._failing_since = 0, None
        applied_unacked = ack.sequence <= min(opened.last_applied_sequence, self._sent_before)
        return decode.ack(ack, resumed=applied_unacked)

    @property
    def finished(self) -> bool:
        """Whether all there was to learn is acked."""
        return self._input_over and self._last_acked == self._last_put

    def ended_by_server(self, now: float) -> float:
        """Take note that the server ended the stream without an error; otherwise as `broken`."""
        return self.broken(Unavailable("the server ended the stream before its last ack"), now)

    def broken(self, error: ThalwegError, now: float) -> float:
        """Take note that the connection failed; return the seconds to wait before the next.

        Args:
            error: what it failed with.
            now: seconds on a clock that only moves on.

        Raises:
            ThalwegError: `error` itself, where a new connection would not help.
        """
        if self.finished:
            return 0.0
        if not self.stream_id or not breaks_stream_only(error):
            raise error
        if self._failing_since is None:
            self._failing_since = now
        self._failed_tries += 1
        delay = self.settings.retry.delay(self._failed_tries, error)
        if now + delay - self._failing_since > self.settings.reconnect_timeout:
            raise error
        return delay
