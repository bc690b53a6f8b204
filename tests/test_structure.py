"""The structural comparison notices what it must notice."""

from __future__ import annotations

import copy
import math
from collections import defaultdict, deque
from typing import Any

import numpy as np
import pytest
from river import compose, forest, linear_model, naive_bayes, preprocessing, stats, tree

from tests.structure import difference, snapshot


def one_bit(value: float) -> float:
    """Return the next float."""
    return math.nextafter(value, math.inf)


class Slotted:
    """An object without a __dict__."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


PAIRS: list[tuple[str, Any, Any]] = [
    ("a float's last bit", 0.1, one_bit(0.1)),
    ("the sign of zero", 0.0, -0.0),
    ("int and float", 1, 1.0),
    ("bool and int", True, 1),
    ("a list's item", [1.0, [2.0]], [1.0, [one_bit(2.0)]]),
    ("a dict's value", {"a": 1.0}, {"a": one_bit(1.0)}),
    ("a dict's order", {"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ("a dict's new key", {"a": 1}, {"a": 1, "b": 2}),
    ("a defaultdict's factory", defaultdict(int), defaultdict(float)),
    ("a deque's bound", deque([1], maxlen=2), deque([1], maxlen=3)),
    ("a deque's item", deque([1.0]), deque([one_bit(1.0)])),
    ("a set's member", {1, 2}, {1, 3}),
    ("an array's last bit", np.array([0.1]), np.array([one_bit(0.1)])),
    ("an array's type", np.zeros(2), np.zeros(2, np.float32)),
    ("a slot", Slotted(1.0), Slotted(one_bit(1.0))),
]


@pytest.mark.parametrize(("left", "right"), [p[1:] for p in PAIRS], ids=[p[0] for p in PAIRS])
def test_the_smallest_change_is_a_difference(left: Any, right: Any) -> None:
    """Values that print almost alike, or compare equal, differ all the same."""
    assert difference(left, right)
    assert not difference(left, snapshot(left))


def test_nan_equals_itself() -> None:
    """A NaN is no difference, unlike with ==."""
    assert not difference({"a": [math.nan]}, {"a": [math.nan]})


def test_cycles_end() -> None:
    """An object that holds itself is compared once."""
    left: list[Any] = [1.0]
    left.append(left)
    assert not difference(left, snapshot(left))


ESTIMATORS = {
    "a linear model": lambda: preprocessing.StandardScaler() | linear_model.LinearRegression(),
    "naive bayes": naive_bayes.GaussianNB,
    "a tree": lambda: tree.HoeffdingTreeRegressor(grace_period=5),
    "a forest with a random state": lambda: forest.ARFRegressor(n_models=2, seed=1),
}


def trained(make: Any, rows: int) -> Any:
    """Return an estimator after some rows."""
    estimator = make()
    for i in range(rows):
        estimator.learn_one({"a": i * 0.1, "b": i % 3}, i % 2)
    return estimator


@pytest.mark.parametrize("make", ESTIMATORS.values(), ids=ESTIMATORS)
def test_a_learned_row_is_a_difference_and_a_copy_is_none(make: Any) -> None:
    """Estimators equal their deep copies, and differ from what they are one row later."""
    estimator = trained(make, 20)
    copied = copy.deepcopy(estimator)
    assert not difference(estimator, copied)
    copied.learn_one({"a": 0.5, "b": 1}, 1)
    assert difference(estimator, copied)


def test_the_last_bit_of_a_weight_behind_a_pipeline_is_a_difference() -> None:
    """State deep inside, and state kept by compiled code, is reached."""
    model = compose.Pipeline(preprocessing.StandardScaler(), linear_model.LinearRegression())
    model.learn_one({"a": 1.5}, 2.0)
    other = copy.deepcopy(model)
    weights = other["LinearRegression"]._weights
    weights["a"] = one_bit(0.25)
    model["LinearRegression"]._weights["a"] = 0.25
    assert "a" in difference(model, other)


def test_state_of_a_compiled_statistic_is_a_difference() -> None:
    """Objects without Python attributes are compared by what they would pickle."""
    left, right = stats.Quantile(0.5), stats.Quantile(0.5)
    for i in range(10):
        left.update(i)
        right.update(i)
    assert not difference(left, right)
    right.update(one_bit(3.0))
    assert difference(left, right)
