"""Where the server's own words go: stderr, for stdout is for what was asked for."""

from __future__ import annotations

import sys
from typing import Any

import structlog


def log() -> Any:
    """A logger; of whoever embeds the server where that has configured structlog."""
    if not structlog.is_configured():
        structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    return structlog.get_logger()
