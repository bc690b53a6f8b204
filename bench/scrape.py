"""What a scrape costs with tens of thousands of models, and whether gRPC's loop notices.

    python -m bench.scrape [--models 30500] [--runs 7]

The pages go over a real socket to a reader in another process, next to the same bytes written
to a plain socket. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import dill
import numpy as np
from river import dummy, stats

from thalweg_server.core.events import Uploaded
from thalweg_server.core.limits import Limits
from thalweg_server.core.observation import NO_DAY, Batch, Flavor, Names
from thalweg_server.core.service import Service
from thalweg_server.engines.river import RiverEngine
from thalweg_server.page import Load, State, Subject
from thalweg_server.storage.memory import MemoryStore
from thalweg_server.telemetry import Telemetry
from thalweg_server.web import WebServer

T = TypeVar("T")

READER = """
import socket, sys, time
buffer = bytearray(1 << 20)
for line in sys.stdin:
    with socket.create_connection(("127.0.0.1", int(line))) as sock:
        started = time.perf_counter()
        sock.sendall(b"GET /metrics HTTP/1.1\\r\\nHost: bench\\r\\nConnection: close\\r\\n\\r\\n")
        received = 0
        while size := sock.recv_into(buffer):
            received += size
    print(received, time.perf_counter() - started, flush=True)
"""
"""The same for both servers: one request, then read to the end."""


class Fleet:
    """Real models of trivial estimators, so that learning all of them takes a second."""

    def __init__(self, models: int) -> None:
        self.service = Service(
            engine=RiverEngine(), store=MemoryStore(), limits=Limits(), clock=time.perf_counter
        )
        self.service.init(Flavor.REGRESSION, reset=False)
        for name, statistic in (("knn", stats.Mean()), ("lm", stats.EWMean(0.3))):
            payload = dill.dumps(dummy.StatisticRegressor(statistic), recurse=True)
            upload = Uploaded(
                model="*",
                candidate=name,
                payload=payload,
                template=True,
                replace=False,
                apply_to_existing=False,
                context=(),
            )
            self.service.upload(upload, None)
        self._names = [f"HOBBIES_{n % 2 + 1}_{n // 10:04}_CA_{n % 10}" for n in range(models)]
        self._random = random.Random(7)

    def learn(self) -> None:
        """Every model learns one observation."""
        size = len(self._names)
        batch = Batch(
            names=Names(self._names),
            index=np.arange(size, dtype=np.int32),
            days=np.full(size, NO_DAY, np.int32),
            targets=np.array([self._random.expovariate(0.5) for _ in range(size)]),
        )
        job = self.service.classroom.job(batch, at=0.0)
        while not job.step():
            pass


class PlainServer:
    """Writes the same bytes to every connection, as fast as a socket takes them."""

    def __init__(self) -> None:
        self.body = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(self.body)


class Reader:
    """A client in another process, which has a GIL of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", READER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def read(self, port: int) -> tuple[int, float]:
        """Bytes and seconds of one response."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{port}\n")
        self._process.stdin.flush()
        size, seconds = self._process.stdout.readline().split()
        return int(size), float(seconds)

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


class Watch:
    """Stands in for gRPC's loop: wakes up every millisecond and notes how late it was."""

    def __init__(self) -> None:
        self.stall = 0.0
        # A full collection stops every thread, whoever causes it: that is timed by itself.
        gc.disable()

    async def during(self, work: Callable[[], Awaitable[object]]) -> float:
        """Milliseconds of the longest stall while the work ran."""
        self.stall, task = 0.0, asyncio.create_task(self._tick())
        await work()
        task.cancel()
        return self.stall * 1e3

    async def _tick(self) -> None:
        while True:
            started = time.perf_counter()
            await asyncio.sleep(0.001)
            self.stall = max(self.stall, time.perf_counter() - started - 0.001)


async def at_once(function: Callable[[], T]) -> T:
    """Runs a read right here."""
    return function()


def shown(service: Service) -> Subject:
    """What the live page would look at, if somebody opened it."""
    return Subject(
        service=service,
        state=lambda: State.READY,
        read=at_once,
        versions={},
        load=Load,
        recent=lambda _: (),
    )


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and most."""
    return {
        "median": round(statistics.median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
    }


async def measure(models: int, runs: int) -> dict[str, object]:
    """Builds the fleet, serves it, and reads it again and again."""
    fleet, plain, reader, watch = Fleet(models), PlainServer(), Reader(), Watch()
    for _ in range(3):
        fleet.learn()
    telemetry = Telemetry(fleet.service)
    web = WebServer("127.0.0.1", 0, telemetry, shown(fleet.service))
    port = web.start()
    pause_ms = collect_garbage()
    first_ms = reader.read(port)[1] * 1e3
    same: list[float] = []
    bare: list[float] = []
    changed: list[float] = []
    stalls: dict[str, list[float]] = {"idle": [], "unchanged": [], "changed": []}

    async def read(at: int, into: list[float]) -> None:
        size, seconds = await asyncio.to_thread(reader.read, at)
        sizes.add(size)
        into.append(seconds * 1e3)

    sizes: set[int] = set()
    for _ in range(runs):
        plain.body = b"".join(telemetry.page())
        stalls["unchanged"].append(await watch.during(lambda: read(port, same)))
        await read(plain.port, bare)
    size = len(plain.body)
    for _ in range(runs):
        fleet.learn()
        stalls["idle"].append(await watch.during(lambda: asyncio.sleep(0.3)))
        stalls["changed"].append(await watch.during(lambda: read(port, changed)))
    web.stop()
    reader.close()
    return {
        "benchmark": "scrape",
        "models": models,
        "candidates": 2 * models,
        "runs": runs,
        "page_bytes": size,
        "first_scrape_ms": round(first_ms, 1),
        "unchanged_ms": spread(same),
        "plain_socket_ms": spread(bare),
        "unchanged_to_plain_ratio": spread([a / b for a, b in zip(same, bare, strict=True)]),
        "all_changed_ms": spread(changed),
        "loop_stall_ms": {name: spread(values) for name, values in stalls.items()},
        "full_garbage_collection_ms": round(pause_ms, 1),
    }


def collect_garbage() -> float:
    """Milliseconds of a full collection, which stops every thread and is not the scrape's doing."""
    gc.collect()
    started = time.perf_counter()
    gc.collect()
    return (time.perf_counter() - started) * 1e3


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=30_500)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    print(json.dumps(asyncio.run(measure(options.models, options.runs)), indent=2))


if __name__ == "__main__":
    main()
