"""Numbers, texts and None as nodes of plain data, and back, to the bit."""

from __future__ import annotations

from types import NoneType
from typing import Any

import numpy as np

from thalweg_server.engines.structures.errors import Malformed, Unpackable
from thalweg_server.engines.structures.limits import DIGITS_MAX, LENGTH_MAX, TEXT_MAX

_FLAT = frozenset({float, int, bool, NoneType})
"""What is a node as it is; an int, only if it fits in 64 bits."""

_NUMPY: dict[str, type[np.generic]] = {
    each.__name__: each for each in (np.float64, np.float32, np.int64, np.int32)
}

_LARGE = "int"


def pack_scalar(value: Any) -> Any:
    """The node of one value; raises Unpackable."""
    kind = type(value)
    if kind is int and not -(1 << 63) <= value < 1 << 63:
        digits = f"{value:x}"
        if len(digits) > DIGITS_MAX:
            raise Unpackable(f"an integer has more than {DIGITS_MAX} hexadecimal digits")
        return [_LARGE, digits]
    if kind in _FLAT:
        return value
    if kind is str:
        if len(value) > TEXT_MAX:
            raise Unpackable(f"a text has {len(value)} characters, more than {TEXT_MAX}")
        return value
    if _NUMPY.get(kind.__name__) is kind:
        return [kind.__name__, value.tobytes()]
    raise Unpackable(f"a {kind.__name__} is where a number or a text is expected")


def unpack_scalar(node: Any) -> Any:
    """The value of a node; raises Malformed."""
    kind = type(node)
    if kind in _FLAT or kind is str:
        return node
    if kind is not list or len(node) != 2 or type(node[0]) is not str:
        raise Malformed(f"a {kind.__name__} is where a number or a text is expected")
    name, payload = node
    if name == _LARGE and type(payload) is str and len(payload) <= DIGITS_MAX:
        return int(payload, 16)
    scalar = _NUMPY.get(name)
    if scalar is None or type(payload) is not bytes:
        raise Malformed(f"{name!r} is no kind of number")
    array = np.frombuffer(payload, scalar)
    if len(array) != 1:
        raise Malformed(f"{len(payload)} bytes are where one {name} is expected")
    return array[0]


def pack_scalars(values: list[Any], *, wide: bool) -> list[Any]:
    """The node of several values.

    Args:
        wide: whether an int may have more than 64 bits; they are taken one by one then.

    Raises:
        Unpackable: one of them is no scalar, or there are too many.
    """
    if len(values) > LENGTH_MAX:
        raise Unpackable(f"{len(values)} entries are more than {LENGTH_MAX}")
    if not wide and _FLAT.issuperset(map(type, values)):
        return values
    return [pack_scalar(value) for value in values]


def unpack_scalars(node: Any) -> list[Any]:
    """The values of a node, which is not used any more; raises Malformed."""
    values = a_list(node)
    if _FLAT.issuperset(map(type, values)):
        return values
    return [unpack_scalar(value) for value in values]


def a_list(node: Any, length: int | None = None) -> list[Any]:
    """The node, which has to be a list, of that length if one is given; raises Malformed."""
    if type(node) is not list or (length is not None and len(node) != length):
        raise Malformed(f"a list of {'any' if length is None else length} nodes is expected")
    return node


def exactly(value: Any, kind: type, what: str) -> None:
    """Raises Unpackable unless a value is of that very class."""
    if type(value) is not kind:
        raise Unpackable(f"{what} is a {type(value).__name__}, not a {kind.__name__}")
