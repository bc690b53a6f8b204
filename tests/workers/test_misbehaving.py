"""A candidate that misbehaves gets an error and a strike; all others go on as if it were not."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from tests.estimators import linear
from tests.workers.conftest import MakeEngine
from tests.workers.driving import TRUSTED, Twin, Twins, ask, learn, load, processes
from tests.workers.misbehaving import Misbehaving, MisbehavingCopied
from thalweg_server import jail
from thalweg_server.config import Patience
from thalweg_server.core.errors import BadPayload, EstimatorFailed
from thalweg_server.core.observation import NO_DAY, Flavor, Question
from thalweg_server.core.policy import Origin, Policy
from thalweg_server.core.ports import Answer
from thalweg_server.workers import WorkerEngine, Zygote


@dataclass(frozen=True, slots=True)
class Kind:
    """What comes of a way to misbehave.

    Args:
        how: the way.
        text: what the error says.
        ends: whether the worker has to be replaced,
        strikes: and whether it counts: what any estimator may raise does not.
        system: whether it is the jail that keeps it from happening.
    """

    how: str
    text: str
    ends: bool = True
    strikes: bool = True
    system: bool = False


KINDS = (
    Kind("loop", "it took longer than 0.25 s of work and was stopped"),
    Kind("sleep", "it took longer than 0.5 s and was stopped"),
    Kind("segfault", "its worker was ended by SIGSEGV"),
    Kind("bomb", "MemoryError"),
    Kind("hoard", "MemoryError"),
    Kind("leave", "its worker ended with status 3"),
    Kind("exit_politely", "SystemExit: enough", ends=False),
    Kind("interrupt", "KeyboardInterrupt", ends=False),
    Kind("recurse", "RecursionError: maximum recursion depth exceeded", ends=False),
    Kind("recurse_in_c", "RecursionError: maximum recursion depth exceeded", ends=False),
    Kind("panic", "PanicException: called `Result::unwrap()`", ends=False),
    Kind("read_file", "PermissionError", ends=False, strikes=False, system=True),
    Kind("fork", "PermissionError", ends=False, strikes=False, system=True),
    Kind("signal_itself", "PermissionError", ends=False, strikes=False, system=True),
    Kind("fail", "ValueError: not today", ends=False, strikes=False),
)

BAD, GOOD = {"bad": True}, {"bad": False}

needs_jail = pytest.mark.skipif(
    bool(jail.abilities().missing),
    reason=f"this kernel lacks {', '.join(jail.abilities().missing)}",
)

every_kind = pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, id=kind.how, marks=(pytest.mark.system, needs_jail) * kind.system)
        for kind in KINDS
    ],
)


def engine_for(kind: Kind, make_engine: MakeEngine) -> WorkerEngine:
    """An engine with as much patience as a kind needs to be told from the others."""
    if kind.how == "sleep":
        short = Patience(cpu_seconds=20.0, wall_seconds=0.5)
        return make_engine(call=short, loading=short)
    if kind.how == "hoard":  # the kernel takes its time to give so much
        long = Patience(cpu_seconds=20.0, wall_seconds=60.0)
        return make_engine(call=long, loading=long)
    return make_engine(loading=Patience(cpu_seconds=0.25, wall_seconds=20.0))


def neighbour(engine: WorkerEngine) -> tuple[Twins, Twin]:
    """An innocent candidate of the same process, which has learned something."""
    twins = Twins(engine)
    twin = twins.add(linear())
    twins.learn([twin] * 3, [{"a": 1.0}, {"a": 2.0}, {"a": 4.0}], [1.0, 2.0, 3.0])
    return twins, twin


def check_neighbour(twins: Twins, twin: Twin) -> None:
    """It answers as if nothing had been."""
    twins.ask([twin], [{"a": 3.0}])
    twins.learn([twin], [{"a": 3.0}], [1.0])
    twins.assert_same_state()
    assert twins.engine.health(twin.slot).strikes == 0


def check_outcome(engine: WorkerEngine, kind: Kind, slot: int, error: str, before: int) -> None:
    """The error, the strike and the worker are what the kind says."""
    assert kind.text in error
    assert ("(strike 1 of 3)" in error) == kind.strikes
    assert engine.health(slot).strikes == engine.vitals.strikes == int(kind.strikes)
    ask(engine, slot, GOOD)  # a worker is replaced when the next one is wanted
    assert engine.vitals.replaced - before == int(kind.ends)
    assert engine.vitals.workers == 1


@every_kind
def test_in_predict(kind: Kind, make_engine: MakeEngine) -> None:
    """An error; what it learned, and what others learned, is there."""
    engine = engine_for(kind, make_engine)
    twins, twin = neighbour(engine)
    slot = load(engine, Misbehaving(kind.how, "predict")).slot
    learn(engine, [slot] * 2, [GOOD] * 2, [2.0, 3.0])
    before = engine.vitals.replaced
    answer = ask(engine, slot, BAD)
    assert answer.value is None
    check_outcome(engine, kind, slot, answer.error, before)
    assert ask(engine, slot, GOOD).value == 5.0
    check_neighbour(twins, twin)


@every_kind
def test_in_learn(kind: Kind, make_engine: MakeEngine) -> None:
    """An error for this row; the rows before and behind it are learned, its own and others'."""
    engine = engine_for(kind, make_engine)
    twins, twin = neighbour(engine)
    slot = load(engine, Misbehaving(kind.how, "learn")).slot
    learn(engine, [slot], [GOOD], [2.0])
    before = engine.vitals.replaced
    x = {"a": 9.0}
    outcomes = learn(engine, [twin.slot, slot, slot, slot], [x, GOOD, BAD, GOOD], None)
    twin.river.learn_one(x, 1.0)
    assert outcomes.unlearned == {2}
    check_outcome(engine, kind, slot, outcomes.errors[2], before)
    assert list(outcomes.errors) == [2]
    assert ask(engine, slot, GOOD).value == 4.0
    check_neighbour(twins, twin)


