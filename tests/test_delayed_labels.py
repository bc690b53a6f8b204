"""Predictions that wait for their true value, by prediction_id."""

from __future__ import annotations

import math

import pytest
from river import metrics

from tests.estimators import Constant, RaisesInPredict, Recorder, linear
from tests.structure import difference
from tests.wire import Wire, batch, refused, row
from thalweg.v1 import forecaster_pb2 as pb
from thalweg_server.core.limits import Limits

X = {"b": 2.0, "a": 1.0}


def test_the_stored_prediction_is_scored_and_the_stored_features_are_learned(
    regression: Wire,
) -> None:
    """Whatever the model has learned meanwhile."""
    wire, loop = regression, linear()
    wire.upload("m", loop)
    mae = metrics.MAE()
    answer = wire.predict("m", X, prediction_id="p", date="2016-05-01").prediction.value
    assert answer == loop.predict_one(dict(sorted(X.items())))
    for i in range(5):
        mae.update(i, loop.predict_one({"a": float(i)}))
        loop.learn_one({"a": float(i)}, float(i))
        wire.learn("m", float(i), {"a": float(i)})
    response = wire.learn("", 7.0, prediction_id="p")
    mae.update(7.0, answer)
    loop.learn_one(dict(sorted(X.items())), 7.0)
    assert (response.model, response.duplicate, response.learned) == ("m", False, 6)
    assert response.candidates[0].prediction.value == answer
    assert response.scores[0].mae == mae.get()
    assert not difference(loop, wire.estimator("m"))
    assert wire.get("m").learned_through == "2016-05-01"


@pytest.mark.parametrize(
    "given",
    [{}, {"model": "m"}, {"date": "2016-05-01"}, {"x": X}, {"model": "m", "date": "2016-05-01"}],
    ids=str,
)
def test_what_is_sent_again_is_empty_or_equal(given: dict[str, object], regression: Wire) -> None:
    """Model, date and features may come again, unchanged."""
    regression.upload("m", linear())
    regression.predict("m", X, prediction_id="p", date="2016-05-01")
    fields = {"model": "", **given}
    assert regression.learn(target=1.0, prediction_id="p", **fields).learned == 1


def test_a_text_may_come_again_unchanged(multiclass: Wire) -> None:
    """Another text is refused, and so are features."""
    wire = multiclass
    from river import feature_extraction, naive_bayes

    wire.upload("m", feature_extraction.BagOfWords() | naive_bayes.MultinomialNB())
    wire.predict("m", "cheap pills", prediction_id="p")
    with refused("BAD_REQUEST"):
        wire.learn("m", "spam", "other", prediction_id="p")
    with refused("BAD_REQUEST"):
        wire.learn("m", "spam", {"a": 1}, prediction_id="p")
    assert wire.learn("m", "spam", "cheap pills", prediction_id="p").learned == 1


def test_once_learned_an_id_is_a_duplicate_to_learn_and_used_to_predict(regression: Wire) -> None:
    """Both leave everything as it is."""
    wire = regression
    wire.upload("m", linear())
    wire.predict("m", X, prediction_id="p")
    wire.learn("m", 1.0, prediction_id="p")
    wire.learn("m", 2.0)
    before = wire.state()
    again = wire.learn("m", 9.0, prediction_id="p")
    assert (again.duplicate, again.learned, again.model) == (True, 2, "m")
    with refused("PREDICTION_USED"):
        wire.predict("m", X, prediction_id="p")
    assert not difference(before, wire.state())


def test_the_same_id_while_pending_replaces_what_was_stored(regression: Wire) -> None:
    """Model, features and answers; only the last are learned."""
    wire = regression
    wire.upload("m", Recorder())
    wire.upload("n", Recorder())
    wire.predict("m", {"answer": 1.0}, prediction_id="p")
    wire.predict("n", {"answer": 2.0}, prediction_id="p")
    with refused("BAD_REQUEST"):
        wire.learn("m", 0.0, prediction_id="p")
    response = wire.learn("", 0.0, prediction_id="p")
    assert (response.model, response.scores[0].mae) == ("n", 2.0)
    assert wire.get("m").learned == 0


