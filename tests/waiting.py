"""Waiting for another thread or process, and not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS = 30.0


def until(condition: Callable[[], object]) -> None:
    """Wait until something is so; fails where that takes too long."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)
