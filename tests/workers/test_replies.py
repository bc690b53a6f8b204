"""What a worker says is believed only where it is what was asked for."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.estimators import linear
from tests.workers.conftest import MakeEngine
from tests.workers.driving import Twins, ask, learn, load
from tests.workers.misbehaving import Misbehaving
from thalweg_server.core.errors import BadPayload, EstimatorFailed
from thalweg_server.core.ports import Answer
from thalweg_server.workers import WorkerEngine
from thalweg_server.workers.host import Host
from thalweg_server.workers.loading import _outcome
from thalweg_server.workers.replies import CLASSES_MAX, MADE, answer_of, made_of, raised
from thalweg_server.workers.wire import Ended

HOSTILE: tuple[list[Any], ...] = (
    ["made"],
    ["failed"],
    ["failed", 1],
    ["made", {}],
    ["done"],
    ["done", 1.0, None, None, "", False, None],
    ["done", "1.0", None, None, "", False],
    ["done", 1, None, None, "", False],
    ["done", True, None, None, "", False],
    ["done", math.nan, None, None, "", False],
    ["done", math.inf, None, None, "", False],
    ["done", None, b"x", None, "", False],
    ["done", None, ["x"], None, "", False],
    ["done", None, "x", [("x", 1.0)], "", False],
    ["done", None, "x", {"x": 1}, "", False],
    ["done", None, "x", {b"x": 1.0}, "", False],
    ["done", None, "x", {None: 1.0}, "", False],
    ["done", None, "x", dict.fromkeys(range(CLASSES_MAX + 1), 0.0), "", False],
    ["done", None, None, None, None, False],
    ["done", None, None, None, "", 0],
    [None],
    [["done"]],
)


@pytest.mark.parametrize("reply", HOSTILE, ids=lambda reply: repr(reply)[:40])
def test_what_is_no_answer_ends(reply: list[Any]) -> None:
    """Whoever says that is beside itself."""
    with pytest.raises(Ended, match="answered what"):
        answer_of(reply)
    for operation in MADE:
        if reply != ["made"] or operation != "hold":
            with pytest.raises(Ended, match="answered what is no answer"):
                made_of(reply, operation)


def test_answers_are_taken() -> None:
    """With what was learned of it."""
    assert answer_of(["done", 1.5, None, None, "", False]) == (Answer(1.5), False)
    answer = Answer(label="x", probabilities={"x": 0.5, 3: 0.25, True: 0.25})
    assert answer_of(["done", None, "x", {"x": 0.5, 3: 0.25, True: 0.25}, "", True]) == (
        answer,
        True,
    )


def test_long_errors_are_cut() -> None:
    """They travel in replies of bounded size."""
    answer, _ = answer_of(["done", None, None, None, "x" * 1_000_000, True])
    assert len(answer.error) == 1_000
    assert len(made_of(["failed", "x" * 1_000_000], "dump")[1]) == 1_000


@pytest.mark.parametrize(
    ("operation", "value"), [("dump", "x"), ("size", True), ("size", b""), ("structure", None)]
)
def test_what_is_made_is_of_the_kind_that_was_asked_for(operation: str, value: Any) -> None:
    """Or it is no answer."""
    with pytest.raises(Ended):
        made_of(["made", value], operation)


def test_the_class_of_what_was_raised() -> None:
    """Is what stands before the colon."""
    assert raised("MemoryError: ") == "MemoryError"
    assert raised("") == ""


@pytest.mark.parametrize("reply", [[], "x", None, 1, {}, ["x"], ["failed"], ["done", 0]])
def test_an_engine_outlives_hostile_replies(
    reply: Any, engine: WorkerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is asked: an error and a strike, another worker, and nothing lost."""
    twins = Twins(engine)
    good = twins.add(linear())
    twins.learn([good], [{"a": 1.0}], [1.0])
    slot = load(engine, Misbehaving()).slot
    with monkeypatch.context() as patch:
        patch.setattr(Host, "_reply", _told(reply))
        assert "its worker " in ask(engine, slot).error
        assert "its worker " in learn(engine, [slot], [{}], None).errors[0]
        assert engine.state_bytes(slot) == 0
        with pytest.raises(EstimatorFailed, match="Quarantined"):
            engine.dump(slot)
    assert engine.health(slot).strikes == 3
    assert engine.vitals.replaced > 0
    twins.ask([good], [{"a": 1.0}])
    twins.assert_same_state()


@pytest.mark.parametrize("operation", ["dump", "estimator", "checkpoint"])
def test_hostile_replies_to_those_that_are_held(
    operation: str, engine: WorkerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was held is made again."""
    slot = load(engine, Misbehaving()).slot
    learn(engine, [slot] * 4, [{}] * 4, None)
    with monkeypatch.context() as patch:
        patch.setattr(Host, "_reply", _told(["made", []], after=operation == "checkpoint"))
        if operation == "checkpoint":
            assert learn(engine, [slot], [{}], None).errors == {}
        else:
            with pytest.raises(EstimatorFailed, match="its worker answered what is no answer"):
                getattr(engine, operation)(slot)
    assert engine.health(slot).strikes == 1
    assert ask(engine, slot).value == 4.0 + (operation == "checkpoint")


def _told(reply: Any, *, after: bool = False) -> Any:
    """In the place of `Host._reply`: what a worker says, the first time all the same if `after`."""
    real, told = Host._reply, [after]

    def receive(host: Host) -> Any:
        if told.pop() if told else False:
            return real(host)
        real(host)
        if not isinstance(reply, list) or not reply:
            raise Ended("sent what is no reply")
        return reply

    return receive


@pytest.mark.parametrize(
    "said",
    [
        ["loaded"],
        ["loaded", "r", [], None, "1"],
        ["loaded", "r", [], "x", 1],
        ["loaded", b"r", [], None, 1],
        ["refused", "SystemExit", "x"],
        ["refused", ["BadPayload"], "x"],
        ["refused", "BadPayload", None],
        ["made"],
    ],
)
def test_what_no_loader_says_is_refused(said: list[Any]) -> None:
    """As a ValueError, of which the caller hears as BadPayload."""
    with pytest.raises(ValueError, match="its worker answered what is no answer"):
        _outcome(said)


def test_what_a_loader_says_is_bounded() -> None:
    """Texts are cut, and kinds of classes are those of the contract."""
    facts = _outcome(["loaded", "x" * 100_000, ["str", ["int"], {}, "list", None], None, 7])
    assert not isinstance(facts, BadPayload)
    assert len(facts.estimator) < 10_000  # type: ignore[union-attr]
    assert facts.classes == {str}  # type: ignore[union-attr]
    assert len(_outcome(["refused", "BadPayload", "x" * 100_000]).message) < 10_000  # type: ignore[union-attr]


def test_a_candidate_that_answers_late_is_blamed_alone(make_engine: MakeEngine) -> None:
    """A reply that is none is its own, and not that of the first in the batch."""
    engine = make_engine()
    slots = [load(engine, Misbehaving()).slot for _ in range(3)]
    learn(engine, slots, [{}] * 3, None)
    real, count = Host._reply, iter(range(100))
    try:
        Host._reply = lambda host: real(host) if next(count) != 1 else (real(host), ["done"])[1]  # type: ignore[method-assign]
        outcomes = learn(engine, slots, [{}] * 3, None)
    finally:
        Host._reply = real  # type: ignore[method-assign]
    assert outcomes.errors == {1: "its worker answered what is no answer (strike 1 of 3)"}
    assert [engine.health(slot).strikes for slot in slots] == [0, 1, 0]
    assert [ask(engine, slot).value for slot in slots] == [2.0, 1.0, 2.0]