@every_kind
def test_in_loading(kind: Kind, make_engine: MakeEngine) -> None:
    """The upload is refused, in words; the next one is taken."""
    engine = engine_for(kind, make_engine)
    twins, twin = neighbour(engine)
    with pytest.raises(BadPayload) as refusal:
        load(engine, Misbehaving(kind.how, "load"))
    assert kind.text in refusal.value.message
    assert "the payload (" in refusal.value.message
    assert refusal.value.field == "payload"
    assert len(engine) == 1
    assert ask(engine, load(engine, Misbehaving()).slot, GOOD).value == 0.0
    assert engine.vitals.strikes == 0
    check_neighbour(twins, twin)


@every_kind
def test_in_dumping(kind: Kind, make_engine: MakeEngine) -> None:
    """An error; the candidate itself goes on, made again where its worker has ended."""
    engine = engine_for(kind, make_engine)
    twins, twin = neighbour(engine)
    slot = load(engine, Misbehaving(kind.how, "dump")).slot
    learn(engine, [slot] * 2, [GOOD] * 2, [2.0, 3.0])
    with pytest.raises(EstimatorFailed, match=re.escape(kind.text)):
        engine.dump(slot)
    assert learn(engine, [slot], [GOOD], [1.0]).values.tolist() == [5.0]
    check_neighbour(twins, twin)


@every_kind
def test_in_copying(kind: Kind, make_engine: MakeEngine) -> None:
    """Whoever is asked for a copy is told; whoever is made without one is not."""
    engine = engine_for(kind, make_engine)
    twins, twin = neighbour(engine)
    slot = load(engine, MisbehavingCopied(kind.how)).slot
    error = ask(engine, engine.clone(slot), GOOD).error
    assert kind.text in error
    assert engine.vitals.strikes == int(kind.strikes)
    check_neighbour(twins, twin)


