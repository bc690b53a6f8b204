"""Stand-ins for dill's own constructors that trained estimators need."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from thalweg_server.uploads.limits import WINDOW_MAX
from thalweg_server.uploads.recipes import Recipe
from thalweg_server.uploads.refusals import Forbidden
from thalweg_server.uploads.shims.checks import expect, whole

LOADED_TYPES: Mapping[str, tuple[str, str]] = {
    "PartialType": ("functools", "partial"),
    "MethodType": ("types", "MethodType"),
    "ItemGetterType": ("operator", "itemgetter"),
    **{
        name: ("builtins", name)
        for name in (
            *("float", "int", "bool", "str", "list", "tuple", "dict", "set", "frozenset"),
            *("bytes", "bytearray"),
        )
    },
}
"""Names that dill has for types, to the global each stands for. dill itself knows 140, functions,
code and files among them."""


_WRITTEN_RANGE = re.compile(r"range\((-?\d{1,9}), (-?\d{1,9})(?:, (-?\d{1,9}))?\)")


def _range(arguments: tuple[Any, ...]) -> Any:
    # dill evaluates a repr; here it is read
    expect(arguments, str)
    written = _WRITTEN_RANGE.fullmatch(arguments[0])
    if written is None:
        raise Forbidden(f"dill's evaluation of {arguments[0][:80]!r}")
    numbers = [int(each) for each in written.groups("1")]
    return range(*(whole(each, -WINDOW_MAX, WINDOW_MAX, "a range") for each in numbers))


RANGE = Recipe(name="dill._dill._eval_repr", call=_range)
"""How dill writes ranges."""


def type_loader(
    lookup: Callable[[str, str], Any], more: Mapping[str, tuple[str, str]] | None = None
) -> Recipe:
    """`dill._dill._load_type`, for the names above and more where they are given."""
    types = {**LOADED_TYPES, **(more or {})}

    def load(arguments: tuple[Any, ...]) -> Any:
        if len(arguments) != 1 or type(arguments[0]) is not str:
            raise Forbidden("dill's _load_type of other than one name")
        known = types.get(arguments[0])
        if known is None:
            raise Forbidden(f"dill's type {arguments[0][:80]!r}")
        return lookup(*known)

    return Recipe(name="dill._dill._load_type", call=load)
