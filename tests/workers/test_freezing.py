"""Records in a snapshot: all of them come back, and no worker is asked."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator

import pytest

from tests.estimators import linear
from tests.parts import Parts
from tests.workers.conftest import LESSONS_MAX, limits
from tests.workers.driving import Twins, ask, kill_all, learn, load, processes
from tests.workers.misbehaving import Misbehaving, Unpicklable
from thalweg_server.core.observation import Context, Flavor
from thalweg_server.core.policy import Origin, Policy
from thalweg_server.workers import WorkerEngine, Zygote
from thalweg_server.workers.freezing import freeze_records, thaw_records
from thalweg_server.workers.records import Base, Record

A, B = Origin(Policy.TRUSTED, "a"), Origin(Policy.SAFE, "böser Onkel")


@pytest.fixture
def thawed(zygote: Zygote) -> Iterator[WorkerEngine]:
    """An engine that takes a snapshot over."""
    engine = WorkerEngine(zygote, limits())
    yield engine
    engine.close()


def records() -> dict[int, Record]:
    """Of every kind: shared bases, no lessons, long ones, quarantine."""
    base = Base(3, b"upload", "trusted", strikes=2)
    lessons = [b"one", b"", b"three" * 1_000]
    first = Record(base, Flavor.REGRESSION, (Context.ID, Context.DATE), A, strikes=1)
    for lesson in lessons:
        first.learned(lesson)
    second = first.copy()
    second.learned(b"more")
    second.due = 40
    third = Record(Base(7, b"", "checkpoint"), Flavor.MULTICLASS, (), B, quarantined="mad, näh")
    return {0: first, 9: second, 4: third, 5: third.copy()}


def test_records_come_back_as_they_were() -> None:
    """In their order, with all they have; and the numbers to go on from."""
    parts, given = Parts(), records()
    freeze_records(given, 12, 8, parts)
    thawed, next_slot, next_base = thaw_records(parts)
    assert (next_slot, next_base) == (12, 8)
    assert list(thawed) == list(given)
    assert thawed == given
    assert thawed[0].base is thawed[9].base
    assert thawed[4].base is thawed[5].base
    assert thawed[9].lesson_bytes == sum(map(len, given[9].lessons))


def test_no_records_come_back() -> None:
    """An engine without candidates has a snapshot as well."""
    parts = Parts()
    freeze_records({}, 5, 6, parts)
    assert thaw_records(parts) == ({}, 5, 6)


def test_a_base_is_written_once() -> None:
    """However many candidates begin with it, and however many snapshots there are."""
    first, given = Parts(), records()
    freeze_records(given, 12, 8, first)
    assert sorted(first.made) == ["3", "7"]
    given[9].rebase(Base(8, b"new", "checkpoint"))
    second = Parts(first)
    freeze_records(given, 12, 9, second)
    assert second.made == ["8"]
    assert thaw_records(second)[0] == given


def test_an_engine_goes_on_from_a_snapshot(engine: WorkerEngine, thawed: WorkerEngine) -> None:
    """Bit by bit, with clones, bases that workers wrote, and what cannot be written."""
    twins = Twins(engine)
    first = twins.add(linear())
    twins.learn([first] * 4, [{"a": float(n)} for n in range(4)], [1.0, 2.0, 3.0, 4.0])
    twins.clone(first)
    twins.learn([first] * 2, [{"b": 1.0}] * 2, [1.0, 2.0])
    twins.add(Unpicklable())
    parts = Parts()
    engine.freeze(parts)
    thawed.thaw(parts)
    assert thawed.vitals.workers == 0
    twins.engine = thawed
    for twin in twins.twins:
        twins.learn([twin] * LESSONS_MAX, [{"a": 2.0}] * LESSONS_MAX, [1.5] * LESSONS_MAX)
    twins.ask(twins.twins[:2], [{"a": 3.0}] * 2)
    assert load(thawed, linear()).slot == 3
    assert len(thawed) == 4


def test_strikes_and_quarantine_are_remembered(engine: WorkerEngine, thawed: WorkerEngine) -> None:
    """As is how often clones of a template were stopped."""
    template = load(engine, Misbehaving("leave")).slot
    mad = load(engine, Misbehaving()).slot
    clones = [engine.clone(template) for _ in range(3)]
    for clone in clones[:2]:
        ask(engine, clone, {"bad": True})
    engine.quarantine(mad, "it is mad")
    parts = Parts()
    engine.freeze(parts)
    thawed.thaw(parts)
    assert thawed.health(mad).quarantined == "it is mad"
    assert [thawed.health(clone).strikes for clone in clones] == [1, 1, 0]
    assert thawed.vitals.quarantined == 1
    assert "(strike 1 of 3)" in ask(thawed, clones[2], {"bad": True}).error
    assert ask(thawed, clones[0]).error.startswith("Quarantined: candidates that begin as it did")


def test_a_forked_process_can_write_a_snapshot(engine: WorkerEngine, thawed: WorkerEngine) -> None:
    """It needs no worker: here there is none any more, and none can be had."""
    twins = Twins(engine)
    twin = twins.add(linear())
    twins.learn([twin] * 3, [{"a": 1.0}] * 3, [1.0, 2.0, 3.0])
    before = processes(engine)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            engine._house._zygote = None  # type: ignore[assignment]
            parts = Parts()
            engine.freeze(parts)
            os.write(writer, pickle.dumps(parts))
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with open(reader, "rb") as pipe:  # noqa: PTH123
        parts = pickle.load(pipe)
    assert os.waitpid(child, 0)[1] == 0
    assert processes(engine) == before
    thawed.thaw(parts)
    twins.engine = thawed
    twins.assert_same_state()
    kill_all(engine)
    twins.engine = engine
    twins.assert_same_state()


def test_learning_after_a_snapshot_leaves_it_as_it_is(engine: WorkerEngine) -> None:
    """A copy of a record is a record of its own."""
    slot = load(engine, Misbehaving()).slot
    learn(engine, [slot], [{}], None)
    clone = engine.clone(slot)
    parts = Parts()
    engine.freeze(parts)
    learn(engine, [slot, clone, clone], [{}] * 3, None)
    assert [len(record.lessons) for record in thaw_records(parts)[0].values()] == [1, 1]
    assert [len(engine._records[each].lessons) for each in (slot, clone)] == [2, 3]
