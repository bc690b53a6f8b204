"""Plain Python values of several types as parts of a snapshot, each back as what it was."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from thalweg_server.core.storing import Sink, Source

T = TypeVar("T", bound=Hashable)


class Numbered(Generic[T]):
    """Different values, and a number for each: what many objects share is written once."""

    def __init__(self) -> None:
        self._numbers: dict[T, int] = {}

    def number(self, value: T) -> int:
        """The value's number, a new one where it has none."""
        return self._numbers.setdefault(value, len(self._numbers))

    @property
    def values(self) -> list[T]:
        """All of them, by number."""
        return list(self._numbers)


def freeze_json(sink: Sink, name: str, value: Any) -> None:
    """Writes what JSON can hold; floats come back bit by bit."""
    sink.data(name, json.dumps(value, separators=(",", ":")).encode())


def thaw_json(source: Source, name: str) -> Any:
    """What `freeze_json` wrote."""
    return json.loads(source.data(name))


def freeze_integers(sink: Sink, name: str, values: Iterable[int]) -> None:
    """Writes integers."""
    sink.array(name, np.fromiter(values, np.int64))


def thaw_integers(source: Source, name: str) -> list[int]:
    """What `freeze_integers` wrote."""
    values: list[int] = source.array(name).tolist()
    return values


def freeze_floats(sink: Sink, name: str, values: Iterable[float]) -> None:
    """Writes floats."""
    sink.array(name, np.fromiter(values, np.float64))


def thaw_floats(source: Source, name: str) -> list[float]:
    """What `freeze_floats` wrote."""
    values: list[float] = source.array(name).tolist()
    return values


def freeze_mixed(sink: Sink, name: str, values: Sequence[Any]) -> None:
    """Writes floats, ints, flags, texts and None: floats as an array, for most of them are."""
    plain = [_plain(value) for value in values]
    is_float = np.fromiter((type(value) is float for value in plain), np.bool_, len(plain))
    sink.array(f"{name}/is_float", is_float)
    freeze_floats(sink, f"{name}/floats", (v for v in plain if type(v) is float))
    freeze_json(sink, f"{name}/others", [v for v in plain if type(v) is not float])


def thaw_mixed(source: Source, name: str) -> list[Any]:
    """What `freeze_mixed` wrote."""
    is_float = source.array(f"{name}/is_float")
    values = np.empty(len(is_float), object)
    values[is_float] = thaw_floats(source, f"{name}/floats")
    values[~is_float] = thaw_json(source, f"{name}/others")
    mixed: list[Any] = values.tolist()
    return mixed


def _plain(value: Any) -> Any:
    """The value as JSON can hold it. A label may be what no target can equal: then as text."""
    if value is None or type(value) in (float, int, bool, str):
        return value
    for kind in (float, int, str):
        if isinstance(value, kind):
            return kind(value)
    return str(value)
