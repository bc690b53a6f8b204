"""The engine of workers is River itself, bit for bit: answers, labels, copies and dumps."""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Sequence
from typing import Any

import dill
import numpy as np
import pytest
from river import (
    datasets,
    feature_extraction,
    forest,
    naive_bayes,
    tree,
)

from tests import estimators
from tests.estimators import Constant, Proba, Recorder, linear
from tests.structure import difference
from tests.workers.conftest import LESSONS_MAX
from tests.workers.driving import (
    Twins,
    ask,
    kill_all,
    learn,
    load,
    processes,
)
from tests.workers.misbehaving import Odd, Wordless
from tests.workers.samples import BINARY, MULTICLASS, NO_STATE, REGRESSORS, SEED, numbers, rows
from thalweg import m5
from thalweg_server.core.errors import EstimatorFailed
from thalweg_server.core.observation import NO_DAY, Context, Flavor, Question
from thalweg_server.core.ports import Answer
from thalweg_server.workers import WorkerEngine


def live(twins: Twins, targets: Sequence[Any], xs: Sequence[Any]) -> None:
    """Batches and single rows, asked and taught, with answers before learning and without."""
    (twin,) = twins.twins
    count = len(xs)
    twins.ask([twin], [xs[0]])
    twins.learn([twin] * (count // 2), xs[: count // 2], targets[: count // 2])
    for x, target in zip(xs[count // 2 :], targets[count // 2 :], strict=True):
        twins.ask([twin], [x])
        twins.learn([twin], [x], [target])
    twins.learn([twin] * 5, xs[:5], targets[:5], predict=False)
    twins.ask([twin] * count, xs)


@pytest.mark.parametrize("name", REGRESSORS)
def test_regression_is_rivers(name: str, engine: WorkerEngine) -> None:
    """Answers have the same bits; what is downloaded is the same estimator."""
    twins, xs = Twins(engine), rows(40)
    twins.add(REGRESSORS[name])
    live(twins, numbers(xs), xs)
    twins.assert_same_state(ignoring=NO_STATE)


@pytest.mark.parametrize("name", BINARY)
def test_binary_is_rivers(name: str, engine: WorkerEngine) -> None:
    """Labels are flags, with their probabilities."""
    twins, xs = Twins(engine), rows(40)
    twins.add(BINARY[name], Flavor.BINARY)
    live(twins, [y > 1.0 for y in numbers(xs)], xs)
    twins.assert_same_state(ignoring=NO_STATE)


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, int) for name in MULTICLASS]
    # River's KNNClassifier adds up in the order of a set: with texts that is another one in
    # another process.
    + [(name, str) for name in MULTICLASS if name != "neighbours"],
)
def test_multiclass_is_rivers(name: str, kind: type, engine: WorkerEngine) -> None:
    """Labels are of the kind that was learned."""
    twins, xs = Twins(engine), rows(40)
    twins.add(MULTICLASS[name], Flavor.MULTICLASS)
    live(twins, [kind(int(x["b"])) for x in xs], xs)
    twins.assert_same_state(ignoring=NO_STATE)


@pytest.mark.parametrize("make", [m5.knn, m5.lm])
def test_context_comes_along(make: Any, engine: WorkerEngine) -> None:
    """The pipelines of the M5 example see names and dates that are in no feature."""
    twins = Twins(engine)
    twin = twins.add(make(), context=(Context.ID, Context.DATE))
    xs = [{"date": f"2016-01-{day:02}"} for day in range(1, 29)]
    twins.learn([twin] * 28, xs, [float(n % 7) for n in range(28)])
    twins.ask([twin], xs[:1])
    twins.assert_same_state()


def test_a_context_is_added_where_it_is_absent(engine: WorkerEngine) -> None:
    """To whom it was asked for; in the order of `Question.x`."""
    contexts = ((), (Context.ID,), (Context.ID, Context.DATE))
    slots = [load(engine, Recorder(), context=context).slot for context in contexts]
    question = Question("apples", 16_800, {"z": 1.0})
    assert [a.value for a in engine.predict(slots, [question] * 3)] == [1.0, 2.0, 3.0]
    learn(engine, slots, [{"z": 1.0}] * 3, None)
    seen = [dill.loads(engine.dump(slot)).seen[0][0] for slot in slots]
    assert seen[1] == [("z", 1.0), ("id", "m")]
    assert seen[2] == [("z", 1.0), ("id", "m"), ("date", "")]


@pytest.mark.parametrize(
    "x",
    [
        "two words, zwei Wörter, \U0001f600",
        {"none": None, "flag": True, "text": "\ud800", "whole": 2**62, "half": 0.5},
        {},
        {"": -(2**63)},
    ],
    ids=["text", "every kind", "nothing", "an empty name"],
)
def test_features_arrive_as_they_are(x: Any, engine: WorkerEngine) -> None:
    """Values, their types and their order."""
    slot = load(engine, Recorder()).slot
    learn(engine, [slot], [x], [2.5])
    seen, target = dill.loads(engine.dump(slot)).seen[0]
    expected = list(x.items()) if isinstance(x, dict) else x
    assert (seen, target) == (expected, 2.5)
    if isinstance(x, dict):
        assert [type(value) for _, value in seen] == [type(value) for value in x.values()]


def test_text_is_learned(engine: WorkerEngine) -> None:
    """A pipeline that begins with words."""
    twins = Twins(engine)
    words = feature_extraction.BagOfWords(lowercase=True)
    twin = twins.add(words | naive_bayes.MultinomialNB(), Flavor.BINARY)
    texts = ["good good", "bad", "good and bad", "Bad"]
    twins.learn([twin] * 4, texts, [True, False, True, False])
    twins.ask([twin] * 4, texts)


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        (1, 1.0),
        (True, 1.0),
        (np.float32(0.5), 0.5),
        (-0.0, -0.0),
        (5e-324, 5e-324),
        (math.nan, None),
        (math.inf, None),
        (1e101, None),
        (10**400, None),
        (None, None),
    ],
)
def test_predictions_of_all_kinds(answer: Any, value: float | None, engine: WorkerEngine) -> None:
    """Whatever is no finite number is no answer; and no error either."""
    slot = load(engine, Constant(answer)).slot
    assert ask(engine, slot) == Answer(value)
    outcomes = learn(engine, [slot], [{}], None)
    assert outcomes.errors == {}
    assert np.array_equal(outcomes.values, [np.nan if value is None else value], equal_nan=True)
    assert math.copysign(1.0, outcomes.values[0]) == math.copysign(1.0, value or 0.0) or not value


