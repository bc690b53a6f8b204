"""What the live page costs learning: StreamLearn beside ten viewers, and without them.

    python -m bench.page [--items N] [--viewers 10] [--pairs 7]

All M5 items, two candidates each; with and without viewers in turn, on days that follow each
other. The viewers are another process. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bench.fleet_data import Diary, all_stores, learn, upload
from bench.pairs import alternate, ratios, spread
from bench.serving import Running, serving
from thalweg import Client

SETTLING_SECONDS = 3.0
"""After viewers have come: that each is told of the last ten minutes is no steady cost."""

WARM_UP_DAYS = 30


@contextmanager
def watching(server: Running, viewers: int, models: Sequence[str]) -> Iterator[dict[str, int]]:
    """Viewers for a while; afterwards, what they were sent."""
    url = server.metrics.removesuffix("/metrics")
    command = [sys.executable, "-m", "bench.viewers", url, str(viewers), *models]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    sent: dict[str, int] = {}
    with process:
        assert process.stdout.readline() == "watching\n"
        time.sleep(SETTLING_SECONDS)
        yield sent
        process.stdin.close()
        sent.update(json.loads(process.stdout.readline()))


def measure(items: int | None, viewers: int, pairs: int, days: int) -> dict[str, object]:
    """Rates with and without viewers."""
    diary, sent = Diary(all_stores(None, items)), []
    with serving("--flavor", "regression") as server, Client(server.address) as client:

        def rate() -> float:
            data = diary.next(days)
            begun = time.perf_counter()
            learn(client, data, None)
            return data.observations / (time.perf_counter() - begun)

        def watched() -> float:
            with watching(server, viewers, diary.data.ids[:viewers]) as told:
                found = rate()
            sent.append(told)
            return found

        upload(client)
        learn(client, diary.next(WARM_UP_DAYS), None)
        rate()
        with_viewers, without = alternate(watched, rate, pairs)
    return {
        "benchmark": "page",
        "candidates": 2 * len(diary.data.ids),
        "viewers": viewers,
        "pairs": pairs,
        "rows_of_one": days * len(diary.data.ids),
        "rows_per_second_with_viewers": spread(with_viewers, 0),
        "rows_per_second_without": spread(without, 0),
        "ratio": ratios(with_viewers, without),
        "ratio_at_least": 0.9,
        "bytes_sent_to_all": spread([float(told["bytes"]) for told in sent], 0),
        "models_described": spread([float(told["models"]) for told in sent], 0),
    }


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m bench.page", description=__doc__)
    parser.add_argument("--items", type=int, help="so many, of all stores; default: all")
    parser.add_argument("--viewers", type=int, default=10)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--days", type=int, default=40, help="days of one measurement")
    asked = parser.parse_args()
    print(json.dumps(measure(asked.items, asked.viewers, asked.pairs, asked.days), indent=2))


if __name__ == "__main__":
    main()
