"""What a unary Predict costs over a bare grpc.aio echo of the same messages.

`python -m bench.predict` prints one JSON object: both medians, their ratio pair by pair, and the
99th percentile of Predict while another client streams sales in bulk.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import grpc

from bench.echo import echoing
from bench.fleet_data import all_stores, batches, prepare
from bench.pairs import alternate, ratios, spread
from bench.serving import serving
from bench.streamer import streaming
from thalweg.v1 import forecaster_pb2 as pb
from thalweg.v1.forecaster_pb2_grpc import ForecasterStub

QUESTION = pb.PredictRequest(model="HOBBIES_1_001_CA_1", date="2016-05-23")


def durations(stub: ForecasterStub, calls: int) -> list[float]:
    """Seconds of each of so many calls, sorted."""
    taken = []
    for _ in range(calls):
        start = time.perf_counter()
        stub.Predict(QUESTION)
        taken.append(time.perf_counter() - start)
    return sorted(taken)


def quantile(taken: list[float], share: float) -> float:
    """The duration that this share of the calls stays under."""
    return taken[int(share * (len(taken) - 1))]


def while_idle(address: str, calls: int, pairs: int) -> dict[str, Any]:
    """Predict's median beside that of the echo."""
    with (
        echoing() as echo,
        grpc.insecure_channel(address) as ours,
        grpc.insecure_channel(echo) as bare,
    ):
        stub, floor = ForecasterStub(ours), ForecasterStub(bare)
        durations(stub, 300)
        durations(floor, 300)
        predict, bottom = alternate(
            lambda: quantile(durations(stub, calls), 0.5),
            lambda: quantile(durations(floor, calls), 0.5),
            pairs,
        )
    return {
        "predict_p50_us": spread([s * 1e6 for s in predict], 1),
        "echo_p50_us": spread([s * 1e6 for s in bottom], 1),
        "ratio": ratios(predict, bottom),
        "ratio_at_most": 1.5,
    }


def while_streaming(
    address: str, calls: int, runs: int, items: int | None, data: str | None = None
) -> dict[str, Any]:
    """Predict's quantiles while a client in another process streams without a pause."""
    with (
        streaming(address, items, data) as streamer,
        grpc.insecure_channel(address) as channel,
    ):
        stub = ForecasterStub(channel)
        taken = [durations(stub, calls) for _ in range(runs)]
    return {
        "p50_ms": spread([quantile(each, 0.5) * 1e3 for each in taken], 2),
        "p99_ms": spread([quantile(each, 0.99) * 1e3 for each in taken], 2),
        "p99_ms_at_most": 10.0,
        "max_ms": round(max(each[-1] for each in taken) * 1e3, 2),
        "rows_per_second_meanwhile": streamer.rows_per_second,
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2_000, help="calls of one measurement")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--items", type=int, default=200, help="models that learn meanwhile")
    asked = parser.parse_args()
    with serving() as server:
        with grpc.insecure_channel(server.address) as channel:
            stub = ForecasterStub(channel)
            prepare(stub)
            for _ in stub.StreamLearn(iter(batches(all_stores(items=asked.items)))):
                pass
        report = {
            "benchmark": "predict",
            **while_idle(server.address, asked.calls, asked.pairs),
            "while_streaming": while_streaming(
                server.address, asked.calls, asked.pairs, asked.items
            ),
            "pairs": asked.pairs,
            "calls": asked.calls,
            "items": asked.items,
        }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
