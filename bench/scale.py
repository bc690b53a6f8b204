"""What a row costs as the fleet grows, up to a million models with two candidates each.

    python -m bench.scale [--models 1000,10000,100000,1000000]

Prints one JSON object. A server per size, all of them up at once and measured in turn, with equal
batches: names, dates and targets row by row, in the fleet's order and in random order. The
windows are short, so that the largest fleet fits in memory.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import linear_model, neighbors, preprocessing

from bench.fleet_data import teach, upload
from bench.fleet_stream import engines, say
from bench.pairs import in_turn, ratios, spread
from bench.serving import Running, serving
from thalweg import Client, Columns, m5

FIRST_DAY = 16_800
"""2015-12-31."""


def knn() -> Any:
    """`m5.knn` with short windows."""
    search = neighbors.LazySearch(window_size=4)
    return (
        m5.RollingMeans([1, 2], [1])
        | preprocessing.StandardScaler()
        | neighbors.KNNRegressor(n_neighbors=2, engine=search)
    )


def lm() -> Any:
    """`m5.lm` with short windows."""
    return (
        m5.RollingMeans([1, 2], [1])
        | preprocessing.MinMaxScaler()
        | linear_model.LinearRegression(intercept_lr=0.001)
    )


class Fleet:
    """A server of its own with so many models.

    Args:
        models: how many.
        batch_rows: rows of every batch.
        stack: closes the server.
    """

    def __init__(self, models: int, batch_rows: int, stack: ExitStack) -> None:
        self.models = models
        self.server: Running = stack.enter_context(serving())
        self.client: Client = stack.enter_context(Client(self.server.address))
        self._batch_rows = batch_rows
        self._names = np.array([f"shop-{number:07}" for number in range(models)])
        self._random = np.random.default_rng(models)
        self._days = np.full(models, FIRST_DAY)
        self._next = 0
        upload(self.client, {"knn": knn, "lm": lm})

    def learn(self, batches: int, *, shuffled: bool = False) -> float:
        """Learns so many batches; returns microseconds per row."""
        ready = [self._batch(shuffled=shuffled) for _ in range(batches)]
        rows = batches * self._batch_rows
        start = time.perf_counter()
        teach(self.client, ready, rows)
        return (time.perf_counter() - start) / rows * 1e6

    def warm_up(self, rounds: int) -> float:
        """Every model learns so many rows; returns the microseconds per row of the first round."""
        batches = max(1, self.models // self._batch_rows)
        first = self.learn(batches)
        for _ in range(rounds - 1):
            self.learn(batches)
        say(f"  {self.models:,} models, {self.server.megabytes():,.0f} MB")
        return first

    def _batch(self, *, shuffled: bool) -> Columns:
        rows = self._shuffled() if shuffled else self._in_order()
        days = self._days[rows]
        if len(rows) > self.models:  # the same model again is a day later
            days = days + np.arange(len(rows)) // self.models
        self._days[rows] = days + 1
        targets = self._random.integers(0, 9, len(rows)).astype(np.float64)
        return Columns(
            models=self._names[rows].tolist(),
            targets=targets,  # type: ignore[arg-type]  # any buffer of floats is taken
            date_days=days.tolist(),
        )

    def _in_order(self) -> NDArray[np.int64]:
        rows = np.arange(self._next, self._next + self._batch_rows) % self.models
        self._next = (self._next + self._batch_rows) % self.models
        return rows

    def _shuffled(self) -> NDArray[np.int64]:
        """As many of each model as in order, anywhere."""
        rounds = range(0, self._batch_rows, self.models)
        turns = [self._random.permutation(self.models)[: self._batch_rows] for _ in rounds]
        return np.concatenate(turns)[: self._batch_rows]


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Grows all fleets, then measures them in turn."""
    sizes = [int(size) for size in asked.models.split(",")]
    with ExitStack() as stack:
        fleets = [Fleet(size, asked.batch_rows, stack) for size in sizes]
        first = {str(fleet.models): round(fleet.warm_up(asked.warm_up), 2) for fleet in fleets}
        ordered = in_turn(asked.rounds, *_measures(fleets, asked.batches, shuffled=False))
        shuffled = in_turn(asked.rounds, *_measures(fleets, asked.batches, shuffled=True))
        memory = {str(fleet.models): round(fleet.server.megabytes()) for fleet in fleets}
        placed = engines(fleets[0].client, "shop-0000000")
    return {
        "engines": placed,
        "row_us_in_fleet_order": dict(_by_size(sizes, [spread(each) for each in ordered])),
        "largest_to_smallest_in_fleet_order": ratios(ordered[-1], ordered[0]),
        "at_most": 2.0,
        "row_us_in_random_order": dict(_by_size(sizes, [spread(each) for each in shuffled])),
        "largest_to_smallest_in_random_order": ratios(shuffled[-1], shuffled[0]),
        "row_us_of_the_first_round_which_makes_the_models": first,
        "server_mb": memory,
    }


def _measures(fleets: list[Fleet], batches: int, *, shuffled: bool) -> list[Callable[[], float]]:
    return [partial(fleet.learn, batches, shuffled=shuffled) for fleet in fleets]


def _by_size(sizes: list[int], values: list[Any]) -> Iterator[tuple[str, Any]]:
    return ((str(size), value) for size, value in zip(sizes, values, strict=True))


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--models", default="1000,10000,100000,1000000", help="sizes of the fleets")
    parser.add_argument("--batch-rows", type=int, default=10_000, help="rows of every batch")
    parser.add_argument("--batches", type=int, default=20, help="batches of one measurement")
    parser.add_argument("--rounds", type=int, default=7, help="measurements of every fleet")
    parser.add_argument("--warm-up", type=int, default=6, help="rows learned by each model before")
    asked = parser.parse_args()
    report = {
        "benchmark": "scale",
        "candidates_per_model": 2,
        "batch_rows": asked.batch_rows,
        "batches": asked.batches,
        "rounds": asked.rounds,
        **measure(asked),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
