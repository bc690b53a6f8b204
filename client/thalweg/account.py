"""What becomes of the rows of a stream: their counts, and each row that was refused, by its place.

A server names a refused row by its position in a batch; people look for it in a file or a table.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from thalweg.encode import EPOCH_ORDINAL, date_text
from thalweg.errors import REASON_PREFIX
from thalweg.observations import Columns, Row
from thalweg.progress import Report
from thalweg.results import Ack

LISTED_MAX = 100
"""Refused rows that an ack names, and that an account keeps: in batches of so many rows each
refused one is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A row that was not learned.

    Attributes:
        where: its place in the source, from 1: "line 17", "row 3".
        model: its model; "" where that is not known.
        date: its day as text; "" where there is none.
        target: its target.
        reason: the ErrorReason without its prefix, such as "BAD_TARGET". Found before anything
            was sent: "BAD_LINE", no row of a table; "REPEATED", another row of the same model
            and day. "UNLISTED": several rows, of which the server gave only the number.
        message: why, for people.
    """

    where: str
    model: str = ""
    date: str = ""
    target: Any = None
    reason: str
    message: str


Entry = tuple[int, Row | Columns] | Refused
"""What a source gives: the place of an item, of its first row; or a row that cannot be sent."""


def placed(items: Iterable[Row | Columns]) -> Iterator[Entry]:
    """Yield items with their places, rows counted from 1."""
    place = 1
    for item in items:
        yield place, item
        place += _size(item)


class _Span(NamedTuple):
    """Rows of one item in one batch.

    Attributes:
        first: the position in the batch of the first of them.
        place: its place in the source.
        item: what they are part of.
        offset: the position of the first of them in the item.
    """

    first: int
    place: int
    item: Row | Columns
    offset: int


class Account:
    """The account of one stream: `sending` sees what goes out, `settle` what became of it.

    Both may run in threads of their own, one each.

    Attributes:
        seconds: time from the start to the last batch.
        rows: rows of which the fate is known.
        learned: those that were learned.
        duplicates: those that had been learned before.
        error_count: those that were refused.
        errors: the first 100 of these.

    Args:
        place: what the source counts, "line" or "row".
        on_refused: gets each refused row as soon as it is known.
    """

    def __init__(
        self, place: str = "row", on_refused: Callable[[Refused], None] | None = None
    ) -> None:
        self.seconds = 0.0
        self.rows = self.learned = self.duplicates = self.error_count = 0
        self.errors: list[Refused] = []
        self._place = place
        self._on_refused = on_refused
        self._started = time.perf_counter()
        self._turn = threading.Lock()
        self._sent: deque[tuple[int, Row | Columns]] = deque()
        self._settled_of_first = 0

    @property
    def rows_per_second(self) -> float:
        """Rows settled per second, 0 before the first."""
        return self.rows / self.seconds if self.seconds else 0.0

    def sending(self, entries: Iterable[Entry]) -> Iterator[Row | Columns]:
        """Yield what can be sent, and remember it until it is settled."""
        for entry in entries:
            if isinstance(entry, Refused):
                with self._turn:
                    self._refuse(entry)
                    self._count(1, errors=1)
                continue
            self._sent.append(entry)
            yield entry[1]

    def follow(self, acks: Iterable[Ack], report: Report, total: int | None) -> Iterator[Ack]:
        """Yield the acks of what was sent, each settled and reported.

        Args:
            acks: all of them, in order.
            report: gets the rows settled so far, with every batch.
            total: how many there will be; None where nobody knows.
        """
        report(self.rows, total)
        for ack in acks:
            self.settle(ack)
            report(self.rows, total)
            yield ack

    def settle(self, ack: Ack) -> None:
        """Take note of what became of the next batch."""
        spans = list(self._take(ack.rows))
        with self._turn:
            for refused in self._refused(ack, spans):
                self._refuse(refused)
            self.learned += ack.learned
            self.duplicates += ack.duplicates
            self._count(ack.rows, errors=ack.error_count)

    def _count(self, rows: int, *, errors: int) -> None:
        self.rows += rows
        self.error_count += errors
        self.seconds = time.perf_counter() - self._started

    def _refuse(self, refused: Refused) -> None:
        if len(self.errors) < LISTED_MAX:
            self.errors.append(refused)
        if self._on_refused is not None:
            self._on_refused(refused)

    def _take(self, rows: int) -> Iterator[_Span]:
        """Yield the next rows that were sent: a batch may end within an item."""
        taken = 0
        while taken < rows:
            place, item = self._sent[0]
            offset, size = self._settled_of_first, _size(item)
            yield _Span(taken, place + offset, item, offset)
            count = min(rows - taken, size - offset)
            taken += count
            self._settled_of_first += count
            if self._settled_of_first == size:
                self._sent.popleft()
                self._settled_of_first = 0

    def _refused(self, ack: Ack, spans: list[_Span]) -> Iterator[Refused]:
        starts = [span.first for span in spans]
        for error in ack.errors:
            span = spans[bisect_right(starts, error.row) - 1]
            within = error.row - span.first
            yield Refused(
                where=f"{self._place} {span.place + within}",
                **_described(span.item, span.offset + within),
                reason=error.reason.removeprefix(REASON_PREFIX),
                message=error.message,
            )
        if unlisted := ack.error_count - len(ack.errors):
            last = spans[-1].place + ack.rows - 1 - spans[-1].first
            yield Refused(
                where=f"{self._place}s {spans[0].place} to {last}",
                reason="UNLISTED",
                message=f"{unlisted:,} more of these; batches of {LISTED_MAX} rows list each",
            )


def _size(item: Row | Columns) -> int:
    return len(item) if isinstance(item, Columns) else 1


def _described(item: Row | Columns, position: int) -> dict[str, Any]:
    """Return model, date and target of a row."""
    if isinstance(item, Row):
        return {"model": item.model, "date": date_text(item.date), "target": item.target}
    index = item.model_index[position] if len(item.model_index) else position
    target = item.targets[position]
    return {
        "model": item.models[index],
        "date": _day(item.date_days, position),
        "target": target if isinstance(target, str) else float(target),
    }


def _day(days: Any, position: int) -> str:
    if not len(days):
        return ""
    day = days[0] if len(days) == 1 else days[position]
    return date.fromordinal(EPOCH_ORDINAL + int(day)).isoformat()
