"""Learn: progressive validation of every candidate, equal to a River loop."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from river import feature_extraction, linear_model, metrics, naive_bayes, optim, preprocessing

from tests.estimators import Constant, Duck, RaisesInLearn, RaisesInPredict, Recorder, linear
from tests.structure import difference
from tests.wire import Wire, refused
from thalweg.v1 import forecaster_pb2 as pb

ID, DATE = pb.CONTEXT_FIELD_ID, pb.CONTEXT_FIELD_DATE


def observations(count: int, seed: int = 1) -> list[tuple[dict[str, Any], float]]:
    """Return rows whose keys come in no order."""
    rng = random.Random(seed)
    rows = []
    for _ in range(count):
        names = [f"f{i}" for i in range(12)]
        rng.shuffle(names)
        x = {name: rng.gauss(0, 10) for name in names}
        rows.append((x, sum(x.values()) + rng.random()))
    return rows


def by_name(x: dict[str, Any]) -> dict[str, Any]:
    """Return the features as the contract hands them to an estimator."""
    return dict(sorted(x.items()))


def optimised() -> Any:
    """Return an estimator whose numbers depend on the order of its keys."""
    return preprocessing.StandardScaler() | linear_model.LinearRegression(optim.Adam(0.1))


def test_keys_reach_the_estimator_sorted_by_name(regression: Wire) -> None:
    """Predictions equal those of a River loop with sorted keys, bit for bit."""
    wire, loop, unsorted = regression, optimised(), optimised()
    wire.upload("m", optimised())
    differs = False
    for x, y in observations(100):
        expected, naive = loop.predict_one(by_name(x)), unsorted.predict_one(x)
        differs |= expected != naive
        loop.learn_one(by_name(x), y)
        unsorted.learn_one(x, y)
        assert wire.learn("m", y, x).candidates[0].prediction.value == expected
    assert differs, "the order of keys should matter here, or this proves nothing"
    assert not difference(loop, wire.estimator("m"))


def test_x_is_the_features_and_then_the_context_asked_for(regression: Wire) -> None:
    """Id and date come last, as text, and only where the features do not give them."""
    wire = regression
    wire.upload("m", Recorder(), "both", context=[DATE, ID])
    wire.upload("m", Recorder(), "id", context=[ID])
    wire.upload("m", Recorder(), "none")
    wire.learn("m", 1.0, {"z": 1, "a": True}, date="2016-05-23")
    wire.learn("m", 2.0, {"id": "mine", "date": 7.5})
    given = [("a", True), ("z", 1)]
    own = [("date", 7.5), ("id", "mine")]
    seen = {c: [x for x, _ in wire.estimator("m", c).seen] for c in ("both", "id", "none")}
    assert seen["both"] == [[*given, ("id", "m"), ("date", "2016-05-23")], own]
    assert seen["id"] == [[*given, ("id", "m")], own]
    assert seen["none"] == [given, own]


def test_every_kind_of_feature_arrives_as_its_python_type(regression: Wire) -> None:
    """Numbers, texts, flags, integers and None are what they were; zero is a value."""
    wire = regression
    wire.upload("m", Recorder())
    x = {"a": 0.0, "b": "", "c": False, "d": 0, "e": None, "f": -(10**15), "g": 1e15, "h": -0.0}
    wire.learn("m", 0.0, x)
    seen = wire.estimator("m").seen[0][0]
    assert not difference(seen, list(x.items()))


def test_a_text_is_x_itself(multiclass: Wire) -> None:
    """A text model sees the text, also an empty one, and equals its River loop."""
    wire = multiclass
    model = feature_extraction.BagOfWords() | naive_bayes.MultinomialNB()
    wire.upload("m", model)
    rows = [("cheap pills", "spam"), ("see you at noon", "ham"), ("", "ham"), ("pills", "spam")]
    for text, y in rows * 3:
        expected = model.predict_proba_one(text)
        model.learn_one(text, y)
        answer = wire.learn("m", y, text).candidates[0].prediction
        assert dict(answer.probabilities.by_class) == expected
    assert wire.predict("m", "cheap").prediction.label == model.predict_one("cheap")


@pytest.mark.parametrize(
    ("sent", "learned"), [(3, 3.0), (True, 1.0), (False, 0.0), (2.5, 2.5), (-0.0, -0.0)]
)
def test_regression_targets_are_floats(sent: Any, learned: float, regression: Wire) -> None:
    """Integers and flags are learned as floats."""
    regression.upload("m", Recorder())
    regression.learn("m", sent)
    assert not difference(regression.estimator("m").seen[0][1], learned)


@pytest.mark.parametrize(("sent", "learned"), [(True, True), (0, False), (1.0, True)])
def test_binary_targets_are_flags(sent: Any, learned: bool, binary: Wire) -> None:
    """0 and 1 are learned as bool."""
    binary.upload("m", Duck())
    binary.learn("m", sent)
    assert binary.estimator("m").last is learned


@pytest.mark.parametrize(("first", "second"), [("a", 1), (1, True), (True, "true"), (0, "0")])
def test_the_first_target_fixes_the_kind_of_classes(
    first: Any, second: Any, multiclass: Wire
) -> None:
    """Texts, integers and flags stay what they are, and do not mix within a model."""
    wire = multiclass
    wire.upload("m", Duck())
    wire.upload("other", Duck())
    wire.learn("m", first)
    assert type(wire.estimator("m").last) is type(first)
    with refused("BAD_TARGET"):
        wire.learn("m", second)
    wire.learn("other", second)


def test_mae_and_rmse_equal_rivers_metrics_bit_for_bit(regression: Wire) -> None:
    """Fed the same pairs, also ones that are far apart."""
    wire, loop = regression, linear()
    mae, rmse = metrics.MAE(), metrics.RMSE()
    wire.upload("m", linear())
    for i, (x, moderate) in enumerate(observations(80)):
        y = moderate * 1e9 if i == 40 else moderate
        answer = loop.predict_one(by_name(x))
        loop.learn_one(by_name(x), y)
        mae.update(y, answer)
        rmse.update(y, answer)
        score = wire.learn("m", y, x).scores[0]
        assert (score.mae, score.rmse, score.count) == (mae.get(), rmse.get(), i + 1)


def test_mae_recent_is_the_mean_of_the_last_28_errors(regression: Wire) -> None:
    """One huge error leaves no rounding behind once it is out of the window."""
    wire = regression
    wire.upload("m", Constant())
    errors = [1e14, *[0.1 * (i % 7) for i in range(40)]]
    for i, error in enumerate(errors, 1):
        score = wire.learn("m", error).scores[0]
        last = errors[max(0, i - 28) : i]
        assert score.mae_recent == pytest.approx(math.fsum(last) / len(last), rel=1e-15)


UNUSABLE = [math.nan, math.inf, -math.inf, 1.1e100, 10**400, None]


@pytest.mark.parametrize("answer", UNUSABLE, ids=lambda each: str(each)[:9])
def test_an_unusable_prediction_is_counted_and_not_scored(answer: Any, regression: Wire) -> None:
    """NaN, infinite, beyond 1e100 or None: `nonfinite`, no prediction, and scores stay as good."""
    wire = regression
    wire.upload("m", Recorder())
    wire.upload("m", Constant(answer), "odd")
    for _ in range(3):
        response = wire.learn("m", 4.0, {"answer": 1.0})
    odd = response.candidates[1]
    assert not odd.HasField("prediction")
    assert odd.error == ""
    good, bad = response.scores
    assert (good.mae, good.count, good.nonfinite, good.champion) == (3.0, 3, 0, True)
    assert (bad.count, bad.nonfinite, bad.HasField("mae")) == (0, 3, False)
    assert wire.estimator("m", "odd").learned == 3


def test_scores_go_on_after_unusable_predictions(regression: Wire) -> None:
    """MAE and RMSE are those of the usable pairs alone, bit for bit."""
    wire, mae, rmse = regression, metrics.MAE(), metrics.RMSE()
    wire.upload("m", Switch())
    for i, answer in enumerate([0.1, math.nan, 1e100, math.inf, 0.3, 1e101, 0.7]):
        score = wire.learn("m", 0.25 * i, {"i": str(answer)}).scores[0]
        if abs(answer) <= 1e100:
            mae.update(0.25 * i, answer)
            rmse.update(0.25 * i, answer)
        assert (score.mae, score.rmse) == (mae.get(), rmse.get())
        assert math.isfinite(score.mae)
        assert math.isfinite(score.rmse)
    assert (score.count, score.nonfinite) == (4, 3)


class Switch(Constant):
    """Answers the number that `x` spells."""

    def predict_one(self, x: Any) -> Any:
        """Answer."""
        return float(x["i"])


def test_a_candidate_that_raises_does_not_stop_the_others(regression: Wire) -> None:
    """OK, with its error; the healthy one learns, and answers."""
    wire = regression
    wire.upload("m", RaisesInPredict(), "a")
    wire.upload("m", RaisesInLearn(7.0), "b")
    wire.upload("m", Constant(1.0), "c")
    response = wire.learn("m", 2.0)
    errors = {c.candidate: c.error for c in response.candidates}
    assert errors["a"] == "ValueError: no answer from me"
    assert errors["b"] == "KeyError: 'nothing learned'"
    assert errors["c"] == ""
    assert [wire.estimator("m", c).learned for c in "abc"] == [1, 0, 1]
    assert [c.learned for c in wire.get("m").candidates] == [1, 0, 1]
    scores = {s.candidate: s for s in response.scores}
    assert (scores["a"].count, scores["b"].mae, scores["c"].mae) == (0, 5.0, 1.0)
    assert scores["a"].nonfinite == 0
    assert response.learned == 1
    assert wire.predict("m").candidate == "c"


def test_an_observation_that_every_candidate_raised_on_is_used_up(regression: Wire) -> None:
    """ESTIMATOR_FAILED says so, and the same request id is a duplicate from then on."""
    wire = regression
    wire.upload("m", RaisesInLearn())
    with refused("ESTIMATOR_FAILED") as seen:
        wire.learn("m", 1.0, request_id="r")
    assert seen[0].metadata == {"consumed": "true"}
    again = wire.learn("m", 1.0, request_id="r")
    assert (again.duplicate, again.learned) == (True, 0)


def test_the_same_request_id_changes_nothing(regression: Wire) -> None:
    """A repeated call is a duplicate, with the current count and scores."""
    wire = regression
    wire.upload("m", linear())
    assert not wire.learn("m", 1.0, {"a": 1}, request_id="r").duplicate
    wire.learn("m", 2.0, {"a": 2})
    before = wire.state()
    again = wire.learn("m", 9.0, {"a": 9}, request_id="r")
    assert (again.duplicate, again.model, again.learned) == (True, "m", 2)
    assert (len(again.scores), len(again.candidates)) == (1, 0)
    assert not difference(before, wire.state())
    assert not wire.learn("m", 9.0, {"a": 9}, request_id="s").duplicate


def test_a_request_that_was_refused_may_be_sent_again(regression: Wire) -> None:
    """A refusal does not use up the request id."""
    wire = regression
    wire.upload("m", linear())
    with refused("BAD_TARGET"):
        wire.learn("m", math.nan, request_id="r")
    with refused("UNKNOWN_MODEL"):
        wire.learn("n", 1.0, request_id="r")
    assert not wire.learn("m", 1.0, request_id="r").duplicate


def test_learned_through_is_the_latest_date(regression: Wire) -> None:
    """Not the last one; rows without a date do not move it."""
    wire = regression
    wire.upload("m", linear())
    seen = []
    for date in ["", "2016-05-02", "2016-05-01", "", "1969-12-31"]:
        wire.learn("m", 1.0, date=date)
        seen.append(wire.get("m").learned_through)
    assert seen == ["", *["2016-05-02"] * 4]
    assert wire.predict("m").learned_through == "2016-05-02"
    assert wire.predict("m").learned == 5


def test_learn_answers_with_what_was_predicted_before(regression: Wire) -> None:
    """Every candidate's answer, who was champion then, and the scores after."""
    wire = regression
    wire.upload("m", Constant(10.0), "far")
    wire.upload("m", Constant(1.0), "near")
    response = wire.learn("m", 0.0)
    assert [(c.candidate, c.prediction.value, c.champion) for c in response.candidates] == [
        ("far", 10.0, True),
        ("near", 1.0, False),
    ]
    assert [(s.candidate, s.mae, s.champion) for s in response.scores] == [
        ("far", 10.0, False),
        ("near", 1.0, True),
    ]


def test_zero_is_a_score(regression: Wire) -> None:
    """A perfect candidate has MAE 0.0, present; before its first score it has none."""
    wire = regression
    wire.upload("m", Constant(0.0))
    assert not wire.score("m").HasField("mae")
    score = wire.learn("m", 0.0).scores[0]
    assert score.HasField("mae")
    assert (score.mae, score.rmse, score.mae_recent) == (0.0, 0.0, 0.0)
