"""Candidates outlive their workers: what they have learned is repeated, or was written down."""

from __future__ import annotations

import math
import os
import signal
import threading

import dill
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from river import (
    compose,
    dummy,
    forest,
    stats,
)

from tests.estimators import linear
from tests.parts import Parts
from tests.workers.conftest import LESSONS_MAX, MakeEngine, limits
from tests.workers.driving import (
    TRUSTED,
    Twins,
    ask,
    kill_all,
    learn,
    load,
    processes,
    wait_until_gone,
)
from tests.workers.misbehaving import Slow, Unpicklable
from tests.workers.samples import NO_STATE, REGRESSORS, SEED, numbers, rows
from thalweg_server.core.errors import EstimatorFailed
from thalweg_server.workers import WorkerEngine, Zygote

# --- Bases made anew --------------------------------------------------------------------------


@pytest.mark.parametrize("name", REGRESSORS)
def test_checkpoints_keep_every_bit(name: str, engine: WorkerEngine) -> None:
    """What is made from them goes on as what they were made of."""
    twins, xs = Twins(engine), rows(40)
    twin = twins.add(REGRESSORS[name])
    for start in range(0, 40, LESSONS_MAX):
        part = xs[start : start + LESSONS_MAX]
        twins.learn([twin] * LESSONS_MAX, part, numbers(part))
        assert engine._records[twin.slot].lessons == []
        kill_all(engine)
    twins.assert_same_state(ignoring=NO_STATE)


def test_a_base_is_made_anew_when_lessons_are_many(engine: WorkerEngine) -> None:
    """And not before."""
    twins = Twins(engine)
    twin = twins.add(linear())
    record = engine._records[twin.slot]
    base = record.base
    twins.learn([twin] * (LESSONS_MAX - 1), rows(4), [1.0] * 4)
    assert (record.base, len(record.lessons)) == (base, LESSONS_MAX - 1)
    twins.learn([twin], rows(1), [1.0])
    assert record.base.number > base.number
    assert (record.lessons, record.lesson_bytes) == ([], 0)


def test_a_function_by_value_is_kept(engine: WorkerEngine) -> None:
    """What pickle cannot hold is written by dill."""
    twins, xs = Twins(engine), rows(20)
    twin = twins.add(compose.FuncTransformer(lambda x: {"d": x["a"] * 2.0}) | linear())
    for start in range(0, 20, LESSONS_MAX):
        part = xs[start : start + LESSONS_MAX]
        twins.learn([twin] * LESSONS_MAX, part, numbers(part))
        kill_all(engine)
    assert engine._records[twin.slot].lessons == []
    twins.ask([twin], xs[:1])


def test_what_cannot_be_written_down_learns_on(engine: WorkerEngine) -> None:
    """Its lessons grow, and writing is tried each time that they have doubled."""
    slot = load(engine, Unpicklable()).slot
    with pytest.raises(EstimatorFailed) as failure:
        learn(engine, [slot], [{}], [0.0])
        engine.dump(slot)
    assert failure.value.message.startswith("the estimator cannot be serialised: TypeError: ")
    engine._records[slot].lessons.clear()
    record = engine._records[slot]
    due = []
    for _ in range(6):
        learn(engine, [slot] * LESSONS_MAX, [{}] * LESSONS_MAX, None)
        due.append(record.due)
    assert len(record.lessons) == 6 * LESSONS_MAX
    assert due == [10, 20, 20, 40, 40, 40]
    kill_all(engine)
    assert learn(engine, [slot], [{}], None).values.tolist() == [6.0 * LESSONS_MAX]
    assert engine.health(slot).strikes == 0


def test_lessons_that_take_long_are_repeated_all_the_same(make_engine: MakeEngine) -> None:
    """What is made again may take its time for each of them, not for all together."""
    engine = make_engine(lessons_max=100)
    slot = load(engine, Slow(0.1)).slot
    for _ in range(12):  # 1.2 s of work, where half a second is a loader's patience
        learn(engine, [slot], [{}], None)
    kill_all(engine)
    outcomes = learn(engine, [slot], [{}], None)
    assert outcomes.errors == {}
    assert outcomes.values.tolist() == [12.0]


# --- Workers that end -------------------------------------------------------------------------


