"""The command line in a process that kills itself at a given moment: `dying POINT NTH ARGS…`.

The points: `row`, a row was read from the database; `ack`, a batch was acknowledged; `end`, the
last one was; empty: never.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from thalweg.account import Account
from thalweg.cli import main, streaming
from thalweg.sync.layout import Layout

POINTS: dict[str, tuple[Any, str]] = {
    "row": (Layout, "_row"),
    "ack": (Account, "settle"),
    "end": (streaming, "print_totals"),
}


def dying(function: Callable[..., Any], nth: int) -> Callable[..., Any]:
    """A function that kills this process at its n-th call, after the work of the one before."""
    calls = 0

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)

    return call


if __name__ == "__main__":
    point, nth, *args = sys.argv[1:]
    if point:
        home, name = POINTS[point]
        setattr(home, name, dying(getattr(home, name), int(nth)))
    main(args)
