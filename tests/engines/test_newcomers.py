"""Candidates whose kernel is being compiled run in River, and move when it is there."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from river import compose, linear_model, preprocessing

from tests.engines.twins import DAY, Row, Twins
from thalweg_server.engines.compiled import CompiledEngine
from thalweg_server.engines.compiled.cache import KernelCache
from thalweg_server.engines.compiled.fleet import Fleets
from thalweg_server.engines.compiled.newcomers import BEING_COMPILED, PROMOTED_MAX
from thalweg_server.engines.river import RiverEngine

pytestmark = pytest.mark.timeout(600)


def linear() -> compose.Pipeline:
    """Waits for its features."""
    return preprocessing.MinMaxScaler() | linear_model.LinearRegression()


@pytest.fixture
def twins(tmp_path: Path) -> Twins:
    """An engine that has others compile, and no kernels yet."""
    return Twins(CompiledEngine(RiverEngine(), Fleets(KernelCache(tmp_path))), ())


def rows(models: int, days: range) -> list[Row]:
    """A row a day for each."""
    return [
        Row(model, DAY + day, float((day * 7 + model) % 5), {"a": float(day % 4), "b": 0.5 * day})
        for day in days
        for model in range(models)
    ]


def wait(twins: Twins) -> None:
    """Until nothing is being compiled."""
    for compilation in twins.engine._fleets.kernels._compilations.values():
        compilation.wait()


def placements(twins: Twins) -> list[tuple[str, str]]:
    """Where each model's candidate runs, and why."""
    return [twins.engine.placement(slot) for slot in twins.slots]


def test_learned_state_moves_to_the_fleet_when_the_kernel_is_there(twins: Twins) -> None:
    """The answers are River's before, on the way and after; so are those of clones."""
    twins.add(linear())
    twins.clone(0)
    begun = time.perf_counter()
    twins.learn(rows(1, range(1)))
    assert time.perf_counter() - begun < 2.0
    assert placements(twins)[0] == ("river", BEING_COMPILED)
    assert placements(twins)[1][0] == "river"
    twins.learn(rows(2, range(1, 20)))
    twins.clone(0)
    wait(twins)
    assert placements(twins) == [("river", BEING_COMPILED)] * 3
    twins.learn(rows(3, range(20, 40)))
    twins.assert_compiled()
    twins.assert_same_state()
    assert len(twins.engine._newcomers) == len(twins.engine._river) == 0


def test_many_candidates_move_a_few_at_a_time(twins: Twins) -> None:
    """One call does not stall for all of them."""
    twins.add(linear())
    models = PROMOTED_MAX + 3
    for _ in range(models - 1):
        twins.clone(0)
    twins.learn(rows(models, range(2)))
    wait(twins)
    twins.learn(rows(models, range(2, 3)))
    assert placements(twins).count(("compiled", "")) == PROMOTED_MAX
    twins.learn(rows(models, range(3, 4)))
    twins.assert_compiled()
    twins.assert_same_state()


def test_a_dropped_candidate_waits_no_longer(twins: Twins) -> None:
    """Its slot may be another candidate's by the time the kernel is there."""
    twins.add(linear())
    twins.learn(rows(1, range(2)))
    twins.engine.drop(twins.slots)
    twins.slots.clear()
    twins.rivers.clear()
    wait(twins)
    twins.add(linear_model.LinearRegression(l1=0.1))
    twins.learn(rows(1, range(9)))
    assert "l1" in placements(twins)[0][1]
    assert len(twins.engine._newcomers) == 0


def test_a_failed_compilation_leaves_all_to_river_and_says_why(
    twins: Twins, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No clone starts it again."""

    def fail(self: Any) -> str:
        return "its kernel could not be compiled: no luck"

    monkeypatch.setattr("thalweg_server.engines.compiled.compiling.Compilation._run_child", fail)
    twins.add(linear())
    for _ in range(3):
        twins.clone(0)
    twins.learn(rows(2, range(1)))
    wait(twins)
    monkeypatch.undo()
    twins.learn(rows(4, range(1, 9)))
    assert placements(twins) == [("river", "its kernel could not be compiled: no luck")] * 4
    assert len(twins.engine._newcomers) == 0
