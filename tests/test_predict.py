"""Predict and PredictMany: answers that leave no trace."""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date, timedelta
from functools import partial
from typing import Any

import grpc
import numpy as np
import pytest
from river import (
    compose,
    dummy,
    ensemble,
    facto,
    feature_extraction,
    feature_selection,
    forest,
    linear_model,
    naive_bayes,
    neighbors,
    preprocessing,
    stats,
    tree,
)

from tests.estimators import Constant, Nan, RaisesInPredict, Recorder, linear
from tests.structure import difference
from tests.waiting import until
from tests.wire import SECONDS, Wire, question, refused
from thalweg.v1 import forecaster_pb2 as pb
from thalweg_server.models_thread import Group, Job

DATE = pb.CONTEXT_FIELD_DATE

lr = linear_model.LinearRegression

REGRESSORS: dict[str, Callable[[], Any]] = {
    "standard scaler": lambda: preprocessing.StandardScaler() | lr(),
    "windowed scaler": lambda: preprocessing.StandardScaler(window_size=4) | lr(),
    "min max scaler": lambda: preprocessing.MinMaxScaler() | lr(),
    "max abs scaler": lambda: preprocessing.MaxAbsScaler() | lr(),
    "target aggregate": lambda: feature_extraction.TargetAgg(by="c", how=stats.Mean()) | lr(),
    "union": lambda: (compose.Select("a") + preprocessing.StandardScaler()) | lr(),
    "function": lambda: compose.FuncTransformer(negated) | lr(),
    "random projection": lambda: preprocessing.GaussianRandomProjector(2, seed=1) | lr(),
    "kernel sampler": lambda: feature_extraction.RBFSampler(seed=1) | lr(),
    "polynomial": lambda: feature_extraction.PolynomialExtender() | lr(),
    "nested pipeline": lambda: compose.Pipeline(preprocessing.StandardScaler() | lr()),
    "target scaler": lambda: preprocessing.TargetStandardScaler(lr()),
    "tree": lambda: tree.HoeffdingTreeRegressor(grace_period=5),
    "adaptive tree": lambda: tree.HoeffdingAdaptiveTreeRegressor(grace_period=5, seed=1),
    "forest": lambda: forest.ARFRegressor(n_models=2, seed=1),
    "bagging": lambda: ensemble.BaggingRegressor(lr(), 2, seed=1),
    "nearest": lambda: neighbors.KNNRegressor(3, engine=neighbors.LazySearch(window_size=9)),
    "nearest by graph": lambda: neighbors.KNNRegressor(3),
    "factorisation": lambda: facto.FMRegressor(seed=1),
    "field factorisation": lambda: facto.FFMRegressor(seed=1),
    "mean": lambda: dummy.StatisticRegressor(stats.Mean()),
    "duck": Recorder,
}

CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "logistic": lambda: preprocessing.StandardScaler() | linear_model.LogisticRegression(),
    "bayes": naive_bayes.GaussianNB,
    "tree": lambda: tree.HoeffdingTreeClassifier(grace_period=5),
    "extremely fast tree": lambda: tree.ExtremelyFastDecisionTreeClassifier(grace_period=5),
    "forest": lambda: forest.ARFClassifier(n_models=2, seed=1),
    "boosting": lambda: ensemble.AdaBoostClassifier(naive_bayes.GaussianNB(), 2, seed=1),
    "best features": lambda: (
        feature_selection.SelectKBest(stats.PearsonCorr(), 2) | linear_model.LogisticRegression()
    ),
    "factorisation": lambda: facto.FMClassifier(seed=1),
}


def negated(x: Any) -> Any:
    """Return the features with their signs changed."""
    return {name: -value for name, value in x.items()}


ROWS = [{"a": 0.37 * i % 1, "b": float(i % 3), "c": i % 4} for i in range(25)]
UNSEEN = [ROWS[3], {"a": 0.5, "zz": 4.0}, {"a": 1.5, "b": 9.0, "c": 9}, {"never": 1.0}, {}]


