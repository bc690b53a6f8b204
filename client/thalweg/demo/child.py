"""The demo's server process: `thalweg serve`, which ends with its parent.

Its stdin is a pipe that only the parent holds: however the parent ends, the pipe does too.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

from thalweg.cli import main


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    main(["serve", *sys.argv[1:]])
