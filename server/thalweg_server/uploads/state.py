"""What BUILD may write into instances: attributes that are data and stay data.

A state that replaces a method, or adds one that Python looks for (`__deepcopy__`), would fire
later: on predict, on a copy, on a download. So no name of a method or property, and no name in
double underscores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from sys import intern
from types import MemberDescriptorType
from typing import Any

from thalweg_server.uploads.recipes import Recipe, name_of
from thalweg_server.uploads.refusals import Forbidden

_set = object.__setattr__


@dataclass(frozen=True, slots=True, eq=False)
class Attributes:
    """The rule for plain instances: a dictionary of attributes, and slots where a class has any.

    Args:
        reserved: names that no state may hold.
        slots: names of the class's slots.
        finish: what the class itself does with its state, after the checks; None = nothing.
    """

    reserved: frozenset[str]
    slots: frozenset[str]
    finish: Callable[[Any, dict[str, Any]], None] | None = None

    def __call__(self, target: Any, state: Any) -> None:
        """Gives an instance its state; raises Forbidden."""
        slots: Any = None
        if type(state) is tuple and len(state) == 2:
            state, slots = state
        if slots is not None:
            self._fill_slots(target, slots)
        if state is None:
            return
        if type(state) is not dict:
            raise Forbidden(f"{name_of(state)} for the state of {name_of(type(target))}")
        reserved = self.reserved
        for name in state:
            if type(name) is not str or name in reserved or name[:2] == "__":
                raise Forbidden(f"the attribute {str(name)[:80]!r} of {name_of(type(target))}")
        if self.finish is not None:
            self.finish(target, state)
            return
        # One by one, as `__init__` does: instances of a class then share their keys.
        for name, value in state.items():
            kind = type(value)
            if kind is Recipe or kind is tuple:
                value = _classes_of(value)  # noqa: PLW2901 - rare, and the loop is hot
            _set(target, intern(name), value)

    def _fill_slots(self, target: Any, slots: Any) -> None:
        if type(slots) is not dict or not self.slots.issuperset(slots):
            raise Forbidden(f"slots that {name_of(type(target))} does not have")
        for name, value in slots.items():
            _set(target, name, value)


def _classes_of(value: Any) -> Any:
    """A class, or a tuple of classes, in place of recipes that stand for them."""
    if type(value) is Recipe:
        if value.value is None:
            raise Forbidden(f"{value.name} itself as a value")
        return value.value
    if value and type(value[0]) is Recipe:
        return tuple(_classes_of(each) if type(each) is Recipe else each for each in value)
    return value


def attributes_of(cls: type) -> Attributes:
    """The rule for a class, read off its methods."""
    members: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        members.update(vars(base))
    slots = {name for name, value in members.items() if isinstance(value, MemberDescriptorType)}
    return Attributes(
        reserved=frozenset(_reserved(members)),
        slots=frozenset(slots),
        finish=getattr(cls, "__setstate__", None),
    )


def _reserved(members: dict[str, Any]) -> Iterator[str]:
    for name, value in members.items():
        if isinstance(value, cached_property):  # made to be replaced, by a value
            continue
        if callable(value) or hasattr(type(value), "__get__"):
            yield name