def unchanged_by_asking(wire: Wire, make: Callable[[], Any], target: Callable[[int], Any]) -> None:
    """Ask in every way there is, between learning; the live object must stay as it is."""
    wire.upload("m", make())
    wire.upload("tmpl?", make(), template=True)
    for _ in range(2):
        for i, x in enumerate(ROWS):
            wire.learn("m", target(i), x)
        before = wire.estimator("m")
        for x in UNSEEN:
            ask_in_every_way(wire, before, x)
        assert not difference(before, wire.live("m"))


def ask_in_every_way(wire: Wire, estimator: Any, x: dict[str, Any]) -> None:
    """Ask model "m"; it can answer where the estimator itself can."""
    answers = can_answer(lambda: copy.deepcopy(estimator).predict_one(dict(x)))
    for _ in range(2):
        assert can_answer(lambda: wire.predict("m", x)) == answers
    assert can_answer(lambda: wire.predict("m", x, all_candidates=True)) == answers
    assert can_answer(lambda: wire.predict("m", x, prediction_id="p")) == answers
    can_answer(lambda: wire.predict("tmpl1", x))
    columns = {name: [float(value)] for name, value in x.items()}
    wire.predict_many(models=["m", "tmpl1"], features=columns)


def can_answer(ask: Callable[[], Any]) -> bool:
    """Tell whether a call gives anything."""
    try:
        ask()
    except Exception:
        return False
    return True


@pytest.mark.parametrize("make", REGRESSORS.values(), ids=REGRESSORS)
def test_predicting_never_changes_a_regressor(make: Any, regression: Wire) -> None:
    """Not by a bit, whatever the keys: seen, unseen, few, none."""
    unchanged_by_asking(regression, make, lambda i: float(i % 5))


@pytest.mark.parametrize("make", CLASSIFIERS.values(), ids=CLASSIFIERS)
def test_predicting_never_changes_a_classifier(make: Any, shared_wire: Wire) -> None:
    """In a binary server; the same engine serves the other."""
    shared_wire.init(pb.FLAVOR_BINARY, reset=True)
    unchanged_by_asking(shared_wire, make, lambda i: i % 3 == 0)


def test_predicting_grows_nothing(regression: Wire) -> None:
    """Hundreds of unseen keys leave a scaler as it was; in River it would hold them all."""
    regression.upload("m", linear())
    regression.learn("m", 1.0, {"a": 1.0})
    before = regression.estimator("m")
    for i in range(200):
        regression.predict("m", {f"new{i}": 1.0})
    assert not difference(before, regression.live("m"))


def test_asking_between_does_not_change_what_is_learned(regression: Wire) -> None:
    """A model that is asked a lot answers like one that is not."""
    for name in ("asked", "quiet"):
        regression.upload(name, preprocessing.GaussianRandomProjector(2, seed=1) | lr())
    for i, x in enumerate(ROWS):
        for other in UNSEEN:
            can_answer(partial(regression.predict, "asked", other))
        answers = [regression.learn(m, float(i), x).candidates[0] for m in ("asked", "quiet")]
        assert answers[0] == answers[1]
    assert not difference(regression.live("asked"), regression.live("quiet"))


def test_the_champion_answers_and_is_named(regression: Wire) -> None:
    """Others answer where all are asked for, or one is by name."""
    wire = regression
    wire.upload("m", Constant(5.0), "far")
    wire.upload("m", Constant(1.0), "near")
    wire.learn("m", 0.0, date="2016-05-22")
    response = wire.predict("m")
    assert (response.model, response.candidate, response.prediction.value) == ("m", "near", 1.0)
    assert (response.learned, response.learned_through) == (1, "2016-05-22")
    assert list(response.candidates) == []
    response = wire.predict("m", candidate="far", all_candidates=True)
    assert (response.candidate, response.prediction.value) == ("far", 5.0)
    assert [(c.candidate, c.prediction.value, c.champion) for c in response.candidates] == [
        ("far", 5.0, False),
        ("near", 1.0, True),
    ]


def test_the_next_best_finite_answer_stands_in(regression: Wire) -> None:
    """Per call: NaN and errors are passed over; the champion stays champion."""
    wire = regression
    wire.upload("m", Recorder(), "best")
    wire.upload("m", Nan(), "nan")
    wire.upload("m", Constant(9.0), "third")
    wire.upload("m", Constant(5.0), "second")
    wire.learn("m", 1.0, {"answer": 1.0})
    assert wire.predict("m", {"answer": 1.0}).candidate == "best"
    response = wire.predict("m", {"answer": "nan"}, all_candidates=True)
    assert (response.candidate, response.prediction.value) == ("second", 5.0)
    assert [c.candidate for c in response.candidates if c.champion] == ["best"]
    assert wire.predict("m", {"answer": "x"}).candidate == "second"
    assert wire.get("m").champion == "best"


