"""What an estimator says of itself is River's repr, made once for all that look the same."""

from __future__ import annotations

import copy
import inspect
import math
from typing import Any

import pytest
from river import compose, linear_model, optim, preprocessing

from tests.estimators import Constant
from tests.uploads.catalogue import Entry, entries
from thalweg.m5.features import knn, lm
from thalweg_server.engines import texts
from thalweg_server.engines.parameters import parameters
from thalweg_server.engines.texts import REPR_MAX, describe

OTHERS: dict[type, list[Any]] = {
    bool: [True, False],
    int: [1, 7, 1.0],
    float: [0.0, -0.0, 0.5, 1, True, math.nan, None],
    str: ["a", "1"],
    type(None): [0, 1.5],
}
"""What takes the place of a parameter, by its type."""


def shown(estimator: Any) -> str:
    """River's repr, or that it has none."""
    try:
        return repr(estimator)
    except Exception as error:
        return f"{type(estimator).__name__} (its repr raised {type(error).__name__}: {error})"


@pytest.mark.parametrize("entry", list(entries()), ids=str)
def test_it_is_rivers_repr(entry: Entry) -> None:
    """Of every estimator of River's, at first and again, and where one parameter is another."""
    estimator = copy.deepcopy(entry.estimator)
    for _ in range(2):
        assert describe(estimator)[:REPR_MAX] == shown(estimator)[:REPR_MAX]
    for name in inspect.signature(type(estimator)).parameters:
        value = vars(estimator).get(name, estimator)
        for other in OTHERS.get(type(value), []):
            vars(estimator)[name] = other
            assert describe(estimator)[:REPR_MAX] == shown(estimator)[:REPR_MAX], (name, other)
            vars(estimator)[name] = value


@pytest.mark.parametrize("make", [knn, lm])
def test_it_is_made_once_for_all_that_look_the_same(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever they have learned."""
    monkeypatch.setattr(texts, "_texts", {})
    first, second = make(), make()
    for day in ("2026-01-01", "2026-01-02"):
        x = {"date": day}
        second.predict_one(x)
        second.learn_one(x, 3.0)
    assert describe(first) is describe(second)
    assert len(texts._texts) == 1


def test_parts_are_told_apart() -> None:
    """However deep within: a step's, an optimizer's, a schedule's."""
    made = [
        compose.Pipeline(scaler, linear_model.LinearRegression(optimizer, intercept_lr=rate))
        for scaler in (preprocessing.StandardScaler(), preprocessing.MinMaxScaler())
        for optimizer in (optim.SGD(0.1), optim.SGD(0.2), optim.Adam(0.1))
        for rate in (0.1, optim.schedulers.InverseScaling(0.1))
    ]
    assert len({parameters(each) for each in made}) == len({describe(each) for each in made}) == 12


def test_no_more_than_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers can think of any number."""
    monkeypatch.setattr(texts, "_texts", {})
    for number in range(texts.TEXTS_MAX + 10):
        describe(linear_model.LinearRegression(l2=float(number)))
    assert 0 < len(texts._texts) <= texts.TEXTS_MAX


def test_what_cannot_be_told_is_no_reason_to_fail() -> None:
    """An attribute that is not there; one that ends the process, where it is let."""

    class Leaving(Constant):
        @property
        def answer(self) -> Any:
            raise SystemExit

        @answer.setter
        def answer(self, value: Any) -> None:
            """Keep nothing."""

    assert "its repr raised SystemExit" in describe(Leaving())
    model = linear_model.LinearRegression()
    del model.l2
    assert "its repr raised AttributeError" in describe(model)


def test_what_is_not_rivers_is_asked_each_time() -> None:
    """Its repr may be of anything."""

    class Moody(Constant):
        def __repr__(self) -> str:
            return f"Moody, {self.learned}"

    estimator = Moody()
    assert parameters(estimator) is None
    assert describe(estimator) == "Moody, 0"
    estimator.learned = 1
    assert describe(estimator) == "Moody, 1"
