"""How fast a fleet learns over StreamLearn, beside the bare River loop, and where the time goes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.echo import echoing
from bench.engines import Compiled
from bench.fleet_data import CANDIDATES, Diary, cut, learn, sample, teach, upload
from bench.loops import TARGET_AGGS, Loop
from bench.pairs import in_turn, ratios, spread
from bench.serving import Running, serving
from thalweg import Client, m5
from thalweg.batches import Batcher, Item, Limits
from thalweg.v1 import forecaster_pb2 as pb

LIMITS = Limits(rows=100_000, bytes=64 * 1024 * 1024)
"""The server's own, as it tells them when a stream opens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much to measure.

    Args:
        data: the real days, of all items.
        days: days of one measurement.
        warm_up: days learned before.
        pairs: how often each is measured.
        sample: items that the River loops learn.
        batch_rows: rows in a batch of columns; None = as many as the client puts there.
    """

    data: m5.Sales
    days: int
    warm_up: int
    pairs: int
    sample: int
    batch_rows: int | None

    @property
    def size(self) -> dict[str, int]:
        """What a report says of it."""
        return {
            "items": len(self.data.ids),
            "days_timed": self.days * self.pairs,
            "days_before": self.warm_up,
            "pairs": self.pairs,
            "river_loop_items": min(self.sample, len(self.data.ids)),
        }


def say(text: str) -> None:
    """Tells on stderr how far it is."""
    print(text, file=sys.stderr, flush=True)


def engines(client: Client, model: str) -> dict[str, str]:
    """What runs each candidate of a model."""
    found = client.get_model(model).candidates
    return {one.candidate: f"{one.engine} {one.engine_reason}".strip() for one in found}


def columns(plan: Plan) -> dict[str, Any]:
    """StreamLearn in columns, which the client cuts out of the sales while it streams."""
    report = _beside_river(plan, lambda data: cut(data, plan.batch_rows))
    return {
        "batch_rows": len(next(cut(plan.data, plan.batch_rows))),
        **report,
        "rows_per_second_at_least": 200_000,
        "ratio_to_target_aggs_at_least": 100,
    }


def typed_rows(plan: Plan) -> dict[str, Any]:
    """StreamLearn in typed rows, which the client makes of `Row`s while it streams."""
    report = _beside_river(plan, lambda data: data.rows())
    return {**report, "ratio_to_target_aggs_at_least": 40}


def typed_messages(plan: Plan) -> dict[str, Any]:
    """The same typed rows as messages that were made before, as a client in C++ might."""
    report = _beside_river(
        plan, lambda data: [batch.rows for batch in _messages(data.rows(), None)]
    )
    return {**report, "ratio_to_target_aggs_at_least": 40}


def _beside_river(plan: Plan, source: Callable[[m5.Sales], Iterable[Item]]) -> dict[str, Any]:
    """Rates of the server and of two River loops, measured in turn on the same days."""
    whole, few = Diary(plan.data), Diary(sample(plan.data, plan.sample))
    slow, compact = Loop(TARGET_AGGS, few.data.ids), Loop(CANDIDATES, few.data.ids)
    with serving() as server, Client(server.address) as client:

        def streamed(days: int = plan.days) -> float:
            data = whole.next(days)
            items = source(data)
            start = time.perf_counter()
            teach(client, items, data.observations)
            rate = data.observations / (time.perf_counter() - start)
            say(f"  {rate:,.0f} rows/s")
            return rate

        def looped(loop: Loop, days: int = plan.days) -> float:
            few.written = whole.written - days  # the days that the server has just learned
            return loop.rate(few.next(days))

        upload(client)
        streamed(plan.warm_up)
        looped(slow, plan.warm_up)
        looped(compact, plan.warm_up)
        ours, target_aggs, bare = in_turn(
            plan.pairs, streamed, lambda: looped(slow), lambda: looped(compact)
        )
        placed = engines(client, whole.data.ids[0])
    return {
        **plan.size,
        "engines": placed,
        "rows_per_second": spread(ours, 0),
        "river_target_aggs_rows_per_second": spread(target_aggs, 0),
        "river_compact_rows_per_second": spread(bare, 0),
        "ratio_to_target_aggs": ratios(ours, target_aggs, 1),
        "ratio_to_compact": ratios(ours, bare, 1),
    }


def shares(plan: Plan) -> dict[str, Any]:
    """Seconds per million rows of each part by itself; as they overlap, they add up to more."""
    whole = Diary(plan.data)
    with (
        serving() as server,
        echoing() as echo,
        Client(server.address) as client,
        Client(echo) as floor,
    ):
        upload(client)
        learn(client, whole.next(plan.warm_up), plan.batch_rows)
        spent = server.cpu_seconds()
        walls = in_turn(
            plan.pairs,
            lambda: _seconds(whole, plan, lambda data: learn(client, data, plan.batch_rows)),
            lambda: _seconds(whole, plan, lambda data: learn(floor, data, plan.batch_rows)),
            lambda: _seconds(whole, plan, lambda data: _serialise(data, plan.batch_rows)),
        )
        million = plan.pairs * plan.days * len(plan.data.ids) / 1e6
        threads = _cpu(server, spent, million)
    engine, kernel = _in_process(plan)
    assert min(kernel) > 0, "no candidate was compiled"
    everything, transport, built = walls
    return {
        **plan.size,
        "batch_rows": len(next(cut(plan.data, plan.batch_rows))),
        "seconds_per_million_rows": {
            "wall_of_client_and_server": spread(everything),
            "wall_of_client_and_echo_that_only_parses_and_acks": spread(transport),
            "client_alone_builds_and_serialises_messages": spread(built),
            "engine_alone_in_process": spread(engine),
            "kernels_alone_in_process": spread(kernel),
            "server_cpu_by_thread": threads,
        },
        "share_of_wall": {
            "kernels": ratios(kernel, everything),
            "client_and_transport": ratios(transport, everything),
            "client": ratios(built, everything),
        },
    }


def _seconds(diary: Diary, plan: Plan, work: Callable[[m5.Sales], None]) -> float:
    """Seconds per million rows of some work on the next days."""
    data = diary.next(plan.days)
    start = time.perf_counter()
    work(data)
    return (time.perf_counter() - start) / data.observations * 1e6


def _in_process(plan: Plan) -> tuple[list[float], list[float]]:
    """Seconds per million rows that the engine takes, and the kernels in it, one thread."""
    fleet, diary = Compiled(CANDIDATES, plan.data.ids), Diary(plan.data)
    engine, kernel = [], []
    for days in [plan.warm_up] + [plan.days] * plan.pairs:
        before = fleet.engine_seconds, fleet.kernel_seconds
        data = diary.next(days)
        for column, day in enumerate(data.dates.tolist()):
            fleet.learn(day, data.units[:, column].copy())
        million = data.observations / 1e6
        engine.append((fleet.engine_seconds - before[0]) / million)
        kernel.append((fleet.kernel_seconds - before[1]) / million)
    return engine[1:], kernel[1:]


def _cpu(server: Running, before: dict[str, float], million: float) -> dict[str, float]:
    after = server.cpu_seconds()
    return {name: round((after[name] - before[name]) / million, 3) for name in after}


def _serialise(data: m5.Sales, batch_rows: int | None) -> None:
    """All that a client does to a stream but to send it."""
    for message in _messages(cut(data, batch_rows), batch_rows):
        message.SerializeToString()


def _messages(items: Iterable[Item], batch_rows: int | None) -> Iterator[pb.StreamLearnRequest]:
    batcher = Batcher(LIMITS, batch_rows)
    for item in items:
        yield from batcher.add(item)
    yield from batcher.flush()