def test_no_finite_answer_is_no_prediction_and_no_error(regression: Wire) -> None:
    """OK without a prediction, unless everyone raised."""
    wire = regression
    wire.upload("m", Nan())
    assert not wire.predict("m").HasField("prediction")
    wire.upload("m", RaisesInPredict(), "b")
    assert not wire.predict("m").HasField("prediction")
    wire.delete("m", "default")
    with refused("ESTIMATOR_FAILED"):
        wire.predict("m")


def test_zero_is_a_prediction(regression: Wire) -> None:
    """0.0 is sent, with its sign."""
    regression.upload("m", Constant(-0.0))
    prediction = regression.predict("m").prediction
    assert prediction.WhichOneof("kind") == "value"
    assert math.copysign(1.0, prediction.value) == -1.0


class DayCounter(Constant):
    """Answers the ordinal of the date in `x`."""

    def predict_one(self, x: Any) -> Any:
        """Answer; every seventh day NaN."""
        day = date.fromisoformat(x["date"]).toordinal()
        return math.nan if day % 7 == 0 else float(day)


@pytest.mark.parametrize("days", [0, 1])
def test_a_horizon_of_one_is_no_forecast(days: int, regression: Wire) -> None:
    """`forecast` stays empty, and no date is needed."""
    regression.upload("m", Constant(2.0))
    response = regression.predict("m", horizon=days)
    assert response.prediction.value == 2.0
    assert list(response.forecast) == []


@pytest.mark.parametrize("days", [2, 366])
def test_a_horizon_is_consecutive_days_from_the_date(days: int, regression: Wire) -> None:
    """Each from the model as it is, with x["date"] moved on; bounds are unset."""
    regression.upload("m", DayCounter(), context=[DATE])
    first = date(2016, 2, 27)
    before = regression.estimator("m")
    response = regression.predict("m", date=str(first), horizon=days)
    expected = [first + timedelta(i) for i in range(days)]
    assert [p.date for p in response.forecast] == [str(day) for day in expected]
    for day, point in zip(expected, response.forecast, strict=True):
        assert point.HasField("mean") == (day.toordinal() % 7 != 0)
        assert point.mean in (0.0, day.toordinal())
        assert not point.HasField("lower")
        assert not point.HasField("upper")
    assert response.prediction.value == first.toordinal() == response.forecast[0].mean
    assert not difference(before, regression.live("m"))


def test_many_models_answer_in_the_order_asked(regression: Wire) -> None:
    """NaN for those that cannot answer, and names that nobody has in a list of their own."""
    wire = regression
    for i, name in enumerate("cab"):
        wire.upload(name, Constant(float(i)))
    wire.upload("nan", Nan())
    wire.upload("broken", RaisesInPredict())
    wire.upload("t*", Constant(7.0), template=True)
    parts = wire.predict_many(models=["b", "nix", "nan", "a", "broken", "t1", "c", "b", ""])
    means = [m for part in parts for m in part.means]
    assert [m for part in parts for m in part.models] == [
        *("b", "nan", "a", "broken", "t1", "c", "b")
    ]
    assert np.array_equal(means, [2.0, math.nan, 1.0, math.nan, 7.0, 0.0, 2.0], equal_nan=True)
    assert [m for part in parts for m in part.unknown_models] == ["nix", ""]
    assert [d for part in parts for d in part.date_days] == []
    assert wire.names() == ["a", "b", "broken", "c", "nan"]


def test_many_by_glob_answer_in_order_of_name(regression: Wire) -> None:
    """Models only, templates create nothing; a glob may match none."""
    wire = regression
    for name in ["ab", "aa", "ba", "aab"]:
        wire.upload(name, Constant(1.0))
    assert wire.predict_many(glob="a?")[0].models == ["aa", "ab"]
    assert wire.predict_many(glob="a*")[0].models == ["aa", "aab", "ab"]
    assert [list(p.models) for p in wire.predict_many(glob="A*")] == [[]]
    assert wire.predict_many()[0].models == ["aa", "aab", "ab", "ba"]