@pytest.mark.parametrize("moment", ["predict", "learn"])
def test_a_flood_of_output_goes_nowhere(moment: str, engine: WorkerEngine) -> None:
    """Printing is no crime."""
    slot = load(engine, Misbehaving("flood", moment)).slot
    assert learn(engine, [slot], [BAD], [2.0]).unlearned == frozenset()
    assert ask(engine, slot, BAD) == Answer(2.0)


@pytest.mark.parametrize("how", ["leave", "exit_politely", "bomb"])
def test_three_strikes_condemn(how: str, engine: WorkerEngine) -> None:
    """Not one more: what it is asked next is answered without it, at once."""
    slot = load(engine, Misbehaving(how)).slot
    for strike in (1, 2):
        assert f"(strike {strike} of 3)" in ask(engine, slot, BAD).error
        assert not engine.condemned()
    assert "(strike 3 of 3)" in ask(engine, slot, BAD).error
    reason = engine.condemned()[slot]
    assert reason.startswith("stopped 3 times, the last time because ")
    assert reason.endswith("; replace or delete it")
    assert ask(engine, slot, GOOD).error == f"Quarantined: {reason}"
    assert engine.vitals.strikes == 3


@pytest.mark.parametrize("how", ["leave", "exit_politely", "bomb"])
def test_no_fourth_strike_within_a_batch(how: str, engine: WorkerEngine) -> None:
    """Whether the worker survives the first three or not, the rest is not learned."""
    slot = load(engine, Misbehaving(how, "learn")).slot
    outcomes = learn(engine, [slot] * 5, [BAD, BAD, BAD, BAD, GOOD], None)
    assert outcomes.unlearned == {0, 1, 2, 3, 4}
    assert [f"(strike {n + 1} of 3)" in outcomes.errors[n] for n in (0, 1, 2)] == [True] * 3
    assert [outcomes.errors[n].startswith("Quarantined: ") for n in (3, 4)] == [True] * 2
    assert engine.health(slot).strikes == engine.vitals.strikes == 3


def test_quarantine_is_for_good(engine: WorkerEngine) -> None:
    """Neither asked, taught, copied nor written down; the reason is told each time."""
    slot = load(engine, Misbehaving()).slot
    engine.quarantine(slot, "it is mad")
    assert engine.health(slot).quarantined == "it is mad"
    assert ask(engine, slot, GOOD).error == "Quarantined: it is mad"
    outcomes = learn(engine, [slot], [GOOD], None)
    assert outcomes.errors == {0: "Quarantined: it is mad"}
    assert outcomes.unlearned == {0}
    copy = engine.clone(slot)
    assert ask(engine, copy, GOOD).error == "Quarantined: it is mad"
    assert engine.vitals.quarantined == 2
    with pytest.raises(EstimatorFailed, match="Quarantined: it is mad"):
        engine.dump(slot)
    assert engine.vitals.workers == 0
    engine.drop([slot, copy])
    assert engine.vitals.quarantined == 0


def test_quarantine_settles_a_condemnation(engine: WorkerEngine) -> None:
    """It is told once."""
    slot = load(engine, Misbehaving("leave")).slot
    for _ in range(3):
        ask(engine, slot, BAD)
    engine.quarantine(slot, engine.condemned()[slot])
    assert not engine.condemned()
    assert ask(engine, slot, GOOD).error.startswith("Quarantined: stopped 3 times")


def test_clones_of_a_bad_template_share_its_strikes(engine: WorkerEngine) -> None:
    """Or a thousand of them would take three thousand patiences."""
    template = load(engine, Misbehaving("leave")).slot
    clones = [engine.clone(template) for _ in range(5)]
    for number, clone in enumerate(clones[:3]):
        assert "(strike 1 of 3)" in ask(engine, clone, BAD).error
        assert engine.vitals.strikes == number + 1
    for slot in (*clones, template, engine.clone(template)):
        error = ask(engine, slot, GOOD).error
        assert error.startswith("Quarantined: candidates that begin as it did were stopped 3 times")
    assert set(engine.condemned()) >= {*clones, template}
    assert engine.vitals.strikes == 3


