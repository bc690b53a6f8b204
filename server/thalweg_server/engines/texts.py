"""What estimators say of themselves and of their errors, as replies can carry it."""

from __future__ import annotations

import sys
from typing import Any

REPR_MAX, ERROR_MAX = 8_192, 500
"""Characters of a repr and of an error that are kept: both travel in replies of bounded size."""


def describe(estimator: Any) -> str:
    """River's repr, whatever it raises."""
    try:
        text = repr(estimator)
    except BaseException as error:
        text = f"{type(estimator).__name__} (its repr raised {text_of(error)})"
    # Thousands of uploads share a few shapes: keep one string for each.
    return sys.intern(_sendable(text, REPR_MAX))


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
