"""Local fitting: what estimators see, and how they are scored."""

from __future__ import annotations

import datetime
import math
from typing import Any

import pytest

from thalweg import Columns, Row
from thalweg.fitting import Fit, History, fit, what_it_sees

DAY = datetime.date(2016, 5, 22)


class Scripted:
    """A regressor that answers from a list and remembers what it saw."""

    def __init__(self, answers: list[Any]) -> None:
        self.answers = answers
        self.seen: list[Any] = []

    def predict_one(self, x: Any) -> Any:
        """Answer the next of the list; x is ours to spoil."""
        x["spoiled"] = True
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def learn_one(self, x: Any, y: Any) -> None:
        """Remember."""
        self.seen.append(y)


def fitted(answers: list[Any], targets: list[Any], flavor: str = "regression") -> Fit:
    """Return the fit of one scripted candidate."""
    history = History()
    for target in targets:
        history.add(Row(model="m", target=target, features={"a": 1.0}))
    return fit(history, "m", {"c": Scripted(answers)}, (), flavor)


def test_features_are_sorted_and_context_follows() -> None:
    """The order of keys is the server's; what the features give is kept."""
    row = Row(model="m", target=1.0, features={"b": 2, "a": None}, date=DAY)
    assert list(what_it_sees(row, ("date", "id")).items()) == [
        ("a", None),
        ("b", 2),
        ("id", "m"),
        ("date", "2016-05-22"),
    ]
    own = Row(model="m", target=1.0, features={"id": "mine"})
    assert what_it_sees(own, ("id",)) == {"id": "mine"}
    assert what_it_sees(Row(model="m", target=1.0, text="hello"), ("id",)) == "hello"


@pytest.mark.parametrize("answer", [math.nan, math.inf, 1e101, None, ValueError("cold")])
def test_what_cannot_be_scored_is_not(answer: Any) -> None:
    """It neither counts nor spoils the mean, and the candidate goes on learning."""
    trial = fitted([answer, 1.0], [5.0, 2.0]).trials["c"]
    assert (trial.error_sum, trial.scored) == (1.0, 1)
    assert trial.estimator.seen == [5.0, 2.0]


@pytest.mark.parametrize(
    ("flavor", "targets", "learned"),
    [
        ("regression", [1, True], [1.0, 1.0]),
        ("binary", [1.0, False], [True, False]),
        ("multiclass", ["x", 3], ["x", 3]),
    ],
)
def test_targets_are_learned_as_the_flavor_says(
    flavor: str, targets: list[Any], learned: list[Any]
) -> None:
    """As on the server."""
    seen = fitted([0.0, 0.0], targets, flavor).trials["c"].estimator.seen
    assert seen == learned
    assert [type(y) for y in seen] == [type(y) for y in learned]


def test_wrong_labels_are_counted() -> None:
    """A classifier's error is the share of its wrong labels."""
    assert fitted([True, False], [True, True], "binary").trials["c"].mean_error == 0.5


def test_a_tie_goes_to_the_first() -> None:
    """As among the server's candidates."""
    history = History()
    history.add(Columns(models=["m"], targets=[1.0]))
    result = fit(history, "m", {"b": Scripted([2.0]), "a": Scripted([0.0])}, (), "regression")
    assert result.best == "b"


def test_each_model_has_its_own_rows_in_order() -> None:
    """Rows, columns with a dictionary and columns without one may be mixed."""
    history = History()
    history.add(Row(model="b", target=1.0))
    history.add(Columns(models=["a", "b"], model_index=[1, 0, 1], targets=[2.0, 3.0, 4.0]))
    history.add(Columns(models=["a", "b"], targets=[5.0, 6.0], date_days=[16943]))
    assert list(history.models) == ["b", "a"]
    assert [row.target for row in history.of_model("b")] == [1.0, 2.0, 4.0, 6.0]
    assert [row.date for row in history.of_model("a")] == [None, DAY]
    assert history.rows == 6