@pytest.mark.parametrize(
    ("label", "told"),
    [
        (True, True),
        (-3, -3),
        ("", ""),
        ("\ud800", "\ud800"),
        (0.5, 0.5),
        (np.int64(3), 3),
        (np.str_("x"), "x"),
        (2**80, str(2**80)),
        (("a", 1), "('a', 1)"),
        (frozenset(), "frozenset()"),
    ],
)
def test_labels_of_all_kinds(label: Any, told: Any, engine: WorkerEngine) -> None:
    """Classes of the contract as they are, all others as their text."""
    slot = load(engine, Odd(label), Flavor.MULTICLASS).slot
    answer = ask(engine, slot)
    assert (answer.label, answer.probabilities) == (told, {told: 1.0})
    assert type(answer.label) is type(told)
    outcomes = learn(engine, [slot], [{}], ["x"])
    assert outcomes.answers == [answer]
    assert engine.health(slot).strikes == 0


def test_a_label_whose_text_raises_is_an_error(engine: WorkerEngine) -> None:
    """Nobody is struck for it, least of all a neighbour in the same batch."""
    slot = load(engine, Odd(Wordless()), Flavor.MULTICLASS).slot
    other = load(engine, Odd("x"), Flavor.MULTICLASS).slot
    outcomes = learn(engine, [other, slot], [{}, {}], ["x", "x"])
    assert outcomes.answers[0].label == "x"
    assert outcomes.answers[1].error.startswith("KeyboardInterrupt")
    assert engine.health(other).strikes == 0


def test_probabilities_keep_their_keys(engine: WorkerEngine) -> None:
    """Flags, texts, and bits of numbers."""
    slot = load(engine, Proba(), Flavor.MULTICLASS).slot
    given = {"true": 0.1 + 0.2, "false": 1e-300, "x": 0.5}
    answer = ask(engine, slot, given)
    assert answer.probabilities == {True: 0.1 + 0.2, False: 1e-300, "x": 0.5}
    assert answer.label == "x"


