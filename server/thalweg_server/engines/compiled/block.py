"""The memory of a fleet: rows that grow without being copied."""

from __future__ import annotations

import mmap
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

ROWS_FIRST = 64
"""Rows that there is room for at first; room takes memory only once it is written to."""


@dataclass(slots=True)
class Block:
    """Rows of zeros, to be written.

    Args:
        words: 8-byte words of a row.
        floats: all rows; `ints` and `halves` are the same memory. No one may keep a view of it
            across `grow`.
    """

    words: int
    floats: NDArray[np.float64] = field(init=False)
    ints: NDArray[np.int64] = field(init=False)
    halves: NDArray[np.float32] = field(init=False)
    _memory: mmap.mmap = field(init=False)

    def __post_init__(self) -> None:
        self._memory = self._map(ROWS_FIRST)
        self._view()

    def __len__(self) -> int:
        return len(self.floats)

    def reserve(self, rows: int) -> None:
        """Makes room for so many rows at once, in place of what there is."""
        room = ROWS_FIRST
        while room < rows:
            room *= 2
        self._memory = self._map(room)
        _use_large_pages(self._memory)
        self._view()

    def grow(self) -> None:
        """Doubles the rows. Where the system can, their pages are moved and not copied."""
        rows = 2 * len(self)
        old = self.floats
        try:
            del self.floats, self.ints, self.halves, old
            self._memory.resize(8 * self.words * rows)
        except (BufferError, SystemError, OSError, ValueError):
            smaller, self._memory = self._memory, self._map(rows)
            self._memory[: len(smaller)] = smaller[:]
        _use_large_pages(self._memory)
        self._view()

    def _map(self, rows: int) -> mmap.mmap:
        # Private: what is shared cannot grow beyond the size that it had at first.
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        return mmap.mmap(-1, 8 * self.words * rows, flags=flags)

    def _view(self) -> None:
        self.floats = np.frombuffer(self._memory, np.float64).reshape(-1, self.words)
        self.ints = self.floats.view(np.int64)
        self.halves = self.floats.view(np.float32)


def _use_large_pages(memory: mmap.mmap) -> None:
    """Fewer faults while it fills and fewer misses while kernels go about it; Linux only."""
    advice = getattr(mmap, "MADV_HUGEPAGE", None)
    if advice is not None:
        try:
            memory.madvise(advice)
        except OSError:  # a kernel without them
            return
