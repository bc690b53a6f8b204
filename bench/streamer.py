"""A client in a process of its own that streams sales as fast as they are learned."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc

from bench.fleet_data import all_stores, batches
from thalweg.v1 import forecaster_pb2 as pb
from thalweg.v1.forecaster_pb2_grpc import ForecasterStub


@dataclass(slots=True)
class Streamer:
    """One that runs.

    Args:
        process: its process.
        rows_per_second: how fast it was, once it has ended.
    """

    process: subprocess.Popen[str]
    rows_per_second: float = field(default=0.0)


@contextmanager
def streaming(address: str, items: int | None, data: str | None = None) -> Iterator[Streamer]:
    """A stream without a pause for as long as the context lasts; it has begun when it begins."""
    command = [sys.executable, "-m", "bench.streamer", address]
    command += [] if items is None else ["--items", str(items)]
    command += [] if data is None else ["--data", data]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    streamer = Streamer(process)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield streamer
        last, _ = process.communicate("")
        streamer.rows_per_second = json.loads(last)["rows_per_second"]
    finally:
        process.kill()
        process.wait()


def endless(messages: list[pb.StreamLearnRequest]) -> Iterator[pb.StreamLearnRequest]:
    """The batches behind `open` again and again, numbers and dates going on."""
    opened, *bodies = messages
    yield opened
    days = bodies[-1].columns.date_days[0] - bodies[0].columns.date_days[0] + 1
    sequence = 0
    while True:
        for body in bodies:
            sequence += 1
            body.sequence = sequence
            yield body  # serialised before the next one is asked for
            body.columns.date_days[0] += days


def _at_end_of_stdin(function: Callable[[], None]) -> None:
    sys.stdin.read()
    function()


def main() -> None:
    """Streams until stdin ends; prints a line when it has begun and its rate in the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("--items", type=int)
    parser.add_argument("--data")
    asked = parser.parse_args()
    messages = batches(all_stores(asked.data, asked.items))
    over = threading.Event()
    threading.Thread(target=_at_end_of_stdin, args=(over.set,), daemon=True).start()
    rows, acks, start = 0, 0, 0.0
    with grpc.insecure_channel(asked.address) as channel:
        call = ForecasterStub(channel).StreamLearn(endless(messages))
        for response in call:
            acks += 1
            rows += response.ack.learned
            if acks == 3:
                print("learning", flush=True)
                rows, start = 0, time.perf_counter()
            if over.is_set() and acks >= 3:
                break
        call.cancel()
    print(json.dumps({"rows_per_second": round(rows / (time.perf_counter() - start))}))


if __name__ == "__main__":
    main()
