"""What estimators say of themselves and of their errors, as replies can carry it."""

from __future__ import annotations

import sys
from collections.abc import Hashable
from typing import Any

from thalweg_server.engines.parameters import parameters

TEXTS_MAX = 256
"""Reprs that are kept: thousands of uploads share a few shapes."""

REPR_MAX, ERROR_MAX = 8_192, 500
"""Characters of a repr and of an error that are kept: both travel in replies of bounded size."""


_texts: dict[Hashable, str] = {}


def describe(estimator: Any) -> str:
    """River's repr, whatever it raises."""
    key = parameters(estimator)
    if key is not None and (known := _texts.get(key)) is not None:
        return known
    try:
        text = repr(estimator)
    except BaseException as error:
        text = f"{type(estimator).__name__} (its repr raised {text_of(error)})"
    text = sys.intern(_sendable(text, REPR_MAX))
    if key is not None:
        if len(_texts) >= TEXTS_MAX:
            _texts.clear()
        _texts[key] = text
    return text


def text_of(error: BaseException) -> str:
    """What was raised, as "ValueError: ..."."""
    try:
        text = f"{type(error).__name__}: {error}"
    except BaseException:
        text = f"{type(error).__name__} (its text raised, too)"
    return _sendable(text, ERROR_MAX)


def _sendable(text: str, characters_max: int) -> str:
    """The text as UTF-8 can carry it, cut where it is long."""
    text = text.encode(errors="replace").decode()
    return text if len(text) <= characters_max else f"{text[:characters_max]}…"
