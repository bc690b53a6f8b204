"""Where the server's own words go: stderr, for stdout is for what was asked for."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from thalweg_server.logs.recent import Recent
from thalweg_server.logs.seldom import Seldom
from thalweg_server.logs.tidying import tidy

__all__ = ["LEVELS", "Recent", "Seldom", "configure", "log", "recent"]

LEVELS = ("debug", "info", "warning", "error")

FOREIGN_LEVEL = logging.WARNING
"""Of libraries' lines: what they say below it is about themselves."""


def log() -> Any:
    """A logger; of whoever embeds the server where that has configured structlog."""
    if not structlog.is_configured():
        _configure("info", "")
    return structlog.get_logger()


def configure(level: str, form: str) -> None:
    """Says for all of this process what is written and how: lines of libraries, too.

    A process that has configured structlog already keeps what it has.

    Args:
        level: the least that is written, one of `LEVELS`.
        form: "text" or "json", a line for each event; "" = text where stderr is a terminal.
    """
    if structlog.is_configured():
        return
    chain = _configure(level, form)
    handler = logging.StreamHandler(sys.stderr)
    strip = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=chain, processors=[strip, _renderer(form)]
        )
    )
    least = max(FOREIGN_LEVEL, getattr(logging, level.upper()))
    logging.basicConfig(handlers=[handler], level=least, force=True)


def recent() -> Recent:
    """What this process has told of late; empty where its log is not of our making."""
    log()  # configured at the latest now
    rings = (each for each in structlog.get_config()["processors"] if isinstance(each, Recent))
    return next(rings, Recent())


class _Threshold:
    """Lets nothing through that is below a level."""

    def __init__(self, level: str) -> None:
        self._silent = LEVELS[: LEVELS.index(level)]

    def __call__(self, _: object, __: str, event: structlog.types.EventDict) -> Any:
        if event["level"] in self._silent:
            raise structlog.DropEvent
        return event


def _configure(level: str, form: str) -> list[structlog.types.Processor]:
    """Configures structlog; returns what happens to an event before it is a line."""
    chain: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
        tidy,
        Recent(),  # before the threshold: the live page tells of more than a quiet log
    ]
    structlog.configure(
        processors=[*chain, _Threshold(level), _renderer(form)],
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
    return chain


def _renderer(form: str) -> structlog.types.Processor:
    terminal = sys.stderr.isatty()
    if form == "text" or (not form and terminal):
        return structlog.dev.ConsoleRenderer(
            colors=terminal,
            timestamp_key="at",
            exception_formatter=structlog.dev.plain_traceback,
        )
    return structlog.processors.JSONRenderer(ensure_ascii=False)
