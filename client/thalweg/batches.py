"""From rows and columns to a stream's batches, within the server's limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from thalweg.encode import check_columns, set_columns, set_row
from thalweg.observations import Columns, Row
from thalweg.v1 import forecaster_pb2 as pb

ROWS_DEFAULT = 2_000
"""Rows per batch: enough for the cost of a message to vanish, few enough to answer soon."""
FRAME_BYTES = 64
"""What a batch message holds around its body: sequence, tags and lengths, rounded up."""
ROW_FRAME_BYTES = 6
"""Tag and length around one row."""
PLAIN_ROW_BYTES = 64
"""More than date, target, tags and lengths of a row without features take."""
UTF8_BYTES_MAX = 4
"""Bytes of one character, at most."""

Item = Row | Columns | pb.LearnRows | pb.LearnColumns
"""What a stream takes: rows to be grouped, columns to be split where needed, or a batch as the
contract's message, sent as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one batch may hold; 0 = no limit."""

    rows: int
    bytes: int


class Batcher:
    """Groups rows, splits columns: items in, batch messages that lack only their number out.

    The same items give the same batches, as long as `flush` is called at the same places: what
    makes it safe to send a source again under its stream_id.

    Args:
        limits: the server's.
        batch_rows: rows per batch; None = 2,000 rows, and columns as large as the limits allow.
    """

    def __init__(self, limits: Limits, batch_rows: int | None) -> None:
        rows = [n for n in (limits.rows, batch_rows) if n]
        self._columns_rows = min(rows, default=0)
        self._rows = min([*rows, *([] if batch_rows else [ROWS_DEFAULT])])
        self._bytes = max(limits.bytes - FRAME_BYTES, 1) if limits.bytes else 0
        self._start()

    def _start(self) -> None:
        self.pending = 0
        """Rows of the batch that is not full yet."""
        self._open = pb.StreamLearnRequest()
        self._open_rows = self._open.rows.rows
        self._open_bytes = 0

    def add(
        self, item: Item
    ) -> Iterator[pb.StreamLearnRequest] | tuple[pb.StreamLearnRequest, ...]:
        """Take an item; return the batches that it completes.

        Raises:
            TypeError: no item of a stream, or a value that has no form in the contract.
            ValueError: columns of unequal length; an int of more than 64 bits.
        """
        if isinstance(item, Row):
            return self._add_row(item)
        if isinstance(item, Columns):
            check_columns(item)
            return self._split(item)
        if isinstance(item, pb.LearnRows):
            return (*self.flush(), pb.StreamLearnRequest(rows=item))
        if isinstance(item, pb.LearnColumns):
            return (*self.flush(), pb.StreamLearnRequest(columns=item))
        raise TypeError(f"a stream takes Row and Columns, not {type(item).__name__}")

    def flush(self) -> tuple[pb.StreamLearnRequest, ...]:
        """Return the batch that is not full yet, if it has any rows."""
        if not self.pending:
            return ()
        batch = self._open
        self._start()
        return (batch,)

    def _add_row(self, row: Row) -> tuple[pb.StreamLearnRequest, ...]:
        message = self._open_rows.add()
        try:
            set_row(message, row)
        except BaseException:
            del self._open_rows[-1]
            raise
        done: tuple[pb.StreamLearnRequest, ...] = ()
        if self._bytes:
            size = _bytes_at_most(row, message)
            if self.pending and self._open_bytes + size > self._bytes:
                del self._open_rows[-1]
                done = self.flush()
                set_row(self._open_rows.add(), row)
            self._open_bytes += size
        self.pending += 1
        return (*done, *self.flush()) if self.pending >= self._rows else done

    def _split(self, columns: Columns) -> Iterator[pb.StreamLearnRequest]:
        yield from self.flush()
        step = self._columns_rows or len(columns)
        for start in range(0, len(columns), max(step, 1)):
            yield from self._slice(columns, start, min(start + step, len(columns)))

    def _slice(self, columns: Columns, start: int, stop: int) -> Iterator[pb.StreamLearnRequest]:
        batch = pb.StreamLearnRequest()
        set_columns(batch.columns, columns, start, stop)
        if self._bytes and batch.ByteSize() > self._bytes and stop - start > 1:
            middle = (start + stop) // 2
            yield from self._slice(columns, start, middle)
            yield from self._slice(columns, middle, stop)
        else:
            yield batch


def _bytes_at_most(row: Row, message: pb.LearnRequest) -> int:
    """Return a bound on a row's size; to measure it costs as much as to make it."""
    if row.features or row.text is not None or isinstance(row.target, str):
        return message.ByteSize() + ROW_FRAME_BYTES
    names = len(row.model) + len(row.prediction_id) + len(row.request_id)
    return PLAIN_ROW_BYTES + UTF8_BYTES_MAX * names