def test_a_worker_that_dies_at_rest_is_nobodys_fault(engine: WorkerEngine) -> None:
    """It is replaced, and nobody hears of it."""
    twins = Twins(engine)
    twin = twins.add(linear())
    for x in rows(7):
        twins.learn([twin], [x], [1.0])
        kill_all(engine)
        twins.ask([twin], [x])
    assert engine.vitals.replaced == 7
    assert engine.health(twin.slot).strikes == 0


def test_a_worker_that_dies_at_work_costs_one_row(make_engine: MakeEngine) -> None:
    """The one that it was at; all others are learned once, and in order."""
    engine = make_engine(lessons_max=1_000)
    slots = [load(engine, Slow(0.002)).slot for _ in range(2)]
    learn(engine, slots, [{}, {}], None)
    (process,) = processes(engine).values()
    killer = threading.Timer(0.2, lambda: os.kill(process, signal.SIGKILL))
    killer.start()
    targets = [float(n % 13) for n in range(400)]
    outcomes = learn(engine, slots * 200, [{}] * 400, targets)
    killer.join()
    wait_until_gone(process)
    (lost,) = outcomes.unlearned
    assert outcomes.errors == {lost: "its worker was ended by SIGKILL (strike 1 of 3)"}
    for number, slot in enumerate(slots):
        kept = [targets[n] for n in range(number, 400, 2) if n != lost]
        assert dill.loads(engine.dump(slot)).total == 1.0 + math.fsum(kept)


def test_a_worker_that_has_grown_is_replaced(make_engine: MakeEngine) -> None:
    """Between two calls; what it held is made again."""
    engine = make_engine(memory_bytes=96 << 20, lessons_max=10_000)
    model = dummy.StatisticRegressor(stats.Mean())
    model.ballast = bytes(1 << 20)
    template = load(engine, model).slot
    clones = [engine.clone(template) for _ in range(60)]
    learn(engine, clones, [{}] * 60, None)
    for slot in clones:
        assert ask(engine, slot).value == 1.0
    assert engine.vitals.replaced > 0
    engine.drop(clones[1:])
    assert learn(engine, clones[:1], [{}], None).values.tolist() == [1.0]


STEPS = st.one_of(
    st.tuples(st.just("learn"), st.integers(0, 9), st.integers(1, 4)),
    st.tuples(st.just("ask"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("clone"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("drop"), st.integers(0, 9), st.just(0)),
    st.tuples(st.just("kill"), st.just(0), st.just(0)),
    st.tuples(st.just("restart"), st.just(0), st.just(0)),
)


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEPS, min_size=4, max_size=12))
def test_any_history_is_that_of_an_undisturbed_loop(
    steps: list[tuple[str, int, int]], zygote: Zygote
) -> None:
    """Learning, asking, copying and dropping, while workers and servers come and go."""
    engine = WorkerEngine(zygote, limits(lessons_max=3))
    twins, xs = Twins(engine), rows(200)
    source = iter(range(200))
    for model in (linear(), forest.ARFRegressor(n_models=2, seed=SEED)):
        twins.add(model)
    try:
        for kind, which, count in steps:
            twin = twins.twins[which % len(twins.twins)] if twins.twins else None
            if kind == "kill":
                kill_all(twins.engine)
            elif kind == "restart":
                twins.engine = _restarted(twins.engine, zygote)
            elif twin is None:
                continue
            elif kind == "learn":
                both = [twin, twins.twins[0]] * count
                part = [xs[next(source)] for _ in both]
                twins.learn(both, part, numbers(part))
            elif kind == "ask":
                twins.ask([twin], [xs[0]])
            elif kind == "clone":
                twins.clone(twin)
            else:
                twins.drop(twin)
        twins.assert_same_state(ignoring=NO_STATE)
    finally:
        twins.engine.close()


def _restarted(engine: WorkerEngine, zygote: Zygote) -> WorkerEngine:
    parts = Parts()
    engine.freeze(parts)
    engine.close()
    thawed = WorkerEngine(zygote, limits(lessons_max=3))
    thawed.thaw(parts)
    return thawed


def test_uploaders_are_remembered_in_a_snapshot(engine: WorkerEngine, zygote: Zygote) -> None:
    """As is the policy that an upload is loaded by."""
    slot = load(engine, linear(), origin=TRUSTED).slot
    thawed = _restarted(engine, zygote)
    ask(thawed, slot, {"a": 1.0})
    assert set(processes(thawed)) == {"trusted:tester"}
    thawed.close()
