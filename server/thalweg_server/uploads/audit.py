"""The last look at what a payload became, before anybody uses it.

Independent of how it was built: whatever opcodes made it, nothing in it is a stand-in for a
class, and it is neither so deep nor so often shared that walking it never ends.
"""

from __future__ import annotations

import gc
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, ModuleType
from typing import Any

from thalweg_server.uploads.limits import (
    DEPTH_MAX,
    EXPANSION_BASE,
    EXPANSION_MAX,
    SHARES_FREE,
)
from thalweg_server.uploads.recipes import Recipe
from thalweg_server.uploads.refusals import Forbidden

_LEAVES = frozenset({str, bytes, bytearray, int, float, bool, complex, type(None)})
_OUTSIDE = (type, FunctionType, BuiltinFunctionType, ModuleType, CodeType, CellType)
"""What a payload only refers to: it is not followed."""


def audit(root: Any, payload_bytes: int, shares: int) -> None:
    """Raises Forbidden where an object is not what an estimator may be.

    Args:
        root: the object.
        payload_bytes: size of what it was loaded from.
        shares: how often containers were used again while it was built.
    """
    _check_parts(root)
    if shares > SHARES_FREE:
        _check_expansion(root, EXPANSION_BASE + EXPANSION_MAX * payload_bytes)


def _check_parts(root: Any) -> None:
    """Layer by layer: no stand-ins, and not more layers than DEPTH_MAX."""
    layer, seen = [root], {id(root)}
    for _ in range(DEPTH_MAX):
        below = []
        for part in gc.get_referents(*layer):
            kind = type(part)
            if kind in _LEAVES or id(part) in seen:
                continue
            if kind is Recipe:
                raise Forbidden(f"{part.name} itself as a value")
            seen.add(id(part))
            if not isinstance(part, _OUTSIDE):
                below.append(part)
        if not below:
            return
        layer = below
    raise Forbidden(f"more than {DEPTH_MAX} objects inside each other")


def _check_expansion(root: Any, limit: int) -> None:
    """Counts what a walk meets that visits shared objects each time; a cycle counts once."""
    sizes: dict[int, int] = {}
    path: list[tuple[Any, list[Any]]] = [(root, _parts(root))]
    open_sizes = [1]
    sizes[id(root)] = 1
    while path:
        part, left = path[-1]
        if not left:
            path.pop()
            size = open_sizes.pop()
            if size > limit:
                raise Forbidden("objects shared so often that walking them would not end")
            sizes[id(part)] = size
            if open_sizes:
                open_sizes[-1] += size
            continue
        below = left.pop()
        known = sizes.get(id(below))
        if known is not None:
            open_sizes[-1] += known
            continue
        if len(path) > DEPTH_MAX:
            raise Forbidden(f"more than {DEPTH_MAX} objects inside each other")
        sizes[id(below)] = 1
        path.append((below, _parts(below)))
        open_sizes.append(1)


def _parts(part: Any) -> list[Any]:
    """What an object holds and a walk would follow."""
    return [
        each
        for each in gc.get_referents(part)
        if type(each) not in _LEAVES and not isinstance(each, _OUTSIDE)
    ]
