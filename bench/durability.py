"""What it costs that nothing acknowledged is lost, and how long a killed server takes to be back.

`python -m bench.durability` prints one JSON object. Durable and ephemeral servers run side by
side and are measured in turn; rates are compared pair by pair.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import grpc

from bench.fleet_data import Diary, all_stores, learn, upload
from bench.fleet_stream import say
from bench.pairs import alternate, ratios, spread
from bench.serving import Running, serving
from thalweg import Client, m5
from thalweg.v1 import forecaster_pb2 as pb
from thalweg.v1.forecaster_pb2_grpc import ForecasterStub

CALLERS = 64

REQUESTS = count()


@contextmanager
def _both(folder: str) -> Iterator[list[tuple[str, Client]]]:
    """Address and client of a durable and of an ephemeral server, with the fleet's templates."""
    with (
        serving(data_dir=folder) as durable,
        serving() as ephemeral,
        Client(durable.address) as one,
        Client(ephemeral.address) as other,
    ):
        upload(one)
        upload(other)
        yield [(durable.address, one), (ephemeral.address, other)]


def streams(data: m5.Sales, pairs: int, days: int, batch_rows: int) -> dict[str, Any]:
    """StreamLearn of all items, in batches of so many rows."""
    with tempfile.TemporaryDirectory() as folder, _both(folder) as servers:
        diaries = [Diary(data), Diary(data)]

        def rate(which: int, days: int = days) -> float:
            some = diaries[which].next(days)
            start = time.perf_counter()
            learn(servers[which][1], some, batch_rows)
            return some.observations / (time.perf_counter() - start)

        rate(0, 12)
        rate(1, 12)
        ours, theirs = alternate(lambda: rate(0), lambda: rate(1), pairs)
    return {
        "batch_rows": batch_rows,
        "durable_rows_per_second": spread(ours, 0),
        "ephemeral_rows_per_second": spread(theirs, 0),
        "ratio": ratios(ours, theirs),
        "ratio_at_least": 0.8,
    }


def unary(data: m5.Sales, pairs: int, calls: int) -> dict[str, Any]:
    """Learn by many callers at a time, each of whom waits for its answer."""
    with tempfile.TemporaryDirectory() as folder, _both(folder) as servers:
        for _, client in servers:
            learn(client, data.at(slice(0, 2)), None)

        def rate(which: int) -> float:
            return asyncio.run(_calls_per_second(servers[which][0], data.ids, calls))

        rate(0)
        rate(1)
        ours, theirs = alternate(lambda: rate(0), lambda: rate(1), pairs)
    return {
        "callers": CALLERS,
        "durable_calls_per_second": spread(ours, 0),
        "ephemeral_calls_per_second": spread(theirs, 0),
        "ratio": ratios(ours, theirs),
        "ratio_at_least": 0.5,
    }


async def _calls_per_second(address: str, ids: list[str], calls: int) -> float:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = ForecasterStub(channel)
        todo = iter(range(calls))

        async def caller() -> None:
            for _ in todo:
                number = next(REQUESTS)
                await stub.Learn(
                    pb.LearnRequest(
                        model=ids[number % len(ids)],
                        date="2016-05-23",
                        target=pb.Value(number=float(number % 7)),
                        request_id=f"r{number}",
                    )
                )

        start = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        return calls / (time.perf_counter() - start)


def recovery(data: m5.Sales, runs: int, rows_behind: int) -> dict[str, Any]:
    """Seconds from the start of a process until a killed server's models answer again."""
    report: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        days = -(-rows_behind // len(data.ids))
        diary = Diary(data)
        report |= _grown(folder, data, diary)
        fresh = [_started(folder, lambda client: None) for _ in range(runs)]
        # What is learned now is behind the snapshot: the next one is due ten seconds from here.
        behind_rows = days * len(data.ids)
        _started(folder, lambda client: learn(client, diary.next(days), None))
        behind = [_started(folder, lambda client: None) for _ in range(runs)]
    return {
        "items": len(data.ids),
        "runs": runs,
        **report,
        "seconds_with_a_fresh_snapshot": spread(fresh, 2),
        "seconds_with_a_fresh_snapshot_at_most": 5,
        "rows_behind": behind_rows,
        "seconds_with_rows_behind": spread(behind, 2),
        "seconds_with_rows_behind_at_most": 15,
    }


def _grown(folder: str, data: m5.Sales, diary: Diary) -> dict[str, Any]:
    """Streams until a snapshot is begun, waits for it, and kills the server."""
    with serving(data_dir=folder) as server, Client(server.address) as client:
        upload(client)
        rows = 0
        while not _snapshots(folder, "*"):
            some = diary.next(1)
            learn(client, some, None)
            rows += some.observations
        logged = _log_bytes(folder)
        say(f"  {rows:,} rows, {logged / rows:.2f} bytes of log each")
        while not (found := _snapshots(folder, "snapshot-*.zip")):
            time.sleep(0.1)
        _kill(server)
    size = found[-1].stat().st_size
    return {
        "rows_logged": rows,
        "log_bytes_per_row": round(logged / rows, 2),
        "snapshot_megabytes": round(size / 1e6, 1),
        "snapshot_bytes_per_candidate": round(size / (2 * len(data.ids))),
    }


def _started(folder: str, use: Callable[[Client], None]) -> float:
    """Seconds that a server takes to be ready; it is killed after some use."""
    start = time.perf_counter()
    with serving(data_dir=folder) as server, Client(server.address) as client:
        seconds = time.perf_counter() - start
        say(f"  ready after {seconds:.2f} s")
        use(client)
        _kill(server)
    return seconds


def _kill(server: Running) -> None:
    os.kill(server.pid, signal.SIGKILL)


def _snapshots(folder: str, pattern: str) -> list[Path]:
    return sorted(Path(folder, "snapshots").glob(pattern))


def _log_bytes(folder: str) -> int:
    files = [Path(folder, name) for name in ("log.sqlite", "log.sqlite-wal")]
    return sum(file.stat().st_size for file in files)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, help="how many; all by default")
    parser.add_argument("--days", type=int, default=6, help="days of one measurement")
    parser.add_argument("--calls", type=int, default=6_000, help="Learns of one measurement")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--rows-behind", type=int, default=1_000_000)
    parser.add_argument("--only", help="stream,unary,recovery", default="stream,unary,recovery")
    asked = parser.parse_args()
    data = all_stores(items=asked.items)
    sections: dict[str, Callable[[], dict[str, Any]]] = {
        "stream": lambda: {
            str(rows): streams(data, asked.pairs, asked.days, rows) for rows in (1_000, 16_384)
        },
        "unary": lambda: unary(data, asked.pairs, asked.calls),
        "recovery": lambda: recovery(data, asked.pairs, asked.rows_behind),
    }
    report: dict[str, Any] = {"benchmark": "durability", "pairs": asked.pairs}
    for name in asked.only.split(","):
        say(name)
        report[name] = sections[name]()
    print(json.dumps(report))


if __name__ == "__main__":
    main()
