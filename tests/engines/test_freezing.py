"""Engines that were frozen and thawed go on with River's own bits, under the same slots."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from river import (
    compose,
    dummy,
    feature_extraction,
    linear_model,
    neighbors,
    preprocessing,
    stats,
    tree,
    utils,
)

from tests.engines.conftest import MakeEngine
from tests.engines.teaching import rows
from tests.engines.twins import DAY, Row, Twins
from tests.parts import Parts
from thalweg_server.core.errors import CorruptStorage
from thalweg_server.core.observation import Flavor, Question
from thalweg_server.core.ports import Engine, NotReady
from thalweg_server.engines.compiled import CompiledEngine
from thalweg_server.engines.compiled.block import ROWS_FIRST
from thalweg_server.engines.compiled.blueprint import blueprint_of, identity
from thalweg_server.engines.compiled.cache import KernelCache
from thalweg_server.engines.compiled.composer import Composer
from thalweg_server.engines.compiled.errors import Unlowerable
from thalweg_server.engines.compiled.fleet import Fleets
from thalweg_server.engines.compiled.newcomers import BEING_COMPILED, PROMOTED_MAX
from thalweg_server.engines.compiled.plan import make_plan
from thalweg_server.engines.compiled.steps.base import Inputs
from thalweg_server.engines.river import RiverEngine

pytestmark = pytest.mark.timeout(600)  # a kernel's first compilation takes a while


def linear() -> compose.Pipeline:
    """Waits for its features."""
    return preprocessing.StandardScaler() | linear_model.LinearRegression()


def nearest(neighbours: int = 3) -> compose.Pipeline:
    """Keeps targets in four bytes each where they fit."""
    return compose.Select("a", "b") | neighbors.KNNRegressor(
        n_neighbors=neighbours, engine=neighbors.LazySearch(window_size=10)
    )


def by_shop() -> compose.Pipeline:
    """Keeps a dictionary of texts, and has room for a few groups at first."""
    last = utils.Rolling(stats.Mean, window_size=3)
    return compose.Pipeline(
        feature_extraction.TargetAgg(by=["shop"], how=last), linear_model.LinearRegression()
    )


def frozen(engine: Engine, previous: Parts | None = None) -> Parts:
    """What the engine writes."""
    parts = Parts(previous)
    engine.freeze(parts)
    return parts


def reborn(twins: Twins, make_engine: MakeEngine) -> None:
    """Goes on with another engine that knows what this one wrote."""
    parts = frozen(twins.engine)
    twins.engine = make_engine()
    twins.engine.thaw(parts)
    again = frozen(twins.engine)
    assert {n: a.tobytes() for n, a in again.arrays.items()} == {
        n: a.tobytes() for n, a in parts.arrays.items()
    }
    assert again.bytes == parts.bytes
    assert again.dumps.keys() == parts.dumps.keys()
    ours = [name for name in parts.dumps if not name.startswith("river/")]
    assert [again.dumps[name] for name in ours] == [parts.dumps[name] for name in ours]


@pytest.fixture
def twins(engine: CompiledEngine) -> Twins:
    """No models yet."""
    return Twins(engine, ())


def test_fleets_go_on_where_they_were(twins: Twins, make_engine: MakeEngine) -> None:
    """Several fleets, more rows than there is room for at first, rows of both widths."""
    for make in (linear, nearest, lambda: nearest(5), by_shop):
        twins.add(make())
    for _ in range(ROWS_FIRST + 3):
        twins.clone(1)
    taught = [row for model in (1, 2) for row in rows(15, seed=model, names="ab", model=model)]
    whole = [Row(row.model, row.day, float(round(row.target)), row.features) for row in taught]
    shops = [Row(3, DAY + n, float(n % 5), {"shop": f"shop {n % 4}"}) for n in range(12)]
    twins.learn(rows(20, names="abcd"))
    twins.learn(whole)
    twins.learn(shops)
    twins.learn([Row(2, DAY, 0.1, {"a": 1.0, "b": 2.0})])  # does not fit a narrow row
    twins.assert_compiled()
    for batch in range(3):
        reborn(twins, make_engine)
        twins.assert_same_state()
        twins.assert_compiled()
        twins.learn(rows(9, seed=batch, names="abcd"))
        for model in (1, 2, 40):
            twins.learn(rows(5, seed=batch, names="ab", model=model))
        more = [Row(3, DAY, float(n), {"shop": f"shop {n + 3 * batch}"}) for n in range(9)]
        twins.learn(more)
        twins.ask(more)
        twins.clone(batch)
    twins.assert_same_state()


def test_rows_that_were_dropped_are_given_out_again(twins: Twins, make_engine: MakeEngine) -> None:
    """In the same order, in the engine and in its fleets."""
    twins.add(nearest())
    twins.learn(rows(5, names="ab"))
    for _ in range(6):
        twins.clone(0)
    for model in (2, 5, 3):
        twins.engine.drop([twins.slots[model]])
    old = twins.engine
    reborn(twins, make_engine)
    assert len(twins.engine) == len(old) == 4
    for _ in range(5):
        assert twins.engine.clone(0) == old.clone(0)
    slots = [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert [twins.engine._places.of(slot) for slot in slots] == [
        old._places.of(slot) for slot in slots
    ]


def test_what_waits_for_its_features_waits_on(twins: Twins, make_engine: MakeEngine) -> None:
    """Clones that wait with it go to the fleet that others of them went to."""
    twins.add(linear())
    twins.clone(0)
    twins.clone(0)
    twins.learn(rows(4))
    reborn(twins, make_engine)
    assert twins.engine.placement(twins.slots[1])[0] == "river"
    twins.learn(rows(4, model=1))
    reborn(twins, make_engine)
    twins.learn(rows(4, names="abc", model=2))
    twins.assert_compiled()
    twins.assert_same_state()
    assert not twins.engine._lowering.waiting


def test_what_river_runs_is_there_with_its_reason(twins: Twins, make_engine: MakeEngine) -> None:
    """An unsupported step, and a row that does not fit."""
    twins.add(tree.HoeffdingTreeRegressor(grace_period=3))
    twins.add(dummy.StatisticRegressor(stats.Mean()))
    twins.add(linear())
    twins.learn(rows(30))
    twins.learn(rows(3, model=2))
    twins.learn(rows(3, names="xy", model=2))
    placements = [twins.engine.placement(slot) for slot in twins.slots]
    assert "not known" in placements[0][1]
    reborn(twins, make_engine)
    assert [twins.engine.placement(slot) for slot in twins.slots] == placements
    for model in range(3):
        twins.learn(rows(30, seed=2, model=model))
    twins.assert_same_state(ignoring=("_plan", "_rng"))


def test_what_waits_for_its_kernel_moves_when_it_is_there(tmp_path: Path) -> None:
    """The new server asks for the kernel anew, and for nobody twice."""
    twins = Twins(CompiledEngine(RiverEngine(), Fleets(KernelCache(tmp_path / "old"))), ())
    twins.add(linear())
    models = PROMOTED_MAX + 2
    for _ in range(models - 1):
        twins.clone(0)
    twins.learn([row for model in range(models) for row in rows(3, model=model)])
    assert twins.engine.placement(twins.slots[0]) == ("river", BEING_COMPILED)
    parts = frozen(twins.engine)
    twins.engine.close()
    kernels = KernelCache(tmp_path)
    twins.engine = CompiledEngine(RiverEngine(), Fleets(kernels))
    twins.engine.thaw(parts)
    for _ in range(2):
        twins.learn([row for model in range(models) for row in rows(3, model=model)])
    assert twins.engine.placement(twins.slots[0]) == ("river", BEING_COMPILED)
    assert len(kernels._compilations) == 1
    for compilation in kernels._compilations.values():
        compilation.wait()
    for _ in range(2):
        twins.learn([row for model in range(models) for row in rows(3, model=model)])
    twins.assert_compiled()
    twins.assert_same_state()
    twins.engine.close()


def test_a_server_without_the_kernels_waits_for_them(
    twins: Twins, make_engine: MakeEngine, tmp_path: Path
) -> None:
    """And has taken nothing over meanwhile; then it takes over all."""
    twins.add(linear_model.LinearRegression())
    twins.learn(rows(5))
    twins.assert_compiled()
    parts = frozen(twins.engine)
    twins.engine = CompiledEngine(RiverEngine(), Fleets(KernelCache(tmp_path)))
    for _ in range(2):
        with pytest.raises(NotReady) as raised:
            twins.engine.thaw(parts)
        assert len(twins.engine) == len(twins.engine._fleets) == 0
    raised.value.wait()
    twins.engine.thaw(parts)
    twins.learn(rows(5, seed=3))
    twins.assert_compiled()
    twins.engine.close()


def test_a_kernel_that_cannot_be_had_is_told(
    twins: Twins, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The state is not lost: another start may have it."""

    def fail(self: Any) -> str:
        return "no luck"

    monkeypatch.setattr("thalweg_server.engines.compiled.compiling.Compilation._run_child", fail)
    twins.add(linear_model.LinearRegression())
    twins.learn(rows(1))
    parts = frozen(twins.engine)
    other = CompiledEngine(RiverEngine(), Fleets(KernelCache(tmp_path)))
    with pytest.raises(NotReady) as raised:
        other.thaw(parts)
    raised.value.wait()
    with pytest.raises(CorruptStorage, match="cannot be had: no luck"):
        other.thaw(parts)
    other.close()


