"""How a candidate's state lies in memory: one block of 8-byte words per row of a fleet.

One block, not one array per attribute: a clone is then a single copy, and a kernel that visits
candidates in any order touches one stretch of memory for each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Kind: TypeAlias = Literal["float", "int", "half"]
"""`half` is float32, for numbers that fit it exactly; who writes them has to see to that."""

STUCK = 0
"""Word 0 of every row: not zero where a kernel met what it cannot reproduce."""

ROW_WORDS_MAX = 1 << 17
"""1 MiB per candidate: a larger one gains nothing here and may exhaust the memory when cloned."""

Views: TypeAlias = dict[str, NDArray[np.float64] | NDArray[np.int64] | NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Array:
    """One array of a step's state, of a fixed length (a matrix is stored row by row)."""

    name: str
    kind: Kind
    length: int

    @property
    def words(self) -> int:
        """8-byte words that it takes."""
        return math.ceil(self.length / 2) if self.kind == "half" else self.length


@dataclass(slots=True)
class Layout:
    """Where each step's arrays begin.

    Args:
        steps: each step's arrays.
        starts: per array, in order over all steps, its first element, counted in elements of
            its own kind.
        lengths: per array, in elements.
        words: of a whole row.
    """

    steps: Sequence[Sequence[Array]]
    starts: NDArray[np.int64] = field(init=False)
    lengths: NDArray[np.int64] = field(init=False)
    words: int = field(init=False)

    def __post_init__(self) -> None:
        starts, lengths = [], []
        words = STUCK + 1
        for array in self._arrays():
            starts.append(words * 2 if array.kind == "half" else words)
            lengths.append(array.length)
            words += array.words
        self.starts = np.array(starts, np.int64)
        self.lengths = np.array(lengths, np.int64)
        self.words = words

    def _arrays(self) -> Iterator[Array]:
        for step in self.steps:
            yield from step

    def views(self, row: NDArray[np.float64]) -> list[Views]:
        """Each step's arrays as views into one row, by name."""
        whole: Views = {"float": row, "int": row.view(np.int64), "half": row.view(np.float32)}
        position, views = 0, []
        for step in self.steps:
            named: Views = {}
            for array in step:
                start = int(self.starts[position])
                named[array.name] = whole[array.kind][start : start + array.length]
                position += 1
            views.append(named)
        return views
