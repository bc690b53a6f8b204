"""What StreamLearn costs over a bare River loop of the same pipelines.

`python -m bench.stream` prints one JSON object: rows per second of both, and their ratio pair by
pair. Both learn the same real sales in the same order, both M5 candidates of every item, and go on
from one measurement to the next; the first days, which make the models, are not timed in either.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import grpc

from bench.fleet_data import CANDIDATES, batches, prepare, rows, sales
from bench.pairs import alternate, ratios, spread
from bench.serving import serving
from thalweg import m5
from thalweg.v1.forecaster_pb2_grpc import ForecasterStub

Observations = list[tuple[str, str, float]]


def learn(models: dict[str, list[Any]], observations: Observations) -> None:
    """The bare loop: predict_one and learn_one of both candidates, row by row."""
    for item, date, units in observations:
        for model in models[item]:
            x = {"date": date}
            model.predict_one(x)
            model.learn_one(x, units)


def chunks(data: m5.Sales, days: int) -> Iterator[m5.Sales]:
    """So many days at a time, again and again."""
    starts = range(0, len(data.dates) - days + 1, days)
    return (data.at(slice(start, start + days)) for start in cycle(starts))


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000)
    parser.add_argument("--days", type=int, default=4, help="days of one measurement")
    parser.add_argument("--warm-up", type=int, default=12, help="days learned before")
    parser.add_argument("--pairs", type=int, default=15)
    asked = parser.parse_args()
    data = sales(asked.items)
    models = {item: [make() for make in CANDIDATES.values()] for item in data.ids}
    with serving() as server, grpc.insecure_channel(server.address) as channel:
        stub = ForecasterStub(channel)
        streamed_days, looped_days = chunks(data, asked.days), chunks(data, asked.days)

        def streamed() -> float:
            messages = batches(next(streamed_days))
            start = time.perf_counter()
            learned = sum(r.ack.learned for r in stub.StreamLearn(iter(messages)))
            seconds = time.perf_counter() - start
            assert learned == asked.items * asked.days, learned
            return learned / seconds

        def bare() -> float:
            observations = list(rows(next(looped_days)))
            start = time.perf_counter()
            learn(models, observations)
            return len(observations) / (time.perf_counter() - start)

        prepare(stub)
        alternate(streamed, bare, asked.warm_up // asked.days)
        ours, bare_rates = alternate(streamed, bare, asked.pairs)
    report = {
        "benchmark": "stream",
        "rows_per_measurement": asked.items * asked.days,
        "candidates_per_model": len(CANDIDATES),
        "stream_rows_per_second": spread(ours, 0),
        "river_loop_rows_per_second": spread(bare_rates, 0),
        "ratio": ratios(ours, bare_rates),
        "ratio_at_least": 0.85,
        "pairs": asked.pairs,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
