"""What may stand in a line of the log: plain values, of bounded length, and no secrets."""

from __future__ import annotations

import math
import re
from typing import Any

from structlog.types import EventDict

CHARACTERS_MAX = 1_000
"""Of one value: names are shorter, and what callers send is no reason to fill a disk."""

FIRST = ("at", "level", "event")

SECRETS = re.compile(r"(?P<keep>\bthl_|\bpassword=)[^\s'\"]+|(?<=://)[^\s/@]+(?=@)", re.IGNORECASE)
"""Tokens of ours, a database's password, and whatever stands before a URL's host."""


def tidy(_: object, __: str, event: EventDict) -> EventDict:
    """The event as it fits into a line, in the order to read it; see structlog's processors."""
    tidied = {name: event.pop(name) for name in FIRST}
    for name, value in event.items():
        if name.startswith("_"):  # structlog's own
            tidied[name] = value
        elif name == "exception":  # a trace has lines, and is read as such
            tidied[name] = _hushed(value)
        else:
            tidied[name] = _plain(value)
    return tidied | {"event": _plain(tidied["event"])}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    text = _hushed(str(value))
    if len(text) > CHARACTERS_MAX:
        text = text[:CHARACTERS_MAX] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _hushed(text: str) -> str:
    return SECRETS.sub(lambda found: f"{found['keep'] or ''}***", text)
