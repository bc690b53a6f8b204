"""Logistic regressions on a server of the flavor BINARY answer as in the river engine."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import dill
import numpy as np
import pytest
from numba import njit
from river import dummy, linear_model, optim, preprocessing

from tests.engines.twins import DAY, Row, as_batch
from tests.structure import difference
from thalweg_server.core.observation import Flavor, Question
from thalweg_server.core.ports import Answer
from thalweg_server.engines.compiled import CompiledEngine
from thalweg_server.engines.river import RiverEngine

Logistic = linear_model.LogisticRegression


@dataclasses.dataclass(slots=True)
class Labels:
    """Binary candidates in the compiled engine, and the same in a river engine."""

    engine: CompiledEngine
    river: RiverEngine = dataclasses.field(default_factory=RiverEngine)
    slots: list[int] = dataclasses.field(default_factory=list)
    rivers: list[int] = dataclasses.field(default_factory=list)

    def add(self, estimator: Any) -> None:
        """Uploads an estimator to both."""
        payload = dill.dumps(estimator, recurse=True)
        self.slots.append(self.engine.load(payload, Flavor.BINARY, ()).slot)
        self.rivers.append(self.river.load(payload, Flavor.BINARY, ()).slot)

    def learn(self, rows: Sequence[Row], *, columns: bool = False, predict: bool = True) -> None:
        """Learns a batch on both sides; answers, errors and state have to be the same."""
        batch = as_batch(rows, columns=columns)
        batch = dataclasses.replace(batch, targets=[bool(row.target) for row in rows])
        items = np.arange(len(rows))
        got, wanted = (
            engine.learn(
                np.array([slots[row.model] for row in rows]), items, batch, predict=predict
            )
            for engine, slots in self._sides()
        )
        self._same(got.between(0, len(rows)), wanted.between(0, len(rows)))
        assert got.unlearned == wanted.unlearned
        for slot, river in zip(self.slots, self.rivers, strict=True):
            lifted = dill.loads(self.engine.dump(slot))
            assert difference(lifted, self.river.estimator(river)) == ""

    def ask(self, rows: Sequence[Row]) -> None:
        """Asks both sides, one question at a time and all at once."""
        questions = [Question("m", row.day, dict(row.features)) for row in rows]
        columns = {
            name: np.array([row.features[name] for row in rows]) for name in rows[0].features
        }
        answers = []
        for engine, slots in self._sides():
            at = [slots[row.model] for row in rows]
            answers.append(engine.predict(at, questions))
            many = engine.predict_many(np.array(at), np.full(len(at), DAY), columns)
            np.testing.assert_array_equal(many, [answer.number for answer in answers[-1]])
        self._same(*answers)

    def reload(self, model: int) -> None:
        """Downloads a candidate and uploads it again."""
        payload = self.engine.dump(self.slots[model])
        self.engine.drop([self.slots[model]])
        self.slots[model] = self.engine.load(payload, Flavor.BINARY, ()).slot

    def assert_compiled(self) -> None:
        """All are in fleets."""
        placements = {self.engine.placement(slot) for slot in self.slots}
        assert placements == {("compiled", "")}

    def _sides(self) -> Sequence[tuple[CompiledEngine | RiverEngine, list[int]]]:
        return (self.engine, self.slots), (self.river, self.rivers)

    @staticmethod
    def _same(got: Sequence[Answer], wanted: Sequence[Answer]) -> None:
        """Also in the order of the labels, which decides between equal ones."""
        assert [repr(answer) for answer in got] == [repr(answer) for answer in wanted]


@pytest.fixture
def labels(engine: CompiledEngine) -> Labels:
    """No models yet."""
    return Labels(engine)


def rows(count: int, seed: int = 1, size: float = 1.0, model: int = 0) -> list[Row]:
    """Labels that depend on two features."""
    source = np.random.default_rng(seed)
    result = []
    for a, b, noise in source.normal(size=(count, 3)).tolist():
        features = {"a": a * size, "b": 3.0 * b * size, "c": float(a > 0.5)}
        result.append(Row(model, DAY, float(a - b + noise > 0), features))
    return result


MODELS: dict[str, Callable[[], Any]] = {
    "plain": Logistic,
    "scaled": lambda: preprocessing.StandardScaler() | Logistic(optim.SGD(0.1)),
    "AdaGrad": lambda: Logistic(optim.AdaGrad(0.3), l2=0.1),
    "RMSProp": lambda: Logistic(optim.RMSProp(0.3), intercept_lr=0.5),
    "Momentum": lambda: Logistic(optim.Momentum(0.3), clip_gradient=0.2),
    "Nesterov": lambda: Logistic(optim.NesterovMomentum(0.3), l2=0.01),
    "balanced": lambda: Logistic(loss=optim.losses.Log(weight_pos=3, weight_neg=0.5)),
    "steep": lambda: Logistic(optim.SGD(50.0), intercept_init=-40.0),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_probabilities_labels_and_state_equal_rivers(
    labels: Labels, make: Callable[[], Any]
) -> None:
    """To the bit, also after a download and upload in between."""
    labels.add(make())
    data = rows(150)
    labels.ask(data[:2])
    labels.learn(data[:50])
    labels.assert_compiled()
    labels.reload(0)
    labels.ask(data[:9])
    labels.learn(data[50:100], columns=True)
    labels.learn(rows(30, seed=2, size=1e6))
    labels.learn(data[100:110], predict=False)
    labels.reload(0)
    labels.learn(data[100:])
    labels.assert_compiled()


def test_equal_probabilities_give_the_first_label(labels: Labels) -> None:
    """Which is False, as in River."""
    labels.add(Logistic(intercept_lr=0))
    row = Row(0, DAY, 1.0, {"a": 0.0})
    labels.learn([row])
    labels.ask([row])
    labels.assert_compiled()
    (answer,) = labels.engine.predict(labels.slots, [Question("m", DAY, {"a": 0.0})])
    assert answer == Answer(label=False, probabilities={False: 0.5, True: 0.5})


def test_a_probability_that_is_no_number_is_no_answer(labels: Labels) -> None:
    """Neither a label nor a probability, and NaN where numbers are asked for."""
    labels.add(Logistic())
    odd = Row(0, DAY, 1.0, {"a": math.nan, "b": 1.0, "c": 0.0})
    labels.learn(rows(5))
    labels.ask([odd, *rows(2)])
    assert not labels.engine.predict(labels.slots, [Question("m", DAY, odd.features)])[0].usable
    labels.learn([odd, *rows(3)])
    labels.assert_compiled()


def test_what_moves_to_river_keeps_its_labels_among_those_that_stay(labels: Labels) -> None:
    """In one batch, item by item in the order given."""
    for _ in range(3):
        labels.add(Logistic(optim.AdaGrad(), clip_gradient=1e300))
    labels.add(dummy.PriorClassifier())
    data = [
        row for group in zip(*(rows(12, model=m) for m in range(4)), strict=True) for row in group
    ]
    data[13] = dataclasses.replace(data[13], features={"a": 1.0, "new": 2.0})
    labels.learn(data)
    where = [labels.engine.placement(slot)[0] for slot in labels.slots]
    assert where == ["compiled", "river", "compiled", "river"]
    labels.learn(data, predict=False)
    labels.ask([row for row in data[:12] if row.model != 1])


def test_what_learning_raises_comes_beside_the_answer(labels: Labels) -> None:
    """The row is not learned, and the candidate stays compiled."""
    labels.add(Logistic(optim.AdaGrad()))
    labels.learn([*rows(4), Row(0, DAY, 0.0, {"a": 1e200, "b": 1.0, "c": -1e200}), *rows(4)])
    labels.assert_compiled()
    batch = as_batch([Row(0, DAY, 0.0, {"a": 1e200, "b": 1.0, "c": -1e200})], columns=False)
    outcomes = labels.engine.learn(
        np.array(labels.slots), np.zeros(1, np.int64), dataclasses.replace(batch, targets=[False])
    )
    assert outcomes.unlearned == {0}
    assert outcomes.answers[0].error.startswith("OverflowError")
    assert outcomes.answers[0].usable


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Logistic(loss=optim.losses.Hinge()), "Hinge"),
        (lambda: Logistic(loss=optim.losses.Log(weight_pos=math.nan)), "weight_pos is nan"),
        (lambda: Logistic(optim.Adam()), "Adam is not known"),
        (lambda: Logistic(l1=0.1), "LogisticRegression has an l1 penalty"),
        (linear_model.PAClassifier, "PAClassifier is not known"),
    ],
)
def test_what_cannot_be_lowered_runs_in_river_and_says_why(
    labels: Labels, make: Callable[[], Any], reason: str
) -> None:
    """Slower, never refused, never different."""
    labels.add(make())
    labels.learn(rows(9))
    labels.ask(rows(3))
    where, why = labels.engine.placement(labels.slots[0])
    assert where == "river"
    assert reason in why


def test_models_of_several_classes_run_in_river(engine: CompiledEngine) -> None:
    """On a server of the flavor MULTICLASS nothing is compiled."""
    payload = dill.dumps(linear_model.SoftmaxRegression(), recurse=True)
    slot = engine.load(payload, Flavor.MULTICLASS, ()).slot
    assert engine.placement(slot) == ("river", "models of several classes are not compiled")


def test_compiled_exponentials_have_the_bits_of_pythons() -> None:
    """Both ask the same libm."""
    function: Any = exponentials  # numba's functions have no types
    source = np.random.default_rng(1)
    values = np.concatenate([source.uniform(-31, 31, 300_000), source.uniform(-745, 709, 100_000)])
    found = np.empty_like(values)
    function(values, found)
    assert found.tolist() == [math.exp(value) for value in values.tolist()]


@njit(error_model="numpy")  # type: ignore[untyped-decorator]
def exponentials(values: Any, found: Any) -> None:
    """As kernels compute them."""
    for i in range(values.size):
        found[i] = math.exp(values[i])
