"""Attributes that are objects of known classes, and dicts of such objects."""

from __future__ import annotations

import copy
from collections import OrderedDict, defaultdict
from functools import partial
from typing import Any

from thalweg_server.engines.structures.errors import Malformed, Unpackable
from thalweg_server.engines.structures.field import ABSENT, Field, Packing, Shared, Unpacking
from thalweg_server.engines.structures.limits import DEPTH_MAX, LENGTH_MAX
from thalweg_server.engines.structures.scalars import (
    a_list,
    exactly,
    pack_scalar,
    pack_scalars,
    unpack_scalar,
    unpack_scalars,
)


class Instance(Field):
    """An object of one of some classes.

    Args:
        names: of the classes.
    """

    def __init__(self, *names: str) -> None:
        self._names = frozenset(names)

    def pack(self, value: Any, to: Packing, owner: Any) -> Any:
        """See `Field.pack`."""
        kind = to.kinds.get(type(value))
        name = type(value).__name__
        if kind is None or name not in self._names:
            raise Unpackable(f"{name} is not known, or not where it is")
        place = to.places.get(id(value))
        if place is not None:
            return to.again(place, ANY)
        place = to.begin(value, ANY)
        to.depth += 1
        if to.depth > DEPTH_MAX:
            raise Unpackable(f"objects are more than {DEPTH_MAX} deep")
        state = vars(value)
        if state.keys() - kind.caches.keys() != kind.fields.keys():
            odd = min(map(str, (state.keys() - kind.caches.keys()) ^ kind.fields.keys()))
            raise Unpackable(f"{name} has an attribute {odd!r} more or less than River gives it")
        node = [name, *[each.pack(state[n], to, value) for n, each in kind.fields.items()]]
        to.depth -= 1
        to.open.discard(place)
        return node

    def unpack(self, node: Any, out: Unpacking, owner: Any) -> Any:
        """See `Field.unpack`. Attributes one by one, as `__init__` sets them: see `copying`."""
        if type(node) is int:
            known = out.again(node, ANY)
            if type(known).__name__ not in self._names:
                raise Malformed(f"object {node} is of another class")
            return known
        name, *nodes = a_list(node)
        if type(name) is not str or name not in self._names:
            raise Malformed("an object is of an unknown class, or not where it may be")
        kind = out.names[name]
        place = out.begin(ANY)
        out.depth += 1
        if out.depth > DEPTH_MAX:
            raise Malformed(f"objects are more than {DEPTH_MAX} deep")
        made: Any = object.__new__(kind.made)
        for (attribute, field), each in zip(kind.fields.items(), nodes, strict=True):
            object.__setattr__(made, attribute, field.unpack(each, out, made))
        for attribute, value in kind.caches.items():
            if value is not ABSENT:
                object.__setattr__(made, attribute, value)
        out.depth -= 1
        out.values[place] = made
        return made


ANY = Instance()
"""Stands for all instances: where one is shared, its class is looked at again."""


class Steps(Shared):
    """Objects by the names of steps.

    Args:
        kind: dict or OrderedDict.
        steps: which objects.
    """

    def __init__(self, kind: type[dict[Any, Any]], steps: Field) -> None:
        self._kind = kind
        self._steps = steps

    def pack_new(self, value: Any, to: Packing) -> Any:
        """See `Shared.pack_new`."""
        exactly(value, self._kind, "what holds the steps")
        if isinstance(value, OrderedDict) and vars(value):
            raise Unpackable("an OrderedDict has attributes of its own")
        names = pack_scalars(list(value), wide=to.wide)
        return [names, [self._steps.pack(each, to, value) for each in value.values()]]

    def unpack_new(self, node: Any, out: Unpacking) -> Any:
        """See `Shared.unpack_new`."""
        names, steps = a_list(node, 2)
        made = [self._steps.unpack(each, out, None) for each in a_list(steps)]
        return self._kind(zip(unpack_scalars(names), made, strict=True))


class ByFeature(Shared):
    """A defaultdict of statistics by feature.

    Args:
        made: the statistic's class.
        faded: whether it is given a factor.
    """

    def __init__(self, made: type, *, faded: bool = False) -> None:
        self._made = made
        self._faded = faded
        self._each = Instance(made.__name__)

    def pack_new(self, value: Any, to: Packing) -> Any:
        """See `Shared.pack_new`."""
        exactly(value, defaultdict, "what is known by feature")
        factor = self._factor(value.default_factory)
        each = [self._each.pack(statistic, to, value) for statistic in value.values()]
        return [factor, to.shape(tuple(value)), each]

    def unpack_new(self, node: Any, out: Unpacking) -> Any:
        """See `Shared.unpack_new`."""
        factor, keys, each = a_list(node, 3)
        made = [self._each.unpack(statistic, out, None) for statistic in a_list(each)]
        factory: Any = self._made
        if self._faded:
            factory = partial(self._made, unpack_scalar(factor))
        return defaultdict(factory, zip(out.shape(keys), made, strict=True))

    def _factor(self, factory: Any) -> Any:
        if not self._faded:
            if factory is not self._made:
                raise Unpackable(f"what is known by feature is no {self._made.__name__}")
            return None
        return pack_scalar(argument_of(factory, self._made))


class Groups(Shared):
    """TargetAgg's statistics by group, each a copy of the same.

    Args:
        each: which statistics.
    """

    def __init__(self, each: Field) -> None:
        self._each = each

    def pack_new(self, value: Any, to: Packing) -> Any:
        """See `Shared.pack_new`."""
        exactly(value, defaultdict, "what holds the groups")
        if len(value) > LENGTH_MAX:
            raise Unpackable(f"{len(value)} groups are more than {LENGTH_MAX}")
        first = self._each.pack(argument_of(value.default_factory, copy.deepcopy), to, value)
        keys = []
        for key in value:
            if key is not None:
                exactly(key, tuple, "the key of a group")
            keys.append(None if key is None else pack_scalars(list(key), wide=to.wide))
        return [first, keys, [self._each.pack(each, to, value) for each in value.values()]]

    def unpack_new(self, node: Any, out: Unpacking) -> Any:
        """See `Shared.unpack_new`."""
        first, keys, each = a_list(node, 3)
        factory = partial(copy.deepcopy, self._each.unpack(first, out, None))
        found = [None if key is None else tuple(unpack_scalars(key)) for key in a_list(keys)]
        made = [self._each.unpack(statistic, out, None) for statistic in a_list(each)]
        return defaultdict(factory, zip(found, made, strict=True))


def argument_of(factory: Any, function: Any) -> Any:
    """The one argument that a `partial` has for a function; raises Unpackable."""
    exactly(factory, partial, "what makes entries")
    if factory.func is not function or len(factory.args) != 1:
        raise Unpackable("what makes entries is not what River gives")
    if factory.keywords or vars(factory):
        raise Unpackable("what makes entries has more than River gives it")
    return factory.args[0]
