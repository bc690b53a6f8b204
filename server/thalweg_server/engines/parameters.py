"""What River's repr of an estimator is made from: its parameters, and those of its parts.

To read them takes a twentieth of what the repr takes, which works out signatures each time.
"""

from __future__ import annotations

import inspect
from collections.abc import Hashable
from functools import lru_cache
from types import BuiltinFunctionType, FunctionType
from typing import Any

from river import base, compose

KINDS_MAX = 1_024
"""Classes whose parameters' names are kept."""

_AS_THEY_ARE = frozenset({str, int, bool, type(None)})

_BY_REPR = frozenset({float, BuiltinFunctionType})
"""0.0 and -0.0 are equal and look different; NaN is not even equal to itself."""


class _Unknown(Exception):
    """The repr may show more than parameters."""


def parameters(estimator: Any) -> Hashable | None:
    """Equal for estimators of one repr; None where that cannot be told."""
    try:
        return _of_step(estimator)
    except BaseException:  # its attributes may raise whatever they like: so may its repr
        return None


def _of_step(step: Any) -> Hashable:
    kind = type(step)
    if kind is compose.Pipeline:
        return kind, tuple(map(_of_step, step.steps.values()))
    if kind is compose.TransformerUnion:
        return kind, tuple(map(_of_step, step.transformers.values()))
    shown: Any = kind.__repr__
    if shown is not base.Base.__repr__:
        raise _Unknown
    return _of_part(step)


def _of_part(part: Any) -> Hashable:
    """As River shows what is a parameter of something else: whatever the repr of its own."""
    kind: Any = type(part)
    return kind, tuple(_of_value(getattr(part, name)) for name in _names(kind))


def _of_value(value: Any) -> Hashable:
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return kind, value
    if kind in _BY_REPR:
        return kind, repr(value)
    if kind is FunctionType:
        return kind, value.__name__
    if kind is tuple:
        return kind, tuple(map(_of_value, value))
    if issubclass(kind, base.Base) and kind.__module__.startswith("river."):
        return _of_part(value)
    raise _Unknown


@lru_cache(KINDS_MAX)
def _names(kind: Hashable) -> tuple[str, ...]:
    """Of the parameters that River shows of what is of this class."""
    make: Any = kind.__init__  # type: ignore[misc]
    if make is object.__init__:
        return ()
    _, *listed = inspect.signature(make).parameters.values()
    if any(each.kind in {each.VAR_POSITIONAL, each.VAR_KEYWORD} for each in listed):
        raise _Unknown
    return tuple(each.name for each in listed)