def test_every_candidates_answer_is_stored_and_scored(regression: Wire) -> None:
    """Also where only one was asked for."""
    wire = regression
    wire.upload("m", Constant(1.0), "one")
    wire.upload("m", Constant(2.0), "two")
    wire.upload("m", Constant(math.nan), "nan")
    wire.upload("m", RaisesInPredict(), "raises")
    asked = wire.predict("m", candidate="two", prediction_id="p")
    assert (asked.candidate, list(asked.candidates)) == ("two", [])
    response = wire.learn("m", 0.0, prediction_id="p")
    scores = {s.candidate: s for s in response.scores}
    assert (scores["one"].mae, scores["two"].mae) == (1.0, 2.0)
    assert (scores["nan"].count, scores["nan"].nonfinite) == (0, 1)
    assert (scores["raises"].count, scores["raises"].nonfinite) == (0, 0)
    errors = {c.candidate: c.error for c in response.candidates}
    assert errors["raises"] == "ValueError: no answer from me"


def test_a_candidate_added_since_learns_and_is_not_scored(regression: Wire) -> None:
    """One that was replaced since is a new one, too."""
    wire = regression
    wire.upload("m", Constant(1.0), "old")
    wire.upload("m", Constant(1.0), "replaced")
    wire.predict("m", prediction_id="p")
    wire.upload("m", Constant(5.0), "new")
    wire.upload("m", Constant(5.0), "replaced", replace=True)
    response = wire.learn("m", 0.0, prediction_id="p")
    assert {s.candidate: s.count for s in response.scores} == {"old": 1, "new": 0, "replaced": 0}
    assert [s.nonfinite for s in response.scores] == [0, 0, 0]
    assert [wire.estimator("m", c).learned for c in ("old", "new", "replaced")] == [1, 1, 1]
    shown = {c.candidate: c.HasField("prediction") for c in response.candidates}
    assert shown["old"]
    assert not shown.get("new")


def test_a_candidate_deleted_since_does_not_matter(regression: Wire) -> None:
    """Its answer is forgotten with it."""
    wire = regression
    wire.upload("m", Constant(1.0), "a")
    wire.upload("m", Constant(2.0), "b")
    wire.predict("m", prediction_id="p")
    wire.delete("m", "a")
    response = wire.learn("m", 0.0, prediction_id="p")
    assert [(s.candidate, s.mae) for s in response.scores] == [("b", 2.0)]


def test_ids_of_a_deleted_model_are_forgotten(regression: Wire) -> None:
    """A model of the same name does not inherit them."""
    wire = regression
    wire.upload("m", Constant())
    wire.predict("m", prediction_id="p")
    wire.delete("m")
    wire.upload("m", Constant())
    with refused("UNKNOWN_PREDICTION"):
        wire.learn("m", 1.0, prediction_id="p")
    assert wire.server.server.service.ledger.pending == 0


def test_a_name_that_only_a_template_knows_can_be_asked_for_later(regression: Wire) -> None:
    """The model comes to be when the true value comes, and the stored answer is scored."""
    wire = regression
    wire.upload("t*", Constant(3.0), template=True)
    assert wire.predict("t1", prediction_id="p").prediction.value == 3.0
    assert wire.names() == []
    response = wire.learn("t1", 1.0, prediction_id="p")
    assert (response.scores[0].mae, response.scores[0].count) == (2.0, 1)
    assert wire.names() == ["t1"]


def test_request_id_and_prediction_id_go_together(regression: Wire) -> None:
    """Either of them makes a repeat a duplicate."""
    wire = regression
    wire.upload("m", Constant())
    wire.predict("m", prediction_id="p")
    wire.learn("m", 1.0, prediction_id="p", request_id="r")
    assert wire.learn("m", 1.0, request_id="r").duplicate
    assert wire.learn("m", 1.0, prediction_id="p").duplicate
    assert wire.get("m").learned == 1


