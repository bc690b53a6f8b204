"""UploadModel and DeleteModel."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import pytest
from river import preprocessing, tree

from tests.estimators import Constant, Duck, linear, mean
from tests.structure import difference
from tests.wire import Wire, payload, refused
from thalweg.v1 import forecaster_pb2 as pb


def test_an_upload_answers_and_learns_at_once_with_its_state(regression: Wire) -> None:
    """What it learned elsewhere comes along."""
    wire, model = regression, linear()
    for i in range(10):
        model.learn_one({"a": float(i)}, 2.0 * i)
    info = wire.upload("m", model)
    assert (info.model, info.champion, info.learned, info.template) == ("m", "default", 0, False)
    assert not difference(model, wire.estimator("m"))
    assert wire.predict("m", {"a": 3.0}).prediction.value == model.predict_one({"a": 3.0})


def test_an_upload_is_described(regression: Wire) -> None:
    """River's repr, its engine and why, its size and score."""
    wire = regression
    info = wire.upload("m", preprocessing.StandardScaler() | tree.HoeffdingTreeRegressor())
    (candidate,) = info.candidates
    assert candidate.estimator == repr(
        preprocessing.StandardScaler() | tree.HoeffdingTreeRegressor()
    )
    assert candidate.engine == "river"
    assert candidate.engine_reason
    assert candidate.state_bytes > 1000
    assert not candidate.score.HasField("mae")
    assert wire.get("m").candidates[0].estimator == candidate.estimator


def test_a_good_checksum_is_accepted(regression: Wire) -> None:
    """SHA-256 of the payload, 32 bytes."""
    data = payload(linear())
    regression.upload("m", data, sha256=hashlib.sha256(data).digest())
    assert regression.names() == ["m"]


def test_duck_types_are_taken_by_their_methods(regression: Wire, binary: Wire) -> None:
    """Anything with learn_one and predict_one, in any flavor, also behind a transformer."""
    for flavor, target in [(pb.FLAVOR_REGRESSION, 2.0), (pb.FLAVOR_BINARY, True)]:
        regression.init(flavor, reset=True)
        regression.upload("m", Duck())
        regression.learn("m", target)
        assert regression.predict("m").HasField("prediction")


def test_replace_restarts_score_and_count(regression: Wire) -> None:
    """Of that candidate; the model and its siblings go on."""
    wire = regression
    wire.upload("m", Constant(1.0), "a")
    wire.upload("m", Constant(2.0), "b")
    wire.learn("m", 0.0, date="2016-05-01")
    info = wire.upload("m", Constant(9.0), "a", replace=True)
    fresh = {c.candidate: c for c in info.candidates}
    assert [c.candidate for c in info.candidates] == ["b", "a"]
    assert (fresh["a"].learned, fresh["a"].score.count) == (0, 0)
    assert not fresh["a"].score.HasField("mae")
    assert (fresh["b"].learned, fresh["b"].score.mae) == (1, 2.0)
    assert (info.learned, info.learned_through) == (1, "2016-05-01")
    assert wire.predict("m", candidate="a").prediction.value == 9.0
    score = next(s for s in wire.learn("m", 0.0).scores if s.candidate == "a")
    assert (score.mae, score.mae_recent, score.count) == (9.0, 9.0, 1)


def test_replace_of_nothing_is_an_upload(regression: Wire) -> None:
    """The flag only allows it."""
    assert regression.upload("m", Constant(), replace=True).model == "m"


def test_a_refused_replacement_keeps_the_old_one(regression: Wire) -> None:
    """Nothing changes on an error."""
    wire = regression
    wire.upload("m", linear())
    wire.learn("m", 1.0, {"a": 1.0})
    before = wire.state()
    with refused("NOT_AN_ESTIMATOR"):
        wire.upload("m", {"no": "estimator"}, replace=True)
    with refused("BAD_PAYLOAD"):
        wire.upload("m", b"junk", replace=True)
    assert not difference(before, wire.state())


def test_the_engine_keeps_nothing_of_what_was_refused_or_removed(regression: Wire) -> None:
    """As many live estimators as candidates."""
    wire = regression
    wire.upload("m", Constant(), "a")
    wire.upload("m", Constant(), "b")
    wire.upload("t*", Constant(), template=True)
    wire.upload("m", Constant(), "a", replace=True)
    wire.learn("t1", 1.0)
    with refused("CANDIDATE_EXISTS"):
        wire.upload("m", Constant(), "a")
    with refused("NOT_AN_ESTIMATOR"):
        wire.upload("m", preprocessing.StandardScaler(), "c")
    wire.predict("t2")
    wire.delete("m", "b")
    assert len(wire.engine) == 3
    wire.delete("m")
    wire.delete("t*", template=True)
    wire.delete("t1")
    assert len(wire.engine) == 0
    board = wire.server.server.service.board
    assert sum(width * len(runs) for width, runs in board._free.items()) == board.size
    assert not board.count.any()


def test_deleting_a_candidate_leaves_its_siblings(regression: Wire) -> None:
    """The champion is chosen among them; with the last one the model goes."""
    wire = regression
    wire.upload("m", Constant(0.0), "best")
    wire.upload("m", Constant(1.0), "next")
    wire.learn("m", 0.0)
    wire.delete("m", "best")
    assert wire.get("m").champion == "next"
    assert wire.predict("m").prediction.value == 1.0
    wire.delete("m", "next")
    with refused("UNKNOWN_MODEL"):
        wire.get("m")


def test_a_model_made_anew_has_no_past(regression: Wire) -> None:
    """Scores, counts and dates begin again."""
    wire = regression
    wire.upload("m", Constant(5.0))
    wire.learn("m", 0.0, date="2016-05-01")
    wire.delete("m")
    info = wire.upload("m", Constant(1.0))
    assert (info.learned, info.learned_through, info.candidates[0].score.count) == (0, "", 0)
    assert wire.learn("m", 0.0).scores[0].mae == 1.0


def test_a_repr_without_end_is_cut(regression: Wire) -> None:
    """A description stays of bounded size; one that cannot be shown is taken all the same."""
    regression.upload("long", Named("😀" * 20_000))
    regression.upload("broken", Named(None))
    regression.upload("odd", Named("\ud800"))
    assert len(regression.get("long").candidates[0].estimator) < 10_000
    assert "TypeError" in regression.get("broken").candidates[0].estimator
    assert regression.predict("odd").prediction.value == 0.0


class Named(Constant):
    """Has a repr of its own."""

    def __init__(self, name: Any) -> None:
        super().__init__()
        self.name = name

    def __repr__(self) -> str:
        """Return it."""
        return self.name  # type: ignore[no-any-return]


def test_a_large_upload_goes_through(regression: Wire) -> None:
    """Far beyond gRPC's own 4 MiB; Init says how large requests may be."""
    model = mean()
    model.ballast = bytes(16 * 1024 * 1024)
    assert regression.init().max_message_bytes == 64 * 1024 * 1024
    regression.upload("m", model)
    assert regression.names() == ["m"]
    regression.delete("m")


@pytest.mark.parametrize("name", ["a", "e\u0301", "\u00e9", "A"])
def test_names_are_told_apart_by_their_characters(name: str, regression: Wire) -> None:
    """Case counts, and nothing is normalised."""
    for each in ["a", "A", "e\u0301", "\u00e9"]:
        regression.upload(each, Constant(float(len(each)) if each == name else math.nan))
    assert regression.predict(name).HasField("prediction")
    assert not any(
        regression.predict(each).HasField("prediction")
        for each in ["a", "A", "e\u0301", "\u00e9"]
        if each != name
    )
