"""Stand-ins for River's classes written in Rust: numbers to make them, bytes for their state.

Their `__setstate__` panics on bytes that are no state; a panic is a BaseException, which ends
the load and nothing else. What it reads must be all of the bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from river._river_rust import drift, stats
from river._river_rust.vectordict import VectorDict

from thalweg_server.uploads.recipes import Recipe, name_of
from thalweg_server.uploads.refusals import Forbidden
from thalweg_server.uploads.shims.callables import callable_of
from thalweg_server.uploads.shims.checks import expect, whole

_INTEGER_MAX = 1 << 20
"""Windows, numbers of buckets and the like: Rust allocates some of them at once."""

_SIGNATURES: dict[type, tuple[type | tuple[type, ...], ...]] = {
    stats.RsQuantile: (),
    stats.RsEWMean: (float,),
    stats.RsEWVar: (float,),
    stats.RsIQR: (float, float),
    stats.RsKurtosis: (bool,),
    stats.RsPeakToPeak: (),
    stats.RsSkew: (bool,),
    stats.RsRollingQuantile: (float, int),
    stats.RsRollingIQR: (float, float, int),
    stats.RsRollingROCAUC: (int, int),
    stats.RsRollingPRAUC: (int, int),
    drift.AdaptiveWindowing: (float, int, int, int, int),
}
"""Class to the types of what `__getnewargs__` gives."""

_EMPTY_BYTES = 400


def _maker(cls: Any) -> Callable[[tuple[Any, ...]], Any]:
    signature = _SIGNATURES[cls]

    def make(arguments: tuple[Any, ...]) -> Any:
        expect(arguments, *signature)
        for argument in arguments:
            if type(argument) is int:
                whole(argument, 0, _INTEGER_MAX, "a size")
        return cls.__new__(cls, *arguments)

    return make


def set_bytes(target: Any, state: Any) -> None:
    """The state of a Rust object; raises Forbidden unless it is read to the last byte."""
    expect((state,), bytes)
    target.__setstate__(state)
    if target.__getstate__() != state:
        raise Forbidden(f"bytes that are no state of {name_of(type(target))}")


def _vector(arguments: tuple[Any, ...]) -> Any:
    if len(arguments) != 4:
        raise Forbidden("a VectorDict of other than four arguments")
    data, factory, mask, copy = arguments
    expect((data, mask, copy), dict, _MASKS, bool)
    if not _NUMBERS.issuperset(map(type, data.values())):
        raise Forbidden("a VectorDict of other than numbers")
    made: Any = VectorDict
    return made(data, None if factory is None else callable_of(factory), mask, copy)


_NUMBERS = frozenset({int, float, bool, np.float64, np.float32, np.int64})
_MASKS = (type(None), set, frozenset, dict, VectorDict)
RUST_CLASSES: tuple[type, ...] = tuple(_SIGNATURES)
"""Classes whose state is bytes."""

RUST: tuple[Recipe, ...] = (
    Recipe(name="river._river_rust.vectordict.VectorDict", call=_vector, cost=200),
    *(
        Recipe(name=f"{cls.__module__}.{cls.__qualname__}", new=_maker(cls), cost=_EMPTY_BYTES)
        for cls in _SIGNATURES
    ),
)
"""Recipes for River's classes written in Rust."""
