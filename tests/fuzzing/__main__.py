"""Fuzzes a real server over a real socket: messages and uploads, a third of the time per flavor.

nice -n 19 python -m tests.fuzzing --seconds 3600 --seed 1
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.fuzzing.campaign import Campaign, Found, Tally, read_calls, until
from tests.fuzzing.estimators import FLAVORS
from tests.fuzzing.target import Target

PROGRESS_SECONDS = 60.0


def main() -> int:
    """Parse what was given, and do it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for all flavors together")
    parser.add_argument("--seed", type=int, help="of all chance; without it a new one")
    parser.add_argument("--flavor", choices=FLAVORS, help="this one only")
    parser.add_argument("--first", type=int, default=0, help="the step to begin with")
    parser.add_argument("--last", type=int, help="the step to end with, however long it takes")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="the calls before a failure")
    parser.add_argument("--folder", type=Path, default=Path(), help="for the files of failures")
    given = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":  # sets in estimators are pickled in its order
        command = [sys.executable, "-m", "tests.fuzzing", *sys.argv[1:]]
        os.execve(sys.executable, command, os.environ | {"PYTHONHASHSEED": "0"})
    seed = random.SystemRandom().randrange(10**9) if given.seed is None else given.seed
    tally = Tally()
    try:
        if given.replay:
            _replay(given.replay, tally)
        else:
            _fuzz(given, seed, tally)
    except Found as found:
        _say(f"FAILED: {found}")
        return 1
    finally:
        _say(f"{tally}\n{tally.table()}")
    return 0


def _fuzz(given: argparse.Namespace, seed: int, tally: Tally) -> None:
    flavors = [given.flavor] if given.flavor else FLAVORS
    for flavor in flavors:
        _say(f"seed {seed}, {flavor}")
        with Target(flavor) as target:
            end = time.monotonic() + given.seconds / len(flavors)
            go_on = until(end)
            if given.last is not None:
                go_on = _to(given.last)
            campaign = Campaign(seed, target, given.folder, tally)
            campaign.run(given.first, _telling(go_on, tally))


def _replay(path: Path, tally: Tally) -> None:
    flavor, calls = read_calls(path)
    with Target(flavor) as target:
        Campaign(0, target, None, tally).repeat(calls)
    _say(f"{len(calls)} calls, and nothing was amiss")


def _to(last: int) -> Callable[[int], bool]:
    return lambda step: step <= last


def _telling(go_on: Callable[[int], bool], tally: Tally) -> Callable[[int], bool]:
    """The same condition; says every minute how far it is."""
    due = time.monotonic() + PROGRESS_SECONDS

    def goes_on(step: int) -> bool:
        nonlocal due
        if time.monotonic() > due:
            due += PROGRESS_SECONDS
            _say(str(tally))
        return go_on(step)

    return goes_on


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