def test_a_replacement_is_innocent(engine: WorkerEngine) -> None:
    """The same bytes, uploaded again, have three strikes of their own."""
    for _ in range(2):
        slot = load(engine, Misbehaving("leave")).slot
        for strike in (1, 2, 3):
            assert f"(strike {strike} of 3)" in ask(engine, slot, BAD).error


def test_a_thousand_rows_for_one_that_loops_take_three_patiences(engine: WorkerEngine) -> None:
    """And a neighbour's rows in the same batch are learned, each one once."""
    twins, twin = neighbour(engine)
    slot = load(engine, Misbehaving("loop", "learn")).slot
    slots = [slot, twin.slot] * 500
    xs = [BAD, {"a": 2.0}] * 500
    before = engine.vitals.replaced
    outcomes = learn(engine, slots, xs, None)
    assert outcomes.unlearned == set(range(0, 1_000, 2))
    assert engine.health(slot).strikes == 3
    assert engine.vitals.replaced - before == 3
    assert len({outcomes.errors[item] for item in range(6, 1_000, 2)}) == 1
    for _ in range(500):
        twin.river.learn_one({"a": 2.0}, 1.0)
    check_neighbour(twins, twin)


def test_code_of_two_uploaders_never_shares_a_process(engine: WorkerEngine) -> None:
    """Nor does it share one with what holds no code."""
    origins = [Origin(Policy.TRUSTED, "a"), Origin(Policy.TRUSTED, "b"), Origin(Policy.SAFE)]
    slots = [load(engine, linear(), origin=origin).slot for origin in origins]
    answers = engine.predict(slots * 2, [Question("m", NO_DAY, {"a": 1.0})] * 6)
    assert [answer.value for answer in answers] == [0.0] * 6
    workers = processes(engine)
    assert set(workers) == {"trusted:a", "trusted:b", ""}
    assert len(set(workers.values())) == 3
    held = {domain: set(host.held) for domain, host in engine._house._hosts.items()}
    assert held == {"trusted:a": {slots[0]}, "trusted:b": {slots[1]}, "": {slots[2]}}


def test_uploaders_beyond_the_most_take_turns(make_engine: MakeEngine) -> None:
    """Whose worker was asked longest ago gives way, and its candidates come back as they were."""
    engine = make_engine(domains_max=2)
    slots = []
    for name in "abcd":
        slots.append(load(engine, Misbehaving(), origin=Origin(Policy.TRUSTED, name)).slot)
        learn(engine, [slots[-1]], [GOOD], [1.0 + len(slots)])
    assert set(processes(engine)) == {"trusted:c", "trusted:d"}
    for number, slot in enumerate(slots):
        assert ask(engine, slot, GOOD).value == 2.0 + number
        assert engine.vitals.workers == 2


def test_a_state_that_outgrows_its_bound_is_condemned(make_engine: MakeEngine) -> None:
    """The reason says how large it is, and how large it may be."""
    engine = make_engine(state_bytes_max=100)
    slot = load(engine, linear()).slot
    learn(engine, [slot] * 5, [{f"a{n}": 1.0} for n in range(5)], None)
    reason = engine.condemned()[slot]
    assert reason.startswith("its state takes ")
    assert "and may take 100; replace or delete it" in reason
    assert ask(engine, slot, {"a": 1.0}).error == f"Quarantined: {reason}"


@pytest.mark.system
@needs_jail
def test_no_worker_can_end_the_server(zygote: Zygote, engine: WorkerEngine) -> None:
    """Signals reach the worker itself only."""
    slot = load(engine, Misbehaving("signal_itself"), Flavor.REGRESSION, (), TRUSTED).slot
    ask(engine, slot, BAD)
    assert zygote._process is not None
    assert zygote._process.poll() is None
    assert ask(engine, slot, GOOD).value == 0.0
