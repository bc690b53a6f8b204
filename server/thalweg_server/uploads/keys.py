"""What may be a key of a dictionary or a member of a set: plain values whose hash is cheap."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from thalweg_server.uploads.limits import KEY_PARTS_MAX
from thalweg_server.uploads.recipes import name_of
from thalweg_server.uploads.refusals import Forbidden

_PLAIN = frozenset({str, int, float, bool, type(None), bytes})
_HUGE = (1 << 61) - 1
"""Integers from here on share their hashes with smaller ones."""


def check_keys(keys: Iterable[Any]) -> int:
    """How many keys a caller could make collide; raises Forbidden for what is no plain key."""
    numeric = 0
    for key in keys:
        kind = type(key)
        if kind is str:
            continue
        if kind is int:
            numeric += not -_HUGE < key < _HUGE
        elif kind is tuple or kind is frozenset:
            numeric += _check_parts(key)
        elif kind not in _PLAIN:
            raise Forbidden(f"{name_of(key)} as a key or a member of a set")
    return numeric


def _check_parts(key: Any) -> bool:
    """Whether a caller can choose the numbers in a composite key so that keys collide."""
    parts, seen, numbers, huge = [key], 0, 0, False
    while parts:
        for part in parts.pop():
            seen += 1
            if seen > KEY_PARTS_MAX:
                raise Forbidden(f"a key of more than {KEY_PARTS_MAX} values")
            kind = type(part)
            if kind is tuple or kind is frozenset:
                parts.append(part)
            elif kind not in _PLAIN:
                raise Forbidden(f"{name_of(part)} inside a key")
            numbers += kind is int or kind is float
            huge = huge or (kind is int and not -_HUGE < part < _HUGE)
    return numbers > 1 or huge