def test_clones_go_on_apart(engine: WorkerEngine) -> None:
    """From what was learned so far; also where they are cloned of one another, or from bytes
    that a worker has written.
    """
    twins, xs = Twins(engine), rows(30)
    targets = numbers(xs)
    first = twins.add(tree.HoeffdingTreeRegressor(grace_period=5))
    second = twins.clone(first)
    twins.learn([first] * 12, xs[:12], targets[:12])
    third = twins.clone(first)
    twins.learn([first, second, third] * 4, xs[:12], targets[12:24])
    fourth = twins.clone(third)
    twins.drop(third)
    twins.learn([fourth, second] * 3, xs[24:], targets[24:])
    twins.assert_same_state()
    assert len(engine) == 3


def test_more_moulds_than_a_worker_keeps(engine: WorkerEngine) -> None:
    """Candidates of many uploads and their clones, in turn, also when the worker is another."""
    twins = Twins(engine)
    first = [twins.add(Constant(float(number))) for number in range(20)]
    for round_ in range(3):
        clones = [twins.clone(twin) for twin in (first if round_ % 2 else reversed(first))]
        twins.ask(clones, [{}] * len(clones))
        twins.ask(first, [{}] * len(first))
        kill_all(engine)


def test_a_candidate_that_cannot_be_made_leaves_no_mark(engine: WorkerEngine) -> None:
    """Its error is the same each time, and those whose moulds are kept beside it are well."""
    twins = Twins(engine)
    good = [twins.add(Constant(float(number))) for number in range(12)]
    broken = load(engine, estimators.Constant(1.0)).slot
    engine._records[broken].base.payload = b"junk"
    errors = set()
    for twin in good:
        twins.ask([twin], [{}])
        errors.add(ask(engine, broken).error)
        twins.ask([twins.clone(twin)], [{}])
    (error,) = errors
    assert "does not load as dill" in error
    assert engine.vitals.replaced == 0


def test_dropping_frees(engine: WorkerEngine) -> None:
    """The worker as well as the server."""
    slots = [load(engine, linear()).slot for _ in range(3)]
    learn(engine, slots, [{"a": 1.0}] * 3, None)
    engine.drop(slots[:2])
    assert len(engine) == 1
    (host,) = engine._house._hosts.values()
    assert host.held.keys() == {slots[2]}
    assert ask(engine, slots[2], {"a": 0.0}).value is not None


def test_a_dump_is_an_upload(engine: WorkerEngine) -> None:
    """It comes back equal, and goes on equally."""
    twins, xs = Twins(engine), rows(20)
    twin = twins.add(forest.ARFRegressor(n_models=2, seed=SEED))
    twins.learn([twin] * 10, xs[:10], numbers(xs[:10]))
    again = load(engine, engine.dump(twin.slot)).slot
    twins.learn([twin] * 10, xs[10:], numbers(xs[10:]))
    learn(engine, [again] * 10, xs[10:], numbers(xs[10:]))
    assert not difference(dill.loads(engine.dump(again)), twin.river, ignoring=NO_STATE)


def test_a_large_tree_can_be_written_down(engine: WorkerEngine) -> None:
    """Which takes more calls within calls than Python has by default."""
    twins, pairs = Twins(engine), list(itertools.islice(datasets.TrumpApproval(), 300))
    xs = [{name: float(number) for name, number in sorted(x.items())} for x, _ in pairs]
    twin = twins.add(tree.HoeffdingAdaptiveTreeRegressor(grace_period=20, seed=1))
    twins.learn([twin] * 300, xs, [y for _, y in pairs])
    twins.ask([twin], xs[:1])
    dump = engine.dump(twin.slot)
    with pytest.raises(RecursionError):
        _written_by_default(dill.loads(dump))
    assert engine.health(twin.slot).strikes == 0


def test_trees_may_grow_as_deep_as_in_any_process(engine: WorkerEngine) -> None:
    """Some take that from the limit of calls within calls: where they learn it is Python's own."""
    slot = load(engine, forest.ARFRegressor(n_models=1, seed=SEED)).slot
    learn(engine, [slot] * LESSONS_MAX, rows(LESSONS_MAX), None)
    kill_all(engine)
    learn(engine, [slot] * 2, rows(2), None)
    assert dill.loads(engine.dump(slot)).data[0].max_depth == 980


