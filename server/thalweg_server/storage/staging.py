"""What the next commit writes, wherever the log is."""

from __future__ import annotations

from thalweg_server.core.events import Event, Progress
from thalweg_server.storage.names import ListsOfNames
from thalweg_server.storage.rows import BODY, Row, to_row
from thalweg_server.storage.schema import Bounds


class Staging:
    """Events on their way into a log, behind those that are there. Not for several threads."""

    _bounds: Bounds

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._bytes = 0

    @property
    def last(self) -> int:
        """The position of what was staged last."""
        return self._bounds.next + len(self._rows) - 1

    @property
    def staged(self) -> int:
        """Events that the next commit writes,"""
        return len(self._rows)

    @property
    def staged_bytes(self) -> int:
        """and their size."""
        return self._bytes

    def _stage(self, event: Event, progress: Progress, names: ListsOfNames) -> None:
        row = to_row(self.last + 1, event, progress, names)
        self._rows.append(row)
        self._bytes += len(row[BODY])

    def _ahead(self) -> Bounds:
        """Which positions there are when what is staged is committed."""
        return Bounds(self._bounds.first, self._bounds.next + len(self._rows))

    def _unstage(self) -> None:
        """It is committed, or never will be."""
        self._rows.clear()
        self._bytes = 0
