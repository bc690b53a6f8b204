"""Candidates of many items in a compiled engine of this process."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

import dill
import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.observation import Batch, Context, Flavor, Names
from thalweg_server.core.ports import NotReady
from thalweg_server.engines.compiled import CompiledEngine
from thalweg_server.engines.compiled.cache import KernelCache
from thalweg_server.engines.compiled.fleet import Fleet, Fleets
from thalweg_server.engines.river import RiverEngine


class Compiled:
    """Models of some items, each with every candidate.

    Args:
        make: makes each candidate.
        ids: the items.

    Attributes:
        slots: items by candidates, the engine's numbers for them.
        engine_seconds: what learning has taken so far,
        kernel_seconds: and how much of it was spent in the compiled kernels.
    """

    def __init__(self, make: Mapping[str, Callable[[], Any]], ids: list[str]) -> None:
        self.engine_seconds = self.kernel_seconds = 0.0
        self._engine = CompiledEngine(RiverEngine(), Fleets(KernelCache(patient=True)))
        templates = [self._load(each()) for each in make.values()]
        self._ids = Names(ids)
        self.slots = np.array([[self._engine.clone(slot) for slot in templates] for _ in ids])
        for number in range(len(self._engine._fleets)):
            self._time(self._engine._fleets[number])

    def learn(self, day: int, units: NDArray[np.float64]) -> NDArray[np.float64]:
        """Every item learns a day's units; returns items by candidates what was predicted."""
        items = np.arange(len(self._ids), dtype=np.int32)
        days = np.full(len(items), day, np.int32)
        batch = Batch(names=self._ids, index=items, days=days, targets=units)
        start = time.perf_counter()
        values = np.empty(self.slots.shape)
        for candidate, slots in enumerate(self.slots.T):
            outcomes = self._engine.learn(np.ascontiguousarray(slots), items, batch)
            assert not outcomes.unlearned, outcomes.errors
            values[:, candidate] = outcomes.values
        self.engine_seconds += time.perf_counter() - start
        return values

    def placements(self) -> dict[str, int]:
        """How many candidates run in which engine, as `engine` or `engine: why no other`."""
        found: dict[str, int] = {}
        for slot in self.slots.flat:
            where = ": ".join(filter(None, self._engine.placement(int(slot))))
            found[where] = found.get(where, 0) + 1
        return found

    def _load(self, estimator: Any) -> int:
        payload = dill.dumps(estimator, recurse=True)
        while True:
            try:
                return self._engine.load(payload, Flavor.REGRESSION, (Context.DATE,)).slot
            except NotReady as not_ready:
                not_ready.wait()

    def _time(self, fleet: Fleet) -> None:
        """Has the fleet's kernel add up the time that it takes."""
        run = fleet.kernel.run

        def timed(*arguments: Any) -> None:
            start = time.perf_counter()
            run(*arguments)
            self.kernel_seconds += time.perf_counter() - start

        fleet.kernel = dataclasses.replace(fleet.kernel, run=timed)
