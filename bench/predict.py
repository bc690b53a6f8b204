"""What a unary Predict costs over a bare grpc.aio echo of the same messages.

`python -m bench.predict` prints one JSON object: both medians, their ratio pair by pair, and the
99th percentile of Predict while another client streams sales in bulk.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from itertools import chain, repeat

import grpc

from bench.echo import echoing
from bench.fleet_data import batches, prepare, sales
from bench.pairs import alternate, ratios, spread
from bench.serving import serving
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


def while_streaming(address: str, items: int, calls: int) -> dict[str, float]:
    """Predict's quantiles, in milliseconds, while a bulk stream learns without a pause."""
    opened, *columns = batches(sales(items))
    acks, running = 0, True

    def endless() -> chain[pb.StreamLearnRequest]:
        again = (b for turn in repeat(columns) if running for b in turn)
        numbered = (
            pb.StreamLearnRequest(columns=b.columns, sequence=n) for n, b in enumerate(again, 1)
        )
        return chain([opened], numbered)

    def stream() -> None:
        nonlocal acks
        with grpc.insecure_channel(address) as channel:
            call = ForecasterStub(channel).StreamLearn(endless())
            for _ in call:
                acks += 1
                if not running:
                    call.cancel()
                    return

    thread = threading.Thread(target=stream)
    thread.start()
    while acks < 3:
        time.sleep(0.01)
    before, start = acks, time.perf_counter()
    with grpc.insecure_channel(address) as channel:
        taken = durations(ForecasterStub(channel), calls)
    seconds, learned = time.perf_counter() - start, (acks - before) * len(columns[0].columns.target)
    running = False
    thread.join()
    return {
        "p50_ms": round(quantile(taken, 0.5) * 1e3, 2),
        "p99_ms": round(quantile(taken, 0.99) * 1e3, 2),
        "max_ms": round(taken[-1] * 1e3, 2),
        "rows_per_second_meanwhile": round(learned / seconds),
    }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=2_000, help="calls of one measurement")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--items", type=int, default=200, help="models that learn meanwhile")
    asked = parser.parse_args()
    with serving() as server, echoing() as echo:
        with grpc.insecure_channel(server.address) as ours, grpc.insecure_channel(echo) as bare:
            stub, floor = ForecasterStub(ours), ForecasterStub(bare)
            prepare(stub)
            for _ in stub.StreamLearn(iter(batches(sales(asked.items)))):
                pass
            durations(stub, 300)
            durations(floor, 300)
            predict, bottom = alternate(
                lambda: quantile(durations(stub, asked.calls), 0.5),
                lambda: quantile(durations(floor, asked.calls), 0.5),
                asked.pairs,
            )
        busy = while_streaming(server.address, asked.items, asked.calls)
    report = {
        "benchmark": "predict",
        "predict_p50_us": spread([s * 1e6 for s in predict], 1),
        "echo_p50_us": spread([s * 1e6 for s in bottom], 1),
        "ratio": ratios(predict, bottom),
        "ratio_at_most": 2.0,
        "while_streaming": busy,
        "p99_ms_at_most": 50.0,
        "pairs": asked.pairs,
        "calls": asked.calls,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