def _written_by_default(estimator: Any) -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)
    try:
        dill.dumps(estimator, recurse=True)
    finally:
        sys.setrecursionlimit(limit)


def test_loading_tells_of_the_upload(engine: WorkerEngine) -> None:
    """River's repr, the kinds of labels it knows, and its size."""
    model = naive_bayes.GaussianNB()
    model.learn_one({"a": 1.0}, "x")
    loaded = load(engine, model, Flavor.MULTICLASS)
    assert loaded.estimator == repr(model)
    assert loaded.classes == {str}
    assert loaded.size_bytes > 500
    assert engine.state_bytes(loaded.slot) > 500


def test_an_estimator_that_can_be_compiled_is_given_as_it_is_now(engine: WorkerEngine) -> None:
    """Just loaded, and after it has learned; what cannot be compiled is not given."""
    twins = Twins(engine)
    twin = twins.add(linear())
    assert not difference(engine.estimator(twin.slot), twin.river)
    twins.learn([twin] * 2, rows(2), [1.0, 2.0])
    assert not difference(engine.estimator(twin.slot), twin.river)
    other = twins.add(linear())
    twins.learn([other], rows(1), [1.0])
    assert not difference(engine.estimator(other.slot), other.river)
    with pytest.raises(EstimatorFailed):
        engine.estimator(load(engine, Constant()).slot)


def test_the_servers_own_estimators_are_taken_in(engine: WorkerEngine) -> None:
    """What was compiled comes to River with what it has learned."""
    twins, xs = Twins(engine), rows(12)
    model = linear()
    for x, y in zip(xs, numbers(xs), strict=True):
        model.learn_one(x, y)
    slot = engine.adopt(model, Flavor.REGRESSION, ())
    assert ask(engine, slot, xs[0]).value == model.predict_one(xs[0])
    clone = engine.clone(slot)
    learn(engine, [clone], xs[:1], [1.0])
    model.learn_one(xs[0], 1.0)
    assert not difference(dill.loads(engine.dump(clone)), model)
    assert set(processes(engine)) == {""}
    assert not twins.twins


def test_predict_many_answers_numbers(engine: WorkerEngine) -> None:
    """NaN where there is none; with names and dates for whoever asks to see them."""
    slots = [
        load(engine, Recorder(), context=(Context.ID, Context.DATE)).slot,
        load(engine, Constant(math.nan)).slot,
        load(engine, estimators.RaisesInPredict()).slot,
    ]
    columns = {"a": np.array([1.0, 2.0, 3.0])}
    answers = engine.predict_many(
        np.array(slots), np.array([16_800, NO_DAY, NO_DAY]), columns, ["x", "y", "z"]
    )
    assert np.array_equal(answers, [3.0, np.nan, np.nan], equal_nan=True)


def test_nothing_is_asked_of_nobody(engine: WorkerEngine) -> None:
    """And no worker is made for it."""
    assert engine.predict([], []) == []
    assert len(learn(engine, [], [], []).values) == 0
    assert engine.vitals.workers == 0


def test_whatever_is_raised_is_an_outcome(engine: WorkerEngine) -> None:
    """With the answer that was given before, and the rows around."""
    twins = Twins(engine)
    good = twins.add(linear())
    slot = load(engine, estimators.RaisesOn()).slot
    xs = [{"a": 1.0}, {"bad": 0.0}, {"bad": 1.0}, {"bad": 0.0}]
    outcomes = learn(engine, [good.slot, slot, slot, slot], xs, [1.0, 2.0, 4.0, 8.0])
    assert outcomes.unlearned == {2}
    assert outcomes.errors == {2: "RuntimeError: x has bad"}
    assert np.array_equal(outcomes.values, [0.0, 0.0, np.nan, 2.0], equal_nan=True)
    assert ask(engine, slot, {"bad": 0.0}).value == 10.0
    learning = load(engine, estimators.RaisesInLearn()).slot
    outcomes = learn(engine, [learning], [{}], None)
    assert outcomes.errors == {0: "KeyError: 'nothing learned'"}
    assert outcomes.values.tolist() == [0.0]
