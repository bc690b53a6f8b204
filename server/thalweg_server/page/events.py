"""Server-sent events as bytes: each is made once, whoever reads it."""

from __future__ import annotations

import json
import math
from typing import Any

COMMENT = b": still here\n\n"
"""Tells whatever is in between that the connection lives; a browser ignores it."""

RETRY = b"retry: 2000\n\n"
"""Milliseconds after which a browser connects again: soon, and no storm at a restart."""


def dump(value: Any) -> bytes:
    """JSON in UTF-8 without spaces; NaN and infinity, which it cannot say, are an error."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def event(kind: str, body: bytes) -> bytes:
    """An event of that kind; JSON has no line breaks of its own."""
    return b"event: " + kind.encode() + b"\ndata: " + body + b"\n\n"


def number(value: float) -> float | None:
    """The number, in as many digits as a chart can show; None where it is not finite."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
