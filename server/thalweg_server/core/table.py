"""Columns of one length that grow together: arrays that scrapes and kernels go over in bulk."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar

import numpy as np

from thalweg_server.core.storing import Sink, Source

ROWS_FIRST = 64
"""Rows that there is room for at first; room is doubled."""


class Table:
    """Rows of columns, given out in runs of neighbours and taken back.

    Subclasses state `COLUMNS`: per column its type and, for a matrix, its width. A row that is
    given out is all zeros. Growing replaces the arrays: nobody may keep one across `take`.
    """

    COLUMNS: ClassVar[Mapping[str, tuple[type, int]]]

    def __init__(self) -> None:
        self._free: dict[int, list[int]] = {}
        self._used = 0
        self._room = ROWS_FIRST  # never none: row -1, which stands for no row, can be read
        for name, (kind, width) in self.COLUMNS.items():
            shape = (self._room, width) if width > 1 else self._room
            setattr(self, name, np.zeros(shape, kind))

    @property
    def size(self) -> int:
        """Rows given out so far, those given back included."""
        return self._used

    def take(self, count: int = 1) -> int:
        """The first of so many fresh rows, one behind the other."""
        free = self._free.get(count)
        if free:
            return free.pop()
        first, self._used = self._used, self._used + count
        if self._used > self._room:
            self._grow()
        return first

    def give_back(self, first: int, count: int = 1) -> None:
        """Gives back what `take` gave, emptied."""
        if count:
            for array in self._columns():
                array[first : first + count] = 0
            self._free.setdefault(count, []).append(first)

    def copy(self, source: int, target: int) -> None:
        """Copies a row."""
        for array in self._columns():
            array[target] = array[source]

    def freeze(self, sink: Sink) -> None:
        """Writes the rows given out so far, and which of them were given back, in order."""
        for name in self.COLUMNS:
            sink.array(f"columns/{name}", getattr(self, name)[: self._used])
        free = [(count, first) for count, firsts in sorted(self._free.items()) for first in firsts]
        sink.array("free", np.array(free, np.int64).reshape(-1, 2))
        sink.array("size", np.array([self._used, self._room]))

    def thaw(self, source: Source) -> None:
        """Takes over what `freeze` wrote, in place of what there is.

        A column that an older snapshot does not have begins with zeros.
        """
        used, self._room = map(int, source.array("size"))
        for name in self.COLUMNS:
            column = getattr(self, name)
            new = np.zeros((self._room, *column.shape[1:]), column.dtype)
            with suppress(KeyError):
                new[:used] = source.array(f"columns/{name}")
            setattr(self, name, new)
        self._used, self._free = used, {}
        for count, first in source.array("free").tolist():
            self._free.setdefault(count, []).append(first)

    def _columns(self) -> list[Any]:
        return [getattr(self, name) for name in self.COLUMNS]

    def _grow(self) -> None:
        self._room = max(2 * self._room, self._used)
        for name in self.COLUMNS:
            old = getattr(self, name)
            new = np.zeros((self._room, *old.shape[1:]), old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)