def test_rows_for_another_kernel_are_refused(
    twins: Twins, make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their words might mean something else to it."""
    twins.add(linear_model.LinearRegression())
    twins.learn(rows(2))
    parts = frozen(twins.engine)
    source = Composer.source
    monkeypatch.setattr(Composer, "source", lambda self: source(self) + "\n# of another version\n")
    with pytest.raises(CorruptStorage, match="written by another version"):
        make_engine().thaw(parts)


@pytest.mark.parametrize("part", ["skeletons/0", "dictionaries/0", "prototypes/1"])
def test_bytes_that_do_not_load_are_told(twins: Twins, make_engine: MakeEngine, part: str) -> None:
    """With what is to be done. A pickle is one of them."""
    twins.add(linear_model.LinearRegression())
    twins.learn(rows(2))
    twins.add(linear())
    parts = frozen(twins.engine)
    parts.bytes[part] = pickle.dumps(linear_model.LinearRegression())
    with pytest.raises(CorruptStorage, match=r"does not load: .*delete the snapshot"):
        make_engine().thaw(parts)


def test_nothing_of_its_own_is_a_pickle(
    twins: Twins, make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fleets, what waits, texts and groups: a snapshot is read without running anything in it."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("unpickled")

    for make in (by_shop, linear, nearest):
        twins.add(make())
    twins.learn([Row(0, DAY, float(n), {"shop": f"shop {n}"}) for n in range(12)])
    twins.learn(rows(9, names="ab", model=2))
    for name in ("pickle.loads", "pickle.load", "pickle.Unpickler", "dill.loads", "dill.dumps"):
        monkeypatch.setattr(name, refuse)
    reborn(twins, make_engine)
    assert [twins.engine._places.of(slot)[0] >= 0 for slot in twins.slots] == [True, False, True]
    assert twins.engine._fleets[2].plan.coding.dictionary.values[0] == "shop 0"


def test_what_a_snapshot_cannot_hold_does_not_wait(twins: Twins) -> None:
    """It runs in River, and says why."""
    pipeline = linear()
    pipeline["StandardScaler"].note = "mine"
    kept = compose.Pipeline(preprocessing.StandardScaler(), linear_model.LinearRegression())
    kept.note = "mine"
    for estimator in (pipeline, kept):
        twins.add(estimator)
    placements = [twins.engine.placement(slot) for slot in twins.slots]
    assert [engine for engine, _ in placements] == ["river", "river"]
    assert all("'note'" in reason for _, reason in placements)
    assert not twins.engine._lowering.waiting


def test_a_clone_that_would_be_another_is_left_to_river(twins: Twins) -> None:
    """River's clone forgets a setting that no argument of the constructor says."""
    scaled = preprocessing.TargetStandardScaler(linear_model.LinearRegression())
    scaled.var = stats.Var(ddof=0)
    twins.add(scaled)
    twins.learn(rows(5))
    assert "its clone is another" in twins.engine.placement(twins.slots[0])[1]


def test_a_select_keeps_the_order_that_its_rows_have() -> None:
    """Another process has another order of sets: rows would be taken for other features."""
    sets = ([*{"a", f"b{n}"}] for n in range(99))
    names = next(each for each in sets if [*{*each}] == each)  # a copy has the same order
    pipeline = compose.Select(*names) | linear_model.LinearRegression()
    blueprint = blueprint_of(make_plan(pipeline, Inputs(raw=True)), pipeline.clone())
    (order,) = blueprint.orders
    turned = dataclasses.replace(blueprint, orders=(order[::-1],))
    for each in (blueprint, turned):
        plan, _ = each.build()
        assert plan.leaves[0].step.outputs == plan.leaves[1].step.inputs == each.orders[0]
    assert identity(blueprint.build()[0]) != identity(turned.build()[0])


@pytest.mark.parametrize("room", [0, 7, 33, 1 << 40])
def test_a_room_that_no_candidate_has_is_refused(room: int) -> None:
    """It would be memory that somebody else asked for."""
    plan = make_plan(by_shop(), Inputs(("shop",), raw=True, text=frozenset({"shop"})))
    blueprint = blueprint_of(plan, by_shop())
    assert blueprint.rooms == (8,)
    wide, _ = dataclasses.replace(blueprint, rooms=(32,)).build()
    assert identity(wide) != identity(plan)
    with pytest.raises(Unlowerable, match=r"no room|groups"):
        dataclasses.replace(blueprint, rooms=(room,)).build()


@pytest.mark.parametrize("kind", ["river", "compiled"])
def test_only_what_has_learned_is_dumped_again(kind: str, make_engine: MakeEngine) -> None:
    """Nor what a prediction has asked; and all goes on from what was copied."""
    make: Callable[[], Engine] = RiverEngine if kind == "river" else make_engine
    prefix = "" if kind == "river" else "river/"
    twins = Twins(make(), ())  # type: ignore[arg-type]
    for model in range(4):
        twins.add(tree.HoeffdingTreeRegressor())
        twins.learn(rows(3, model=model))
    first = frozen(twins.engine)
    assert first.made == [f"{prefix}{slot}" for slot in range(4)]
    twins.learn(rows(1, model=2))
    twins.engine.predict(twins.slots, [Question("m", DAY, {"a": 1.0})] * 4)
    twins.clone(1)
    twins.engine.drop([twins.slots[3]])
    second = frozen(twins.engine, first)
    assert second.made == [f"{prefix}2", f"{prefix}4"]
    assert list(second.dumps) == [f"{prefix}{slot}" for slot in (0, 1, 2, 4)]
    assert frozen(twins.engine, second).made == []
    thawed = make()
    thawed.thaw(second)
    assert frozen(thawed, second).made == []
    twins.engine = thawed  # type: ignore[assignment]
    del twins.slots[3], twins.rivers[3]
    twins.learn(rows(4, model=3))
    assert frozen(thawed, second).made == [f"{prefix}4"]
    assert thawed.clone(twins.slots[0]) == (5 if kind == "river" else 3)


def test_a_learn_that_raises_counts_as_a_change() -> None:
    """It may have changed a part of the estimator before."""
    twins = Twins(RiverEngine(), ())  # type: ignore[arg-type]
    twins.add(linear())
    first = frozen(twins.engine)
    twins.learn([Row(0, DAY, 1.0, {"a": "oops"})])
    assert frozen(twins.engine, first).made == ["0"]


def test_a_classifier_that_was_found_out_stays_so() -> None:
    """One whose probabilities turned out not to be implemented is not asked for them again."""
    engine, thawed = RiverEngine(), RiverEngine()
    slot = engine.adopt(dummy.NoChangeClassifier(), Flavor.BINARY, ())
    engine._cells[slot].probabilistic, engine._cells[slot].own_label = False, True
    thawed.thaw(frozen(engine))
    cell = thawed._cells[slot]
    assert (cell.probabilistic, cell.own_label, cell.flavor) == (False, True, Flavor.BINARY)


def test_nothing_is_frozen_and_thawed_as_nothing(make_engine: MakeEngine) -> None:
    """An engine that was never used."""
    for make in (RiverEngine, make_engine):
        thawed = make()
        thawed.thaw(frozen(make()))
        assert len(thawed) == 0


def test_a_full_dictionary_stays_full(twins: Twins, make_engine: MakeEngine) -> None:
    """Codes are as they were, and none is given to a text twice."""
    twins.add(by_shop())
    twins.learn([Row(0, DAY, float(n), {"shop": f"shop {n}"}) for n in range(5)])
    dictionary = twins.engine._fleets[0].plan.coding.dictionary
    dictionary.full = True
    reborn(twins, make_engine)
    other = twins.engine._fleets[0].plan.coding.dictionary
    assert other is not dictionary
    assert other == dictionary
    assert other is twins.engine._fleets[0].plan.leaves[0].step._coding.dictionary  # type: ignore[attr-defined]
    assert np.isfinite(other.find("shop 3"))
