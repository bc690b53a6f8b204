"""What closed doors cost: uploads a second, the hop to a worker, a model that hangs, TLS.

`python -m bench.uploads` prints one JSON object. Pairs are measured in turn, on servers of their
own that run side by side; rates are compared pair by pair.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import dill
import grpc
from river import linear_model, naive_bayes

from bench import misbehaving
from bench.fleet_data import CANDIDATES, Diary, all_stores, learn, sample, upload
from bench.fleet_stream import say
from bench.pairs import alternate, in_turn, ratios, spread
from bench.serving import serving
from thalweg import Client, m5
from thalweg.errors import ThalwegError
from thalweg.v1 import forecaster_pb2 as pb
from thalweg.v1.forecaster_pb2_grpc import ForecasterStub

DAYS = 61
"""That each pipeline has learned before it is uploaded."""

AT_A_TIME = 16
"""Uploads under way on the one connection."""


def distinct(data: m5.Sales, items: int) -> dict[str, Any]:
    """Uploads of pipelines that have each learned an item's days, to a durable server."""
    payloads = _learned(sample(data, items))
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(data_dir=folder) as server,
        Client(server.address) as client,
    ):
        client.init("regression")
        first, rest = payloads[:200], payloads[200:]
        asyncio.run(_uploaded(server.address, first))  # kernels are made, the loader is there
        start = time.perf_counter()
        asyncio.run(_uploaded(server.address, rest))
        seconds = time.perf_counter() - start
        held = sum(1 for _ in client.list_models())
    assert held == items, held
    rate = len(rest) / seconds
    return {
        "uploads": len(rest),
        "payload_bytes": round(sum(len(each) for _, _, each in payloads) / len(payloads)),
        "per_second": round(rate, 1),
        "per_second_at_least": 200,
        "minutes_for_30490": round(30_490 / rate / 60, 2),
    }


def _learned(data: m5.Sales) -> list[tuple[str, str, bytes]]:
    """Model, candidate and payload of each pipeline."""
    days = Diary(data).next(DAYS)
    columns = [(model, units) for model, units in zip(days.ids, days.units.tolist(), strict=True)]
    dates = [str(each) for each in _dates(days)]
    say(f"  {len(columns):,} items learn {DAYS} days")
    with ProcessPoolExecutor(2) as pool:
        work = partial(_learn_one, dates)
        return [each for pair in pool.map(work, columns, chunksize=50) for each in pair]


def _dates(data: m5.Sales) -> Any:
    import numpy as np

    return np.asarray(data.dates, "datetime64[D]")


def _learn_one(dates: list[str], item: tuple[str, list[float]]) -> list[tuple[str, str, bytes]]:
    model, units = item
    found = []
    for name, make in CANDIDATES.items():
        estimator = make()
        for date, target in zip(dates, units, strict=True):
            x = {"id": model, "date": date}
            estimator.predict_one(x)
            estimator.learn_one(x, float(target))
        found.append((model, name, dill.dumps(estimator, recurse=True)))
    return found


async def _uploaded(address: str, payloads: list[tuple[str, str, bytes]]) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        stub, todo = ForecasterStub(channel), iter(payloads)

        async def uploader() -> None:
            for model, candidate, payload in todo:
                await stub.UploadModel(
                    pb.UploadModelRequest(
                        model=model,
                        candidate=candidate,
                        payload=payload,
                        context=[pb.CONTEXT_FIELD_ID, pb.CONTEXT_FIELD_DATE],
                    )
                )

        await asyncio.gather(*(uploader() for _ in range(AT_A_TIME)))


HOPPING: dict[str, tuple[str, Callable[[], Any]]] = {
    "bayesian": ("regression", linear_model.BayesianLinearRegression),
    "naive_bayes": ("multiclass", naive_bayes.GaussianNB),
}
"""Estimators that no kernel runs."""


BLOCK = 30
"""Predicts of one server before the next one's turn: caches are warm, and the machine the same."""