def test_ids_work_inside_the_rows_of_a_stream(regression: Wire) -> None:
    """Scored with what was stored; repeats are duplicates, within a batch and across."""
    wire = regression
    wire.upload("m", Recorder())
    wire.upload("n", Recorder())
    wire.predict("m", {"answer": 5.0}, prediction_id="p", date="2016-05-01")
    rows = [
        row("n", 0.0, {"answer": 1.0}, request_id="r"),
        row("", 2.0, prediction_id="p"),
        row("m", 2.0, {"answer": 2.0}),
        row("", 2.0, prediction_id="p"),
        row("n", 0.0, {"answer": 1.0}, request_id="r"),
        row("m", 2.0, prediction_id="never"),
        row("m", 2.0, {"answer": 9.0}, prediction_id="p"),
    ]
    with wire.stream() as stream:
        stream.open("s", return_predictions=True)
        ack = stream.learn(batch(1, rows))
    assert (ack.learned, ack.duplicates, ack.error_count) == (3, 3, 1)
    assert [(e.row, e.reason) for e in ack.errors] == [(5, pb.ERROR_REASON_UNKNOWN_PREDICTION)]
    assert list(ack.predictions)[:3] == [1.0, 5.0, 2.0]
    assert all(map(math.isnan, list(ack.predictions)[3:]))
    assert wire.score("m").mae == 1.5
    assert wire.estimator("m").seen == [([("answer", 5.0)], 2.0), ([("answer", 2.0)], 2.0)]
    assert wire.learn("m", 1.0, request_id="r").duplicate


def test_the_newest_ids_are_kept(start_server: object, connect: object) -> None:
    """Beyond the limit the oldest are forgotten, of predictions and of requests."""
    wire = connect(start_server(limits=Limits(ids_kept_max=2)))  # type: ignore[operator]
    wire.upload("m", Constant())
    for i in range(3):
        wire.predict("m", prediction_id=f"p{i}")
        wire.learn("m", 1.0, request_id=f"r{i}")
    with refused("UNKNOWN_PREDICTION"):
        wire.learn("m", 1.0, prediction_id="p0")
    assert not wire.learn("m", 1.0, request_id="r0").duplicate
    assert wire.learn("m", 1.0, request_id="r2").duplicate
    assert not wire.learn("m", 1.0, prediction_id="p2").duplicate
    assert wire.server.server.service.ledger.pending == 1


def test_ids_are_kept_for_a_time(start_server: object, connect: object) -> None:
    """Then they are as if they had never been."""
    wire = connect(start_server(limits=Limits(ids_kept_seconds=0.0)))  # type: ignore[operator]
    wire.upload("m", Constant())
    wire.predict("m", prediction_id="p0")
    wire.predict("m", prediction_id="p1")
    with refused("UNKNOWN_PREDICTION"):
        wire.learn("m", 1.0, prediction_id="p0")


def test_two_candidates_learn_delayed_labels_out_of_order(regression: Wire) -> None:
    """Each id brings its own features and date back."""
    wire = regression
    wire.upload("m", Recorder(), context=[pb.CONTEXT_FIELD_DATE])
    for day in (1, 2, 3):
        wire.predict("m", {"answer": float(day)}, prediction_id=f"{day}", date=f"2016-05-0{day}")
    for day in (3, 1, 2):
        wire.learn("", 0.0, prediction_id=f"{day}")
    dates = [dict(x)["date"] for x, _ in wire.estimator("m").seen]
    assert dates == ["2016-05-03", "2016-05-01", "2016-05-02"]
    assert wire.get("m").learned_through == "2016-05-03"
    assert wire.score("m").mae == metrics_mean([3.0, 1.0, 2.0])


def metrics_mean(errors: list[float]) -> float:
    """Return the mean that River's MAE gives."""
    mae = metrics.MAE()
    for error in errors:
        mae.update(0.0, error)
    return float(mae.get())
