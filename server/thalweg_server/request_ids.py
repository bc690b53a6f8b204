"""The id that a call is found by in the log: its caller's, else one of ours."""

from __future__ import annotations

from collections.abc import Iterable
from random import getrandbits

HEADER = "x-request-id"

CHARACTERS_MAX = 64
"""Of an id: a UUID has 36."""


def request_id_of(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """The id that comes with a call, or a new one where that is missing or no id.

    Args:
        metadata: the call's.
    """
    for key, value in metadata or ():
        if key == HEADER and isinstance(value, str) and _is_sane(value):
            return value
    return f"{getrandbits(64):016x}"  # has to be another one, not a secret


def _is_sane(text: str) -> bool:
    return 0 < len(text) <= CHARACTERS_MAX and text.isascii() and text.isprintable()
