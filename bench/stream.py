"""What StreamLearn costs over a bare River loop of the same pipelines.

`python -m bench.stream` prints one JSON object: rows per second of both, and their ratio pair by
pair. Both learn the same real sales in the same order, both M5 candidates of every item.
"""

from __future__ import annotations

import argparse
import json
import time

import grpc

from bench.fleet_data import CANDIDATES, batches, prepare, rows, sales
from bench.pairs import alternate, ratios, spread
from bench.serving import serving
from thalweg.v1.forecaster_pb2_grpc import ForecasterStub


def bare_loop(observations: list[tuple[str, str, float]]) -> float:
    """Rows per second of predict_one and learn_one of both candidates, in this process."""
    names = {item for item, _, _ in observations}
    models = {name: [make() for make in CANDIDATES.values()] for name in names}
    start = time.perf_counter()
    for item, date, units in observations:
        for model in models[item]:
            x = {"date": date}
            model.predict_one(x)
            model.learn_one(x, units)
    return len(observations) / (time.perf_counter() - start)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=300)
    parser.add_argument("--pairs", type=int, default=7)
    asked = parser.parse_args()
    data = sales(asked.items)
    observations, messages = list(rows(data)), batches(data)
    with serving() as server, grpc.insecure_channel(server.address) as channel:
        stub = ForecasterStub(channel)

        def streamed() -> float:
            prepare(stub)
            start = time.perf_counter()
            learned = sum(r.ack.learned for r in stub.StreamLearn(iter(messages)))
            seconds = time.perf_counter() - start
            assert learned == len(observations), learned
            return learned / seconds

        streamed()
        ours, bare = alternate(streamed, lambda: bare_loop(observations), asked.pairs)
    report = {
        "benchmark": "stream",
        "rows": len(observations),
        "candidates_per_model": len(CANDIDATES),
        "stream_rows_per_second": spread(ours, 0),
        "river_loop_rows_per_second": spread(bare, 0),
        "ratio": ratios(ours, bare),
        "ratio_at_least": 0.85,
        "pairs": asked.pairs,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
