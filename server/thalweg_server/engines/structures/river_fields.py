"""Attributes in ways that only River has: windows of observations, parts written in Rust."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MethodType
from typing import Any

from river._river_rust.stats import RsEWMean, RsEWVar
from river._river_rust.vectordict import VectorDict

from thalweg_server.engines.structures.errors import Malformed, Unpackable
from thalweg_server.engines.structures.field import Field, Packing, Shared, Unpacking
from thalweg_server.engines.structures.scalars import (
    a_list,
    exactly,
    pack_scalar,
    pack_scalars,
    unpack_scalar,
    unpack_scalars,
)


class Point(Field):
    """An entry of LazySearch's window: features and a target, `((x, y),)`.

    Args:
        features: how `x` is packed.
    """

    def __init__(self, features: Field) -> None:
        self._features = features

    def pack(self, value: Any, to: Packing, owner: Any) -> Any:
        """See `Field.pack`."""
        exactly(value, tuple, "an entry of a search engine")
        if len(value) != 1 or type(value[0]) is not tuple or len(value[0]) != 2:
            raise Unpackable("a search engine keeps something beside its points")
        x, y = value[0]
        return [self._features.pack(x, to, owner), pack_scalar(y)]

    def unpack(self, node: Any, out: Unpacking, owner: Any) -> Any:
        """See `Field.unpack`."""
        x, y = a_list(node, 2)
        return ((self._features.unpack(x, out, owner), unpack_scalar(y)),)


class Observation(Field):
    """An entry of Rolling's window: the arguments of an update, `((y,), {})`."""

    def pack(self, value: Any, to: Packing, owner: Any) -> Any:
        """See `Field.pack`."""
        exactly(value, tuple, "an entry of a rolling window")
        if len(value) != 2 or type(value[0]) is not tuple or len(value[0]) != 1:
            raise Unpackable("a rolling window has weighted observations")
        if type(value[1]) is not dict or value[1]:
            raise Unpackable("a rolling window has weighted observations")
        return pack_scalar(value[0][0])

    def unpack(self, node: Any, out: Unpacking, owner: Any) -> Any:
        """See `Field.unpack`."""
        return ((unpack_scalar(node),), {})


class Vector(Shared):
    """A VectorDict that shows all of itself and draws nothing that it lacks."""

    def pack_new(self, value: Any, to: Packing) -> Any:
        """See `Shared.pack_new`."""
        exactly(value, VectorDict, "a vector")
        _, (numbers, *rest) = value.__reduce__()
        if rest != [None, None, True]:
            raise Unpackable("a vector is masked")
        return [to.shape(tuple(numbers)), pack_scalars(list(numbers.values()), wide=to.wide)]

    def unpack_new(self, node: Any, out: Unpacking) -> Any:
        """See `Shared.unpack_new`."""
        keys, values = a_list(node, 2)
        if not {float}.issuperset(map(type, a_list(values))):
            raise Malformed("a vector has entries that are no numbers")
        return VectorDict(dict(zip(out.shape(keys), values, strict=True)))


_FADING: Mapping[type, struct.Struct] = {
    RsEWMean: struct.Struct("<ddd?d"),
    RsEWVar: struct.Struct("<ddd?ddd?dd"),
}
"""How bincode writes these. They are read and written field by field: what is no flag where one is
expected makes Rust panic."""


class Fading(Shared):
    """A statistic that fades, written in Rust.

    Args:
        kind: its class.
    """

    def __init__(self, kind: type) -> None:
        self._kind = kind
        self._format = _FADING[kind]

    def pack_new(self, value: Any, to: Packing) -> Any:
        """See `Shared.pack_new`."""
        exactly(value, self._kind, "a fading statistic")
        payload = value.__getstate__()
        if len(payload) != self._format.size:
            raise Unpackable("a fading statistic has an unknown state")
        return list(self._format.unpack(payload))

    def unpack_new(self, node: Any, out: Unpacking) -> Any:
        """See `Shared.unpack_new`."""
        numbers = unpack_scalars(node)
        for number, sign in zip(numbers, _signs(self._format), strict=True):
            if type(number) is not (bool if sign == "?" else float):
                raise Malformed("a fading statistic has another state")
        made = self._kind(0.5)
        made.__setstate__(self._format.pack(*numbers))
        return made


def _signs(form: struct.Struct) -> str:
    return form.format.removeprefix("<")


class Function(Field):
    """One of a few functions, by a name of our own.

    Args:
        functions: by name.
    """

    def __init__(self, functions: Mapping[str, Any]) -> None:
        self._functions = functions

    def pack(self, value: Any, to: Packing, owner: Any) -> Any:
        """See `Field.pack`."""
        for name, function in self._functions.items():
            if function is value:
                return name
        raise Unpackable(f"{getattr(value, '__name__', 'what it calls')} is no function of ours")

    def unpack(self, node: Any, out: Unpacking, owner: Any) -> Any:
        """See `Field.unpack`."""
        if type(node) is not str or node not in self._functions:
            raise Malformed(f"there is no function {node!r}")
        return self._functions[node]


class Method(Field):
    """One of a few methods of the very object whose attribute it is.

    Args:
        names: of the methods.
    """

    def __init__(self, *names: str) -> None:
        self._names = names

    def pack(self, value: Any, to: Packing, owner: Any) -> Any:
        """See `Field.pack`."""
        exactly(value, MethodType, "what it calls")
        for name in self._names:
            own = getattr(owner, name)
            # By its code: a class's own method comes out of a payload as a function of its own.
            same = value.__func__.__code__ == own.__func__.__code__
            if same and value.__self__ is own.__self__:
                return name
        raise Unpackable("a method is not of the object that calls it")

    def unpack(self, node: Any, out: Unpacking, owner: Any) -> Any:
        """See `Field.unpack`."""
        if type(node) is not str or node not in self._names:
            raise Malformed(f"there is no method {node!r}")
        return getattr(owner, node)
