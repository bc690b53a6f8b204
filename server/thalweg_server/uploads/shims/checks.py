"""Small checks that shims share."""

from __future__ import annotations

from typing import Any

from thalweg_server.uploads.recipes import name_of
from thalweg_server.uploads.refusals import Forbidden


def expect(arguments: tuple[Any, ...], *kinds: type | tuple[type, ...]) -> None:
    """Raises Forbidden unless there are as many arguments as kinds, of exactly these types."""
    if len(arguments) != len(kinds):
        raise Forbidden(f"{len(arguments)} arguments where {len(kinds)} are written")
    for argument, kind in zip(arguments, kinds, strict=True):
        allowed = kind if isinstance(kind, tuple) else (kind,)
        if type(argument) not in allowed:
            raise Forbidden(f"{name_of(argument)} as an argument")


def whole(value: Any, low: int, high: int, what: str) -> int:
    """An integer within bounds, both included; raises Forbidden."""
    if type(value) is not int or not low <= value <= high:
        shown = value if type(value) is int and abs(value) < 1 << 64 else name_of(value)
        raise Forbidden(f"{what} of {shown}; at most {high}")
    return value
