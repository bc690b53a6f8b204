"""An entry of the log as a row of a table, wherever that is, and a run of rows as entries."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from thalweg_server.core.errors import CorruptStorage
from thalweg_server.core.events import Entry, Event, Progress
from thalweg_server.storage.codec import decode, encode
from thalweg_server.storage.names import ListsOfNames
from thalweg_server.storage.schema import Bounds, checksum, damaged

Row: TypeAlias = tuple[int, int, int, int, int, int | None, bytes, bytes]

COLUMNS = "position, kind, batch, row, event, names, body, checksum"
BODY: Final = 6
"""Where in a row its body is."""

_FRAME = struct.Struct("<qqqqqq")


def to_row(position: int, event: Event, progress: Progress, names: ListsOfNames) -> Row:
    """The row of an event."""
    encoded = encode(event)
    number = None if encoded.names is None else names.number(encoded.names)
    frame = (position, encoded.kind, progress.batch, progress.row, progress.event, number)
    return (*frame, encoded.body, row_checksum(frame, encoded.body))


def to_entry(row: Sequence[Any], names: ListsOfNames, place: Path | str) -> Entry:
    """The entry of a row; raises CorruptStorage."""
    *frame, body, check = row
    position, kind, batch, line, event, number = frame
    try:
        whole = check == row_checksum(frame, body)
    except (struct.error, TypeError):  # something that is no number, or no bytes
        whole = False
    if not whole:
        raise damaged(place, f"entry {position} does not match its checksum")
    stored = None if number is None else names.read(number)
    try:
        return Entry(position, decode(kind, body, stored), Progress(batch, line, event))
    except Exception as error:  # whole, and yet nothing that this version has written
        what = f"entry {position} cannot be decoded ({type(error).__name__}: {error})"
        raise damaged(place, what) from error


def contiguous(
    rows: Iterable[Sequence[Any]], start: int, bounds: Bounds, place: Path | str
) -> Iterator[Sequence[Any]]:
    """The rows from a position on, each there; raises CorruptStorage.

    Args:
        rows: at `start` and behind it, in order.
        start: a position.
        bounds: of the log.
        place: of the log, for messages.
    """
    first, following = bounds.first, bounds.next
    if start < first:
        whole = "directory" if isinstance(place, Path) else "database"
        raise CorruptStorage(
            f"{place} cannot be read from position {start} on: entries before {first} "
            f"were truncated; restore the {whole} from a backup"
        )
    if start > following:
        raise damaged(place, f"it ends before position {following}, not {start}")
    expected = start
    for row in rows:
        if row[0] != expected:
            raise damaged(place, f"entry {expected} is missing")
        yield row
        expected += 1
    if expected != following:
        raise damaged(place, f"entry {expected} is missing")


def row_checksum(frame: Sequence[int | None], body: bytes) -> bytes:
    """The checksum of a row."""
    return checksum(_FRAME.pack(*(value or 0 for value in frame)), body)
