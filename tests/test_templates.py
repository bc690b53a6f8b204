"""Templates: candidates that new models are cloned from."""

from __future__ import annotations

import threading
import time

import pytest

from tests.estimators import Constant, linear
from tests.structure import difference
from tests.wire import Wire, columns, refused
from thalweg_server.core.globs import compile_glob, literal_characters
from thalweg_server.core.limits import Limits


def answer(wire: Wire, name: str, candidate: str = "") -> float:
    """Return what a model answers."""
    return float(wire.predict(name, candidate=candidate).prediction.value)


def test_the_first_observation_makes_a_model(regression: Wire) -> None:
    """And only an observation does; the template itself is never taught."""
    wire = regression
    wire.upload("shop/*", linear(), template=True)
    wire.predict("shop/1", {"a": 1.0})
    assert wire.names() == []
    assert wire.learn("shop/1", 2.0, {"a": 1.0}).learned == 1
    assert wire.names() == ["shop/1"]
    template = wire.get("shop/*", template=True)
    assert (template.template, template.learned, template.candidates[0].learned) == (True, 0, 0)
    assert wire.names(template=True) == ["shop/*"]
    with refused("UNKNOWN_MODEL"):
        wire.learn("other/1", 2.0)


def test_a_clone_brings_the_learned_state_along(regression: Wire) -> None:
    """A deep copy: clones and template do not touch each other."""
    wire, model = regression, linear()
    for i in range(10):
        model.learn_one({"a": float(i)}, 3.0 * i)
    wire.upload("t*", model, template=True)
    assert answer(wire, "t0") == model.predict_one({})
    expected = model.predict_one({"a": 2.0})
    for name in ("t1", "t2"):
        first = wire.learn(name, 50.0, {"a": 2.0})
        assert first.candidates[0].prediction.value == expected
    loop = linear()
    loop = model
    loop.learn_one({"a": 2.0}, 50.0)
    assert not difference(loop, wire.estimator("t1"))
    assert not difference(loop, wire.estimator("t2"))


def test_the_most_literal_characters_win_then_the_latest_upload(regression: Wire) -> None:
    """For each candidate name on its own."""
    wire = regression
    wire.upload("*", Constant(1.0), template=True)
    wire.upload("ab*", Constant(2.0), template=True)
    wire.upload("a*", Constant(3.0), template=True)
    assert answer(wire, "abc") == 2.0
    assert answer(wire, "axc") == 3.0
    assert answer(wire, "x") == 1.0
    wire.upload("?b*", Constant(4.0), template=True)
    assert answer(wire, "abc") == 2.0
    wire.upload("*bc", Constant(5.0), template=True)
    assert answer(wire, "abc") == 5.0
    wire.upload("ab*", Constant(6.0), template=True, replace=True)
    assert answer(wire, "abc") == 6.0
    wire.upload("*", Constant(7.0), "other", template=True)
    assert answer(wire, "abc", "other") == 7.0
    wire.learn("abc", 0.0)
    assert {c.candidate for c in wire.get("abc").candidates} == {"default", "other"}


def test_clones_are_in_order_of_the_templates_uploads(regression: Wire) -> None:
    """So that ties go to the earliest uploaded there, too."""
    wire = regression
    wire.upload("t*", Constant(), "z", template=True)
    wire.upload("*", Constant(), "a", template=True)
    wire.learn("t1", 0.0)
    assert [c.candidate for c in wire.get("t1").candidates] == ["z", "a"]
    assert wire.get("t1").champion == "z"


def test_a_model_that_exists_is_left_alone(regression: Wire) -> None:
    """A template is for new names only, unless it says otherwise."""
    wire = regression
    wire.upload("m1", Constant(1.0))
    wire.upload("m*", Constant(2.0), template=True)
    wire.upload("m*", Constant(3.0), "b", template=True)
    assert answer(wire, "m1") == 1.0
    assert [c.candidate for c in wire.get("m1").candidates] == ["default"]


def test_apply_to_existing_adds_the_candidate(regression: Wire) -> None:
    """To matching models that lack it, with the learned state; with replace to all."""
    wire, model = regression, linear()
    model.learn_one({"a": 1.0}, 5.0)
    for name in ("m1", "m2", "x"):
        wire.upload(name, Constant(1.0), "old")
        wire.learn(name, 0.0)
    wire.upload("m2", Constant(2.0), "new")
    info = wire.upload("m*", model, "new", template=True, apply_to_existing=True)
    assert (info.template, info.model) == (True, "m*")
    assert [c.candidate for c in wire.get("m1").candidates] == ["old", "new"]
    assert not difference(model, wire.estimator("m1", "new"))
    assert answer(wire, "m2", "new") == 2.0
    assert [c.candidate for c in wire.get("x").candidates] == ["old"]
    wire.learn("m1", 0.0)
    wire.upload("m*", Constant(8.0), "new", template=True, apply_to_existing=True, replace=True)
    assert [answer(wire, m, "new") for m in ("m1", "m2")] == [8.0, 8.0]
    assert wire.score("m1", "new").count == 0
    assert wire.score("m1", "old").count == 2


