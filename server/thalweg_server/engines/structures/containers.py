"""Attributes that are containers of numbers and texts."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Any

from thalweg_server.engines.structures.errors import Malformed, Unpackable
from thalweg_server.engines.structures.field import Field, Packing, Shared, Unpacking
from thalweg_server.engines.structures.limits import LENGTH_MAX
from thalweg_server.engines.structures.scalars import (
    a_list,
    exactly,
    pack_scalar,
    pack_scalars,
    unpack_scalar,
    unpack_scalars,
)


class Scalar(Field):
    """A number, a text or None."""

    def pack(self, value: Any, to: Packing, owner: Any) -> Any:
        """See `Field.pack`."""
        return pack_scalar(value)

    def unpack(self, node: Any, out: Unpacking, owner: Any) -> Any:
        """See `Field.unpack`."""
        return unpack_scalar(node)


class Optional(Field):
    """None, or what another field says."""

    def __init__(self, field: Field) -> None:
        self._field = field

    def pack(self, value: Any, to: Packing, owner: Any) -> Any:
        """See `Field.pack`."""
        return None if value is None else self._field.pack(value, to, owner)

    def unpack(self, node: Any, out: Unpacking, owner: Any) -> Any:
        """See `Field.unpack`."""
        return None if node is None else self._field.unpack(node, out, owner)


class ScalarTuple(Field):
    """A tuple of scalars."""

    def pack(self, value: Any, to: Packing, owner: Any) -> Any:
        """See `Field.pack`."""
        exactly(value, tuple, "a tuple of numbers")
        return pack_scalars(list(value), wide=to.wide)

    def unpack(self, node: Any, out: Unpacking, owner: Any) -> Any:
        """See `Field.unpack`."""
        return tuple(unpack_scalars(node))


class ScalarList(Shared):
    """A list of scalars."""

    def pack_new(self, value: Any, to: Packing) -> Any:
        """See `Shared.pack_new`."""
        exactly(value, list, "a list of numbers")
        return pack_scalars(list(value), wide=to.wide)

    def unpack_new(self, node: Any, out: Unpacking) -> Any:
        """See `Shared.unpack_new`."""
        return unpack_scalars(node)


class ScalarSet(Shared):
    """A set of scalars.

    Args:
        ordered: whether its order matters, which a copy may not keep.
    """

    def __init__(self, *, ordered: bool) -> None:
        self._ordered = ordered

    def pack_new(self, value: Any, to: Packing) -> Any:
        """See `Shared.pack_new`."""
        exactly(value, set, "a set of names")
        entries = list(value) if self._ordered else sorted(value, key=repr)
        if self._ordered and list(set(entries)) != entries:
            raise Unpackable("the order of a set would change in a copy")
        return pack_scalars(entries, wide=to.wide)

    def unpack_new(self, node: Any, out: Unpacking) -> Any:
        """See `Shared.unpack_new`."""
        return set(unpack_scalars(node))


class ScalarDict(Shared):
    """A dict of scalars by scalars."""

    def pack_new(self, value: Any, to: Packing) -> Any:
        """See `Shared.pack_new`."""
        exactly(value, dict, "a mapping")
        return [pack_scalars(list(each), wide=to.wide) for each in (value, value.values())]

    def unpack_new(self, node: Any, out: Unpacking) -> Any:
        """See `Shared.unpack_new`."""
        keys, values = map(unpack_scalars, a_list(node, 2))
        return dict(zip(keys, values, strict=True))


_MAKERS: Mapping[type, Callable[[dict[str, Any]], Any]] = {
    dict: lambda numbers: numbers,
    Counter: Counter,
    defaultdict: lambda numbers: defaultdict(float, numbers),
}


class Features(Shared):
    """Numbers by the names of features.

    Args:
        kind: dict, Counter, or defaultdict of float.
    """

    def __init__(self, kind: type[dict[Any, Any]]) -> None:
        self._kind = kind
        self._make: Callable[[dict[str, Any]], Any] = _MAKERS[kind]

    def pack_new(self, value: Any, to: Packing) -> Any:
        """See `Shared.pack_new`."""
        exactly(value, self._kind, "what is known by feature")
        if self._kind is defaultdict and value.default_factory is not float:
            raise Unpackable("what is known by feature does not begin at 0.0")
        if self._kind is Counter and vars(value):
            raise Unpackable("a Counter has attributes of its own")
        return [to.shape(tuple(value)), pack_scalars(list(value.values()), wide=to.wide)]

    def unpack_new(self, node: Any, out: Unpacking) -> Any:
        """See `Shared.unpack_new`."""
        keys, values = a_list(node, 2)
        return self._make(dict(zip(out.shape(keys), unpack_scalars(values), strict=True)))


class Doubles(Shared):
    """An `array` of float64."""

    def pack_new(self, value: Any, to: Packing) -> Any:
        """See `Shared.pack_new`."""
        exactly(value, array, "a row of numbers")
        if value.typecode != "d":
            raise Unpackable(f"an array is of {value.typecode!r}, not of float64")
        if len(value) > LENGTH_MAX:
            raise Unpackable(f"{len(value)} numbers are more than {LENGTH_MAX}")
        return value.tobytes()

    def unpack_new(self, node: Any, out: Unpacking) -> Any:
        """See `Shared.unpack_new`."""
        if type(node) is not bytes or len(node) > 8 * LENGTH_MAX or len(node) % 8:
            raise Malformed("the bytes of some float64 are expected")
        return array("d", node)


class Listed(Shared):
    """A list of what another field says."""

    def __init__(self, field: Field) -> None:
        self._field = field

    def pack_new(self, value: Any, to: Packing) -> Any:
        """See `Shared.pack_new`."""
        exactly(value, list, "a list")
        if len(value) > LENGTH_MAX:
            raise Unpackable(f"{len(value)} entries are more than {LENGTH_MAX}")
        return [self._field.pack(each, to, value) for each in value]

    def unpack_new(self, node: Any, out: Unpacking) -> Any:
        """See `Shared.unpack_new`."""
        return [self._field.unpack(each, out, None) for each in a_list(node)]


class Windowed(Shared):
    """A deque of what another field says."""

    def __init__(self, field: Field) -> None:
        self._field = field

    def pack_new(self, value: Any, to: Packing) -> Any:
        """See `Shared.pack_new`."""
        exactly(value, deque, "a window")
        if len(value) >= LENGTH_MAX:
            raise Unpackable(f"{len(value)} entries are more than a window may have")
        return [value.maxlen, *[self._field.pack(each, to, value) for each in value]]

    def unpack_new(self, node: Any, out: Unpacking) -> Any:
        """See `Shared.unpack_new`."""
        if type(node) is not list or not node:
            raise Malformed("a window has no size")
        size, *entries = node
        if size is not None and (type(size) is not int or not len(entries) <= size < 1 << 63):
            raise Malformed(f"a window of {len(entries)} entries has the size {size!r}")
        return deque([self._field.unpack(each, out, None) for each in entries], size)
