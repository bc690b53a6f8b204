"""Values that are no numbers as codes, which kernels can compare."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg_server.engines.compiled.errors import Unlowerable

ENTRIES_MAX, CHARACTERS_MAX = 1_000_000, 1 << 26
"""Bounds of one dictionary: it forgets nothing, since any row of its fleet may hold a code."""

UNKNOWN = -1.0
"""Equals no code: what was never learned."""

_UNASKED = -2.0

FLOAT, WHOLE, FLAG, CODE = range(4)
"""What a key of River's was, beside the float64 that stands for it."""

MARKED = 4
"""From here on: a raw number, whose kind the row's marks tell, by its position there."""

MARKS_MAX = 24
"""Two bits each have to fit a float64."""

_KINDS = {float: FLOAT, int: WHOLE, bool: FLAG}


@dataclass(slots=True)
class Dictionary:
    """Values by their codes and codes by their values: 0, 1, 2 and so on.

    Args:
        entries_max: values that it takes at most.
        characters_max: of all its texts together.
        full: whether there was a value that it could not take; it takes no more.
    """

    entries_max: int = ENTRIES_MAX
    characters_max: int = CHARACTERS_MAX
    full: bool = False
    values: list[Any] = field(default_factory=list)
    _codes: dict[Any, int] = field(default_factory=dict)
    _characters: int = 0

    def to_bytes(self) -> bytes:
        """All that it holds."""
        held = json.dumps([self.full, self.values], separators=(",", ":"), ensure_ascii=False)
        return held.encode("utf-8", "surrogatepass")

    def restore(self, payload: bytes) -> None:
        """Takes over what `to_bytes` gave; holds nothing before. Raises ValueError, TypeError."""
        full, values = json.loads(payload.decode("utf-8", "surrogatepass"))
        if type(full) is not bool or not {str, int, NoneType}.issuperset(map(type, values)):
            raise ValueError("a dictionary holds something else than texts")
        self.full, self.values = full, values
        self._codes = {value: code for code, value in enumerate(values)}
        self._characters = sum(len(value) for value in values if isinstance(value, str))
        if len(self._codes) < len(values):
            raise ValueError("a dictionary holds a text twice")

    def find(self, value: Any) -> float:
        """The code of a value, UNKNOWN where it has none."""
        return self._codes.get(value, UNKNOWN)

    def add(self, value: Any) -> float:
        """The code of a value, a new one where it has none; raises Unlowerable when full."""
        code = self._codes.get(value)
        if code is None:
            size = len(value) if isinstance(value, str) else 0
            self.full = self.full or len(self.values) >= self.entries_max
            self.full = self.full or self._characters + size > self.characters_max
            if self.full:
                raise Unlowerable(f"a fleet has met {len(self.values)} different texts")
            code = self._codes[value] = len(self.values)
            self.values.append(value)
            self._characters += size
        return code


@dataclass(slots=True)
class Coding:
    """What the steps of one plan want to know of raw features by which they group.

    Args:
        dictionary: of those that are no numbers.
        coded: their names.
        marked: names of those that are numbers, by their position in a row's marks.
    """

    dictionary: Dictionary = field(default_factory=Dictionary)
    coded: set[str] = field(default_factory=set)
    marked: list[str] = field(default_factory=list)

    def mark(self, name: str) -> int:
        """The position of a feature in a row's marks; raises Unlowerable."""
        if name not in self.marked:
            if len(self.marked) == MARKS_MAX:
                raise Unlowerable(f"more than {MARKS_MAX} features are groups' keys")
            self.marked.append(name)
        return self.marked.index(name)


@dataclass(frozen=True, slots=True)
class Factor:
    """A column as its different values, and per row the position among these."""

    values: Sequence[Any]
    at: NDArray[np.int64]

    def unasked(self) -> NDArray[np.float64]:
        """What `encode` fills in."""
        return np.full(len(self.values), _UNASKED)


def factor(column: Sequence[Any]) -> Factor:
    """The factor of a column whose values can be told apart by `==`."""
    values = list(dict.fromkeys(column))
    position = {value: number for number, value in enumerate(values)}
    return Factor(values, np.fromiter(map(position.__getitem__, column), np.int64, len(column)))


def encode(
    dictionary: Dictionary,
    values: Sequence[Any],
    at: NDArray[np.int64],
    known: NDArray[np.float64],
    *,
    learn: bool,
) -> NDArray[np.float64]:
    """Codes of the values at some positions.

    Args:
        known: codes by position as far as they were asked for; filled in on the way.
        learn: whether to add what is not there; NaN where the dictionary is full.
    """
    for position in np.unique(at[known[at] == _UNASKED]).tolist():
        value = values[position]
        try:
            known[position] = dictionary.add(value) if learn else dictionary.find(value)
        except Unlowerable:
            known[position] = np.nan
    return known[at]


def kind_of(value: Any) -> int:
    """Of a number, whether River was given a float, an int or a flag."""
    return _KINDS.get(type(value), FLOAT)


def as_key(value: float, kind: int, dictionary: Dictionary) -> Any:
    """The key that River holds."""
    if kind == CODE:
        return dictionary.values[int(value)]
    return (float, int, bool)[kind](value)
