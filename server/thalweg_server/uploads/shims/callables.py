"""Stand-ins for what binds functions: partials, bound methods, attributes by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from functools import partial
from types import FunctionType, MethodType
from typing import Any

from river.utils import Rolling

from thalweg_server.uploads.limits import WINDOW_MAX
from thalweg_server.uploads.recipes import Recipe, name_of
from thalweg_server.uploads.refusals import Forbidden
from thalweg_server.uploads.shims.checks import expect

_NUMBERS = frozenset({int, float, bool, type(None)})


def callable_of(value: Any) -> Any:
    """What a defaultdict or a partial may call for this value; raises Forbidden."""
    if type(value) is Recipe:
        if value.factory is None:
            raise Forbidden(f"{value.name} as a callable")
        return value.factory
    # Whatever else stands on the stack is of the table or was made by this load.
    if isinstance(value, type) or not callable(value):
        raise Forbidden(f"{name_of(value)} as a callable")
    return value


def make_partial(arguments: tuple[Any, ...]) -> Any:
    """A `functools.partial` of a callable; its arguments come with its state."""
    if len(arguments) != 1:
        raise Forbidden("a partial with arguments outside of its state")
    return partial(callable_of(arguments[0]))


def set_partial(target: partial[Any], state: Any) -> None:
    """The function, arguments and keywords of a partial; raises Forbidden."""
    expect((state,), tuple)
    if len(state) != 4:
        raise Forbidden("a state that no partial has")
    function, arguments, keywords, attributes = state
    if callable_of(function) is not target.func or attributes:
        raise Forbidden("a partial that turns into another one")
    expect((arguments, keywords), tuple, (dict, type(None)))
    keywords = keywords or {}
    if not all(type(name) is str for name in keywords):
        raise Forbidden("a keyword that is no text")
    if isinstance(target.func, type) or target.func is deepcopy:
        arguments = _arguments_for(target.func, arguments, keywords)
    target.__setstate__((target.func, arguments, keywords, None))  # type: ignore[attr-defined]


def _arguments_for(
    function: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[Any, ...]:
    """Arguments that a class of the table may be called with, later; raises Forbidden."""
    if function is deepcopy and len(arguments) == 1 and not keywords:
        return arguments
    if function is defaultdict and len(arguments) <= 1 and not keywords:
        return tuple(callable_of(each) for each in arguments)
    if not _are_numbers(keywords.values()):
        raise Forbidden(f"keywords for {name_of(function)} that are no numbers")
    if function is Rolling and len(arguments) == 1 and type(arguments[0]) is Recipe:
        return (callable_of(arguments[0]),)
    if function is tuple and len(arguments) == 1 and type(arguments[0]) is tuple:
        if _are_numbers(arguments[0]):
            return arguments
    elif _are_numbers(arguments):
        return arguments
    raise Forbidden(f"such arguments for {name_of(function)}")


def _are_numbers(values: Iterable[Any]) -> bool:
    """Whether all are plain numbers, none of them an integer beyond what sizes things."""
    return all(
        type(value) in _NUMBERS and (type(value) is not int or abs(value) <= WINDOW_MAX)
        for value in values
    )


def make_method(arguments: tuple[Any, ...]) -> Any:
    """A method of the table, bound to an instance that has it."""
    if len(arguments) != 2:
        raise Forbidden("a bound method of other than function and instance")
    function, instance = arguments
    name = getattr(function, "__name__", "")
    if type(function) is not FunctionType or _static(type(instance), name) is not function:
        raise Forbidden(f"{name_of(function)} as a method of {name_of(type(instance))}")
    return MethodType(function, instance)


def attribute_getters(functions: Mapping[str, Any]) -> Iterator[Recipe]:
    """`getattr` and dill's own of built-in types' methods, for functions of the table only.

    Args:
        functions: full name to function: what the table hands out by dotted name.
    """
    known = {id(function) for function in functions.values()}

    def get(arguments: tuple[Any, ...]) -> Any:
        if len(arguments) != 2 or type(arguments[1]) is not str:
            raise Forbidden("getattr of other than an object and a name")
        owner, name = arguments
        if type(owner) is Recipe:
            function = functions.get(f"{owner.name}.{name}")
            if function is None:
                raise Forbidden(f"the attribute {name[:80]!r} of {owner.name}")
            return function
        function = _static(type(owner), name)
        if type(function) is not FunctionType or id(function) not in known:
            raise Forbidden(f"the attribute {name[:80]!r} of {name_of(type(owner))}")
        return MethodType(function, owner)

    def get_for_dill(arguments: tuple[Any, ...]) -> Any:
        # the third is the method's repr, which dill reads where there is no such attribute
        expect(arguments, Recipe, str, str)
        return get(arguments[:2])

    yield Recipe(name="builtins.getattr", call=get)
    yield Recipe(name="dill._dill._getattr", call=get_for_dill)


def _static(kind: type, name: str) -> Any:
    """A class's attribute as it is written there, found without running anything."""
    for base in kind.__mro__:
        if name in vars(base):
            return vars(base)[name]
    return None


CALLABLES: tuple[Recipe, ...] = (
    Recipe(name="functools.partial", call=make_partial),
    Recipe(name="types.MethodType", call=make_method),
)
"""Recipes for names of Python's own library."""