def test_a_template_is_replaced_only_on_demand(regression: Wire) -> None:
    """Like a model; models cloned from it stay as they are."""
    wire = regression
    wire.upload("t*", Constant(1.0), template=True)
    wire.learn("t1", 0.0)
    with refused("CANDIDATE_EXISTS"):
        wire.upload("t*", Constant(2.0), template=True)
    wire.upload("t*", Constant(2.0), template=True, replace=True)
    assert [answer(wire, name) for name in ("t1", "t2")] == [1.0, 2.0]
    wire.delete("t*", template=True)
    assert answer(wire, "t1") == 1.0
    with refused("UNKNOWN_MODEL"):
        wire.predict("t2")


def test_a_model_and_a_template_may_have_one_name(regression: Wire) -> None:
    """They are listed, described and deleted apart."""
    wire = regression
    wire.upload("same", Constant(1.0))
    wire.upload("same", Constant(2.0), template=True)
    assert (wire.names(), wire.names(template=True)) == (["same"], ["same"])
    wire.delete("same")
    assert answer(wire, "same") == 2.0
    assert wire.get("same", template=True).template


def test_a_stream_makes_models_from_templates(regression: Wire) -> None:
    """Each once, however often its name comes."""
    wire = regression
    wire.upload("t*", linear(), template=True)
    with wire.stream() as stream:
        stream.open()
        names, index = ["t1", "t2", "nix"], [0, 1, 0, 2, 1, 0]
        ack = stream.learn(columns(1, models=names, model_index=index, target=[1.0] * 6))
    assert (ack.learned, ack.error_count) == (5, 1)
    assert [wire.get(name).learned for name in wire.names()] == [3, 2]


def test_a_full_server_makes_no_more_models(start_server: object, connect: object) -> None:
    """LIMIT_REACHED uses up neither the request id nor the prediction."""
    wire = connect(start_server(limits=Limits(models_max=2)))  # type: ignore[operator]
    wire.upload("t*", Constant(), template=True)
    wire.predict("t2", prediction_id="p")
    wire.learn("t1", 1.0)
    with refused("LIMIT_REACHED"):
        wire.learn("t2", 1.0, request_id="r")
    with refused("LIMIT_REACHED"):
        wire.learn("t2", 1.0, prediction_id="p")
    wire.delete("t1")
    assert not wire.learn("t2", 1.0, prediction_id="p", request_id="r").duplicate


def test_a_template_that_cannot_be_copied_is_loaded_for_each_model(regression: Wire) -> None:
    """Its bytes are there, whatever its class thinks of copies."""
    regression.upload("t*", Uncopyable(), template=True)
    for name in ("t1", "t2", "t1"):
        regression.learn(name, 1.0)
    assert [regression.live(name).learned for name in ("t1", "t2")] == [2, 1]


class Uncopyable(Constant):
    """Cannot be deep-copied."""

    def __deepcopy__(self, memo: object) -> object:
        """Raise."""
        raise TypeError("one of a kind")


GLOBS = [
    ("*", "", True),
    ("*", "any\nthing", True),
    ("a*b", "ab", True),
    ("a*b", "abab", True),
    ("a*b", "aba", False),
    ("a?c", "abc", True),
    ("a?c", "ac", False),
    ("a**c", "abc", True),
    ("*x*x*", "xx", True),
    ("*x*x*", "x", False),
    ("[ab]", "a", False),
    ("[ab]", "[ab]", True),
    ("A*", "abc", False),
    (".", "x", False),
    ("?", "😀", True),
    ("a*a", "a", False),
    ("*ab*ab", "abab", True),
]


@pytest.mark.parametrize(("glob", "name", "matches"), GLOBS)
def test_globs_know_star_and_question_mark_only(glob: str, name: str, matches: bool) -> None:
    """Case-sensitive; everything else stands for itself."""
    assert (compile_glob(glob).fullmatch(name) is not None) == matches


def test_a_glob_of_many_stars_takes_no_time() -> None:
    """No glob can hold up the server."""
    done = threading.Event()

    def match() -> None:
        assert compile_glob("*a" * 60 + "b").fullmatch("a" * 256) is None
        done.set()

    started = time.monotonic()
    threading.Thread(target=match, daemon=True).start()
    assert done.wait(5.0)
    assert time.monotonic() - started < 5.0


def test_literal_characters_are_all_but_the_wildcards() -> None:
    """What decides between templates."""
    assert [literal_characters(g) for g in ("*", "a?", "a*b*", "[x]")] == [0, 1, 2, 3]
