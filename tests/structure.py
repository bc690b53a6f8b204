"""Comparing two estimators by their structure: every attribute, floats by their bits.

Serialised bytes will not do: two dumps of one state differ after a reload.
"""

from __future__ import annotations

import copy
import random
import struct
import types
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

_ATOMS = (int, str, bytes, bytearray, complex, type, type(None), type(Ellipsis), types.ModuleType)


PLAN = ("_plan", "_inference_transformers", "_last_step_cached", "_last_step_params")
"""What River's pipeline remembers of its own steps from its first use on: no state."""


def difference(
    left: Any, right: Any, *, ignoring: Collection[str] = (), whole_numbers: bool = True
) -> str:
    """Return where two objects first differ, with both values; empty where they do not.

    Args:
        left: what it was.
        right: what it is now.
        ignoring: attributes to pass over, such as generators that River seeds from the clock.
        whole_numbers: whether 2 and 2.0 are different.
    """
    return next(_Walk({*ignoring, *PLAN}, whole_numbers).differences("", left, right), "")


def snapshot(value: Any) -> Any:
    """Return a copy to compare with later."""
    return copy.deepcopy(value)


class _Walk:
    """One comparison; remembers the pairs seen, so that cycles end."""

    def __init__(self, ignoring: Collection[str], whole_numbers: bool) -> None:
        self._ignoring = ignoring
        self._whole_numbers = whole_numbers
        self._seen: set[tuple[int, int]] = set()
        self._kept: list[Any] = []  # an id is only unique while its object lives

    def differences(self, path: str, left: Any, right: Any) -> Iterator[str]:
        if not self._whole_numbers and {type(left), type(right)} == {int, float}:
            if left != right:
                yield f"{path}: {left!r} is now {right!r}"
        elif type(left) is not type(right):
            yield f"{path}: {type(left).__name__} is now {type(right).__name__}"
        elif isinstance(left, float):
            if struct.pack("<d", left) != struct.pack("<d", right):
                yield f"{path}: {left!r} is now {right!r}"
        elif isinstance(left, _ATOMS):
            if left != right:
                yield f"{path}: {left!r} is now {right!r}"
        elif (id(left), id(right)) not in self._seen:
            self._seen.add((id(left), id(right)))
            self._kept.append((left, right))
            yield from self._compound(path, left, right)

    def _compound(self, path: str, left: Any, right: Any) -> Iterator[str]:
        if isinstance(left, np.ndarray | np.generic):
            yield from self._array(path, left, right)
        elif isinstance(left, types.FunctionType):
            yield from self._function(path, left, right)
        elif isinstance(left, set | frozenset):
            if left != right:
                yield f"{path}: {left!r} is now {right!r}"
        elif isinstance(left, list | tuple | deque):
            yield from self._sequence(path, left, right)
        elif isinstance(left, dict | types.MappingProxyType):
            yield from self._mapping(path, left, right)
        yield from self._state(path, left, right)

    def _array(self, path: str, left: Any, right: Any) -> Iterator[str]:
        if left.dtype != right.dtype or left.shape != right.shape:
            yield f"{path}: {left.dtype}{left.shape} is now {right.dtype}{right.shape}"
        elif left.dtype.hasobject:
            yield from self._sequence(path, left.ravel().tolist(), right.ravel().tolist())
        elif left.tobytes() != right.tobytes():
            yield f"{path}: {left!r} is now {right!r}"

    def _function(self, path: str, left: Any, right: Any) -> Iterator[str]:
        if left.__code__ is not right.__code__ and left.__code__ != right.__code__:
            yield f"{path}: another function"
        cells = [[c.cell_contents for c in f.__closure__ or ()] for f in (left, right)]
        yield from self.differences(f"{path}.closure", *cells)
        yield from self.differences(f"{path}.defaults", left.__defaults__, right.__defaults__)

    def _sequence(self, path: str, left: Any, right: Any) -> Iterator[str]:
        if len(left) != len(right):
            yield f"{path}: {len(left)} items are now {len(right)}"
        if isinstance(left, deque) and left.maxlen != right.maxlen:
            yield f"{path}: at most {left.maxlen} items are now at most {right.maxlen}"
        for i, (a, b) in enumerate(zip(left, right, strict=False)):
            yield from self.differences(f"{path}[{i}]", a, b)

    def _mapping(self, path: str, left: Mapping[Any, Any], right: Mapping[Any, Any]) -> Any:
        # In order: the order of keys reaches the last bits of what an estimator computes.
        keys = [[key for key in each if key not in self._ignoring] for each in (left, right)]
        yield from self._sequence(f"{path}.keys", *keys)
        for key in left:
            if key in right and key not in self._ignoring:
                yield from self.differences(f"{path}[{key!r}]", left[key], right[key])

    def _state(self, path: str, left: Any, right: Any) -> Iterator[str]:
        if type(left) in (list, tuple, dict, set, frozenset, deque, np.ndarray) or isinstance(
            left, types.FunctionType | np.generic | types.BuiltinFunctionType
        ):
            return
        for name in _attributes(left, right):
            if name in self._ignoring:
                continue
            values = [getattr(each, name, _MISSING) for each in (left, right)]
            yield from self.differences(f"{path}.{name}", *values)
        yield from self.differences(f"{path}.<reduced>", _reduced(left), _reduced(right))


_MISSING = "<missing>"


def _attributes(*objects: Any) -> list[str]:
    names: dict[str, None] = {}
    for each in objects:
        names.update(dict.fromkeys(getattr(each, "__dict__", ())))
        for kind in type(each).__mro__:
            slots = kind.__dict__.get("__slots__", ())
            names.update(dict.fromkeys([slots] if isinstance(slots, str) else slots))
    return [name for name in names if name not in ("__dict__", "__weakref__")]


def _reduced(value: Any) -> Any:
    """Return what a pickle of it would hold: the only sight of state that is not Python's."""
    if isinstance(value, random.Random):
        return value.getstate()
    if isinstance(value, np.random.Generator):
        return value.bit_generator.state
    try:
        reduced = value.__reduce_ex__(4)
    except TypeError:
        return None
    if isinstance(reduced, str):
        return reduced
    function, arguments, state, items, pairs, *_ = (*reduced, None, None, None)
    return [
        getattr(function, "__qualname__", repr(function)),
        list(arguments or ()),
        state,
        None if items is None else list(items),
        None if pairs is None else list(pairs),
    ]