def test_a_horizon_of_many_is_model_major(regression: Wire) -> None:
    """All days of the first model, then of the second."""
    wire = regression
    for name in "ab":
        wire.upload(name, DayCounter(), context=[DATE])
    first = date(2016, 5, 23)
    (part,) = wire.predict_many(models=["b", "a"], date=str(first), horizon=3)
    epoch = date(1970, 1, 1).toordinal()
    assert list(part.date_days) == [first.toordinal() - epoch + i for i in range(3)]
    assert list(part.means) == [float(first.toordinal() + i) for i in range(3)] * 2
    assert wire.predict_many(models=["a"], date=str(first))[0].date_days == [part.date_days[0]]


def test_features_of_many_are_one_for_all_or_one_each(regression: Wire) -> None:
    """Columns go by position, names that nobody has included."""
    wire = regression
    for name in "ab":
        wire.upload(name, Recorder())
    each = {"answer": [1.0, 2.0, 3.0], "z": ["t"]}
    (part,) = wire.predict_many(models=["a", "nix", "b"], features=each)
    assert list(part.means) == [1.0, 3.0]
    (part,) = wire.predict_many(glob="*", features={"answer": [5.0]})
    assert list(part.means) == [5.0, 5.0]


def test_a_candidate_of_many_is_asked_by_name(regression: Wire) -> None:
    """A model without it has NaN."""
    wire = regression
    wire.upload("a", Constant(1.0), "x")
    wire.upload("a", Constant(2.0), "y")
    wire.upload("b", Constant(3.0), "x")
    (part,) = wire.predict_many(models=["a", "b"], candidate="y")
    assert part.means[0] == 2.0
    assert math.isnan(part.means[1])


def test_many_answers_come_in_parts_below_a_mebibyte(regression: Wire) -> None:
    """Forecasts of many long names do not exceed what a client receives."""
    wire = regression
    wire.upload("t*", Constant(1.0), template=True)
    names = [f"t{i:0>250}" for i in range(4_500)]
    parts = wire.predict_many(models=names, date="2016-05-23", horizon=2)
    assert len(parts) >= 2
    assert max(part.ByteSize() for part in parts) <= 1024 * 1024
    assert [m for part in parts for m in part.models] == names
    assert all(len(p.means) == 2 * len(p.models) for p in parts)


def test_predicting_for_a_name_that_a_template_matches_creates_nothing(regression: Wire) -> None:
    """A fresh clone answers and is dropped."""
    wire = regression
    wire.upload("t*", Constant(7.0), template=True)
    held = len(wire.engine)
    assert wire.predict("t1", all_candidates=True).prediction.value == 7.0
    assert wire.predict("t1").learned == 0
    assert wire.names() == []
    assert len(wire.engine) == held


def waiting(wire: Wire) -> list[Future[Any]]:
    """What waits for the models' thread."""
    calls = list(wire.server.server.models_thread._calls)
    single = [call.future for call in calls if isinstance(call, Job)]
    return single + [
        future for call in calls if isinstance(call, Group) for _, future in call.waiting
    ]


def test_a_deadline_that_has_passed_is_noticed_before_the_work_starts(regression: Wire) -> None:
    """A Learn that waited too long for its turn teaches nothing."""
    wire = regression
    wire.upload("m", Recorder())
    held, over = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(wire.run, lambda: held.set() or over.wait(SECONDS))
        assert held.wait(SECONDS)
        late = pb.LearnRequest(model="m", target=pb.Value(number=1))
        with pytest.raises(grpc.RpcError) as raised:
            wire.stub.Learn(late, timeout=0.1)
        assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        with pytest.raises(grpc.RpcError):
            wire.stub.Predict(question("m", prediction_id="p"), timeout=0.05)
        until(lambda: all(future.cancelled() for future in waiting(wire)))  # the server knows, too
        over.set()
        assert busy.result(SECONDS)
    assert wire.get("m").learned == 0
    with refused("UNKNOWN_PREDICTION"):
        wire.learn("m", 1.0, prediction_id="p")
