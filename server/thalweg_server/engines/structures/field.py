"""What is the same for all attributes: objects are numbered, so that what is shared stays shared.

Both sides number objects and containers as they come to them, from the outside in. A node that is
an integer stands for one of those. An object is never within itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

from thalweg_server.engines.structures.errors import Malformed, Unpackable
from thalweg_server.engines.structures.limits import LENGTH_MAX, OBJECTS_MAX, TEXT_MAX

ABSENT = object()
"""Stands for an attribute that is not there."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A class whose objects may be packed, all of whose attributes are known.

    Args:
        made: the class, exactly.
        fields: its attributes in the order of its `__init__`.
        caches: attributes that are not packed: the constant that they are until they are made
            anew, or ABSENT.
    """

    made: type
    fields: Mapping[str, Field]
    caches: Mapping[str, Any] = field(default_factory=dict)


class Field(ABC):
    """How the values of an attribute become nodes."""

    @abstractmethod
    def pack(self, value: Any, to: Packing, owner: Any) -> Any:
        """The node of a value that `owner` has; raises Unpackable."""

    @abstractmethod
    def unpack(self, node: Any, out: Unpacking, owner: Any) -> Any:
        """The value of a node, for `owner`, which is not whole yet; raises Malformed."""


class Shared(Field):
    """A field whose values can be changed, so that two owners of one have to see the same."""

    @final
    def pack(self, value: Any, to: Packing, owner: Any) -> Any:
        """See `Field.pack`."""
        place = to.places.get(id(value))
        if place is not None:
            return to.again(place, self)
        place = to.begin(value, self)
        node = self.pack_new(value, to)
        to.open.discard(place)
        return node

    @final
    def unpack(self, node: Any, out: Unpacking, owner: Any) -> Any:
        """See `Field.unpack`."""
        if type(node) is int:
            return out.again(node, self)
        place = out.begin(self)
        value = out.values[place] = self.unpack_new(node, out)
        return value

    @abstractmethod
    def pack_new(self, value: Any, to: Packing) -> Any:
        """The node, never an int, of a value that is met first; raises Unpackable."""

    @abstractmethod
    def unpack_new(self, node: Any, out: Unpacking) -> Any:
        """The value of a node; raises Malformed."""


@dataclass(slots=True)
class Packing:
    """One estimator on its way to plain data.

    Args:
        kinds: classes that may be packed.
        wide: whether integers may have more than 64 bits.
        places: by `id`, the numbers of what was met; the estimator keeps all of it alive.
        made_by: by number, the field that it was met in.
        open: numbers of what is not done yet.
        shapes: names of features that were met, by their order.
        depth: objects that the current one is within.
    """

    kinds: Mapping[type, Kind]
    wide: bool = False
    depth: int = 0
    places: dict[int, int] = field(default_factory=dict)
    made_by: list[Field] = field(default_factory=list)
    open: set[int] = field(default_factory=set)
    shapes: dict[tuple[Any, ...], int] = field(default_factory=dict)

    def begin(self, value: Any, by: Field) -> int:
        """The number of something new."""
        place = self.places[id(value)] = len(self.made_by)
        if place == OBJECTS_MAX:
            raise Unpackable(f"it has more than {OBJECTS_MAX} objects")
        self.made_by.append(by)
        self.open.add(place)
        return place

    def again(self, place: int, by: Field) -> int:
        """The node of something that was met before."""
        if place in self.open:
            raise Unpackable("an object is within itself")
        if self.made_by[place] is not by:
            raise Unpackable("an object is shared by parts of different kinds")
        return place

    def shape(self, keys: tuple[Any, ...]) -> Any:
        """The node of some features' names: a number where they were met before."""
        place = self.shapes.get(keys)
        if place is not None:
            return place
        if not all(type(key) is str and len(key) <= TEXT_MAX for key in keys):
            raise Unpackable("the name of a feature is no text, or too long")
        if len(keys) > LENGTH_MAX:
            raise Unpackable(f"{len(keys)} features are more than {LENGTH_MAX}")
        self.shapes[keys] = len(self.shapes)
        return list(keys)


_UNFINISHED = object()


@dataclass(slots=True)
class Unpacking:
    """One estimator on its way back; see `Packing`.

    Args:
        names: classes that may be unpacked.
        depth: objects that the current one is within.
    """

    names: Mapping[str, Kind]
    depth: int = 0
    values: list[Any] = field(default_factory=list)
    made_by: list[Field] = field(default_factory=list)
    shapes: list[tuple[str, ...]] = field(default_factory=list)

    def begin(self, by: Field) -> int:
        """The number of something new."""
        place = len(self.values)
        if place == OBJECTS_MAX:
            raise Malformed(f"it has more than {OBJECTS_MAX} objects")
        self.values.append(_UNFINISHED)
        self.made_by.append(by)
        return place

    def again(self, place: int, by: Field) -> Any:
        """What was met before."""
        if not 0 <= place < len(self.values) or self.values[place] is _UNFINISHED:
            raise Malformed(f"there is no object {place} yet")
        if self.made_by[place] is not by:
            raise Malformed(f"object {place} is of another kind")
        return self.values[place]

    def shape(self, node: Any) -> tuple[str, ...]:
        """The names of features."""
        if type(node) is int and 0 <= node < len(self.shapes):
            return self.shapes[node]
        if type(node) is not list or not {str}.issuperset(map(type, node)):
            raise Malformed("names of features are expected")
        keys = tuple(node)
        if len(set(keys)) < len(keys):
            raise Malformed("two features have the same name")
        self.shapes.append(keys)
        return keys