def hop(calls: int) -> dict[str, Any]:
    """Predict of what a worker runs, beside the same engine within the server's process.

    And beside that with a message to another process and back, which nothing is done with: what
    the kernel takes for its part.
    """
    report: dict[str, Any] = {"calls": calls}
    for name, (flavor, make) in HOPPING.items():
        with contextlib.ExitStack() as stack:
            worker, bounced, river = (
                stack.enter_context(_engine(kind, flavor, make()))
                for kind in ("worker", "bounced", "river")
            )
            ours, bare, theirs = in_turn(calls // BLOCK, worker, bounced, river)
        report[name] = {
            "worker_p50_ms": spread(ours),
            "in_process_p50_ms": spread(theirs),
            "difference_ms": spread([a - b for a, b in zip(ours, theirs, strict=True)]),
            "of_a_bare_message_ms": spread([a - b for a, b in zip(bare, theirs, strict=True)]),
        }
    return {**report, "difference_ms_at_most": 0.1}


@contextmanager
def _engine(kind: str, flavor: str, estimator: Any) -> Iterator[Callable[[], float]]:
    """A server with that engine and one model that has learned a little: asks it, see `_p50`."""
    command = [sys.executable, "-m", "bench.engine_server", kind]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        with Client(address) as client:
            client.init(flavor)
            client.upload_model("m", estimator)
            for number in range(20):
                target = float(number) if flavor == "regression" else "ab"[number % 2]
                client.learn("m", target, {"a": float(number), "b": 1.0 / (1 + number)})
        with grpc.insecure_channel(address) as channel:
            yield partial(_p50, ForecasterStub(channel))
    finally:
        process.communicate()


def _p50(stub: ForecasterStub) -> float:
    """Milliseconds of a Predict in a block of them."""
    request = pb.PredictRequest(model="m", features={n: pb.Value(number=0.5) for n in "ab"})
    took = []
    for _ in range(BLOCK):
        start = time.perf_counter()
        stub.Predict(request)
        took.append(time.perf_counter() - start)
    return median(took) * 1000


def others(seconds: float) -> dict[str, Any]:
    """Predict of models while one that never answers is asked and taught, and stopped each time.

    Asked for every ten milliseconds, whether the last answer is there or not.
    """
    options = ("--uploads", "trusted", "--worker-import", "bench.misbehaving")
    with serving("--flavor", "regression", *options) as server, Client(server.address) as client:
        client.upload_model("compiled", linear_model.LinearRegression())
        client.upload_model("river", linear_model.BayesianLinearRegression())
        for name in ("compiled", "river"):
            client.learn(name, 1.0, {"a": 1.0})
        over = threading.Event()
        nuisance = threading.Thread(target=_provoke, args=(client, over))
        nuisance.start()
        report = {}
        for name in ("compiled", "river"):
            took = asyncio.run(_asked_on_time(server.address, name, seconds))
            report[name] = {
                "p50_ms": round(took[len(took) // 2], 2),
                "p99_ms": round(took[len(took) * 99 // 100], 2),
                "max_ms": round(took[-1], 2),
            }
        over.set()
        nuisance.join()
    return {**report, "p99_ms_at_most": 50}


def _provoke(client: Client, over: threading.Event) -> None:
    """Has a model hang again and again; after three times another one takes its place."""
    while not over.is_set():
        client.upload_model("bad", misbehaving.Loops(), replace=True)
        for call in (client.predict, client.learn, client.predict):
            values = ("bad", 1.0, {"a": 1.0}) if call == client.learn else ("bad", {"a": 1.0})
            with contextlib.suppress(ThalwegError):
                call(*values)  # type: ignore[operator]


async def _asked_on_time(address: str, model: str, seconds: float) -> list[float]:
    """Milliseconds that each Predict took, from when it was due; the shortest first."""
    request = pb.PredictRequest(model=model, features={"a": pb.Value(number=1.0)})
    async with grpc.aio.insecure_channel(address) as channel:
        stub, took = ForecasterStub(channel), []

        async def ask(due: float) -> None:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await stub.Predict(request)
            took.append((time.perf_counter() - due) * 1000)

        begin = time.perf_counter() + 0.1
        await asyncio.gather(*(ask(begin + number * 0.01) for number in range(int(seconds * 100))))
    return sorted(took)


def tls(data: m5.Sales, pairs: int, days: int) -> dict[str, Any]:
    """StreamLearn over TLS, with a token, beside plain text."""
    with tempfile.TemporaryDirectory() as folder:
        cert, key = _certificate(Path(folder))
        options = ("--tls-cert", str(cert), "--tls-key", str(key))
        with (
            serving(*options) as closed,
            serving() as plain,
            Client(closed.address, tls=cert) as ours,
            Client(plain.address) as theirs,
        ):
            clients = [ours, theirs]
            for client in clients:
                upload(client)
            diaries = [Diary(data), Diary(data)]

            def rate(which: int, days: int = days) -> float:
                some = diaries[which].next(days)
                start = time.perf_counter()
                learn(clients[which], some, None)
                return some.observations / (time.perf_counter() - start)

            rate(0, 12)
            rate(1, 12)
            one, other = alternate(lambda: rate(0), lambda: rate(1), pairs)
    return {
        "tls_rows_per_second": spread(one, 0),
        "plain_rows_per_second": spread(other, 0),
        "ratio": ratios(one, other),
        "ratio_at_least": 0.85,
    }


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(cert)]
    subprocess.run([*command.split(), *names, *files], check=True, capture_output=True)
    return cert, key


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=3_000, help="items whose pipelines are sent")
    parser.add_argument("--days", type=int, default=6, help="days of one TLS measurement")
    parser.add_argument("--calls", type=int, default=3_000, help="Predicts of each, for the hop")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each one beside a hang")
    names = "distinct,hop,others,tls"
    parser.add_argument("--only", help=names, default=names)
    asked = parser.parse_args()
    sections: dict[str, Callable[[], dict[str, Any]]] = {
        "distinct": lambda: distinct(all_stores(), asked.items),
        "hop": lambda: hop(asked.calls),
        "others": lambda: others(asked.seconds),
        "tls": lambda: tls(all_stores(), asked.pairs, asked.days),
    }
    report: dict[str, Any] = {"benchmark": "uploads", "pairs": asked.pairs}
    for name in asked.only.split(","):
        say(name)
        report[name] = sections[name]()
    print(json.dumps(report))


if __name__ == "__main__":
    main()
