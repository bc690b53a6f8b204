"""What stands on the stack in place of a class or a risky function: what may be done with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

INSTANCE_BYTES = 96
"""Memory that a plain instance takes, about."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Recipe:
    """A global of the table that is not handed out itself. Inert: nothing can call it.

    Classes stand on the stack as recipes, so that whatever a payload does with them beyond what
    the recipe says leaves it with an object that does nothing, and the final audit refuses it.

    Args:
        name: module and qualified name.
        new: makes an instance from NEWOBJ's arguments; None forbids.
        call: answers REDUCE; None forbids.
        factory: the callable that stands in data where this may be called without arguments,
            or with those of a partial; None forbids.
        value: the class that stands in attributes where estimators keep it; None forbids.
        cost: bytes of memory that one result takes, about.
    """

    name: str
    new: Callable[[tuple[Any, ...]], Any] | None = None
    call: Callable[[tuple[Any, ...]], Any] | None = None
    factory: Any = None
    value: Any = None
    cost: int = INSTANCE_BYTES


def name_of(value: Any) -> str:
    """What a value is, for messages."""
    if isinstance(value, Recipe):
        return value.name
    module = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None)
    if isinstance(module, str) and isinstance(name, str):
        return f"{module}.{name}"
    kind = type(value)
    return f"a value of type {kind.__module__}.{kind.__qualname__}"
