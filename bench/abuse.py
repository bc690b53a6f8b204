"""What a hostile client costs the others: Predict's latency and the server's memory, per attack.

    python -m bench.abuse [--seconds 10] [--only NAME]

Attacker, server and a well-behaved client share this machine's cores, so that latencies hold what
the attacker takes from them, too: the first line is without an attack.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from river import dummy, stats

import thalweg
import thalweg.aio
from bench.serving import Running, serving
from tests.abuse.attacks import ATTACKS

MODELS = 500
WARM_UP_SECONDS = 1.0
PAUSE_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Measured:
    """What the others saw of an attack."""

    did: str
    calls: int
    failed: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    grown_mb: float
    kept_mb: float


def main() -> None:
    """Runs every attack against a server of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each attack")
    parser.add_argument("--only", help="a part of the names of the attacks to run")
    given = parser.parse_args()
    print(f"{'attack':20} {'p50 ms':>7} {'p99 ms':>7} {'max ms':>7} {'calls':>6} {'failed':>6} "
          f"{'peak MB':>8} {'kept MB':>8}  what it did")  # fmt: skip
    for name in ["none", *ATTACKS]:
        if not given.only or given.only in name:
            with serving("--flavor", "regression") as server:
                _print(name, measure(server, name, given.seconds))


def _print(name: str, seen: Measured) -> None:
    print(
        f"{name:20} {seen.p50_ms:7.2f} {seen.p99_ms:7.2f} {seen.max_ms:7.1f} {seen.calls:6} "
        f"{seen.failed:6} {seen.grown_mb:+8.1f} {seen.kept_mb:+8.1f}  {seen.did}",
        flush=True,
    )


def measure(server: Running, name: str, seconds: float) -> Measured:
    """One attack, for so long, and what Predict takes meanwhile."""
    spawn = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(1, mp_context=spawn) as attacker,
        thalweg.Client(server.address) as client,
    ):
        _prepare(client)
        asyncio.run(_ask(server.address, WARM_UP_SECONDS))
        attacker.submit(_attack, "none", server.address, 0.0).result()  # it has imported all
        before = server.megabytes()
        # What this process was at most, from now on.
        Path(f"/proc/{server.pid}/clear_refs").write_text("5", encoding="ascii")
        attacking = attacker.submit(_attack, name, server.address, seconds)
        took, failed = asyncio.run(_ask(server.address, seconds))
        did = attacking.result(60.0)
        peak = server.megabytes("VmHWM")
        time.sleep(1.0)
        kept = server.megabytes()
    took.sort()
    return Measured(
        did=did,
        calls=len(took),
        failed=failed,
        p50_ms=took[len(took) // 2] * 1e3,
        p99_ms=took[int(len(took) * 0.99)] * 1e3,
        max_ms=took[-1] * 1e3,
        grown_mb=peak - before,
        kept_mb=kept - before,
    )


def _prepare(client: thalweg.Client) -> None:
    client.upload_model("m*", mean(), template=True)
    rows = [thalweg.Row(model=f"m{number}", target=1.0) for number in range(MODELS)]
    list(client.stream_learn(rows))


def mean() -> object:
    """A small model."""
    return dummy.StatisticRegressor(stats.Mean())


async def _ask(address: str, seconds: float) -> tuple[list[float], int]:
    """What Predict takes, asked for on a fixed schedule, and how many failed.

    A call does not wait for the one before: what is measured is what callers see who come at any
    time, each on its own.
    """
    took: list[float] = []
    failed, begun = 0, time.perf_counter()

    async def call(due: float) -> None:
        nonlocal failed
        try:
            await client.predict("m1")
        except thalweg.ThalwegError:
            failed += 1
        took.append(time.perf_counter() - due)

    retry = thalweg.Retry(attempts=1)
    async with (
        thalweg.aio.Client(address, retry=retry, timeout=5.0) as client,
        asyncio.TaskGroup() as calls,
    ):
        for number in range(int(seconds / PAUSE_SECONDS)):
            due = begun + number * PAUSE_SECONDS
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            calls.create_task(call(due))
    return took, failed


def _attack(name: str, address: str, seconds: float) -> str:
    if name == "none":
        return ""
    attack, count = ATTACKS[name]
    return attack(address, seconds, count)


if __name__ == "__main__":
    main()
