"""WatchScores: the current state first, then changes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from tests.estimators import Constant
from tests.wire import SECONDS, Wire, columns, refused
from thalweg.v1 import forecaster_pb2 as pb


@contextmanager
def watching(wire: Wire, **fields: Any) -> Iterator[Any]:
    """Watch, as an iterator of responses."""
    call = wire.stub.WatchScores(pb.WatchScoresRequest(**fields), timeout=SECONDS)
    try:
        yield call
    finally:
        call.cancel()


@pytest.fixture
def three(regression: Wire) -> Wire:
    """Models a, b and c."""
    for name in "abc":
        regression.upload(name, Constant())
    return regression


def test_the_current_state_comes_first_then_every_change(three: Wire) -> None:
    """Scores, counts and dates as GetModel tells them."""
    three.learn("a", 2.0, date="2016-05-01")
    with watching(three, models=["b", "a"]) as watch:
        first = [next(watch), next(watch)]
        assert [r.model for r in first] == ["b", "a"]
        assert (first[1].learned, first[1].learned_through) == (1, "2016-05-01")
        assert first[1].scores[0] == three.score("a")
        three.learn("c", 1.0)
        three.learn("b", 3.0)
        change = next(watch)
        assert (change.model, change.learned, change.scores[0].mae) == ("b", 1, 3.0)


@pytest.mark.parametrize("glob", ["", "*"])
def test_every_model_is_watched_where_none_is_named(glob: str, three: Wire) -> None:
    """Models to come included; a change of candidates is a change."""
    with watching(three, glob=glob) as watch:
        assert [next(watch).model for _ in range(3)] == ["a", "b", "c"]
        three.upload("d", Constant())
        assert next(watch).model == "d"
        three.upload("a", Constant(), "second")
        assert [s.candidate for s in next(watch).scores] == ["default", "second"]


def test_a_glob_may_match_nothing_yet(three: Wire) -> None:
    """Models made by a stream are seen when they come."""
    three.upload("x*", Constant(), template=True)
    with watching(three, glob="x?") as watch:
        with three.stream() as stream:
            stream.open()
            stream.learn(columns(1, models=["x1", "y", "xx2", "a"], target=[1.0] * 4))
        assert next(watch).model == "x1"


def test_a_deleted_model_is_told_with_empty_fields(three: Wire) -> None:
    """And once it is there again, so is its state."""
    with watching(three, models=["a"]) as watch:
        next(watch)
        three.delete("a")
        assert next(watch) == pb.WatchScoresResponse(model="a", deleted=True)
        three.upload("a", Constant())
        assert not next(watch).deleted


def test_a_reset_deletes_what_is_watched(three: Wire) -> None:
    """The watch itself goes on."""
    with watching(three, glob="*") as watch:
        for _ in range(3):
            next(watch)
        three.init(pb.FLAVOR_REGRESSION, reset=True)
        assert {next(watch).model for _ in range(3)} == {"a", "b", "c"}
        three.upload("n", Constant())
        assert next(watch).model == "n"


def test_changes_faster_than_the_reader_are_merged(three: Wire) -> None:
    """The latest state always arrives."""
    with watching(three, models=["a"]) as watch:
        next(watch)
        with three.stream() as stream:
            stream.open()
            for n in range(1, 51):
                stream.learn(columns(n, models=["a"], model_index=[0] * 20, target=[1.0] * 20))
        learned = 0
        count = 0
        while learned < 1000:
            learned = next(watch).learned
            count += 1
        assert count <= 1000


def test_many_watchers_see_the_same(three: Wire) -> None:
    """One more or less does not matter to the others."""
    seen: list[int] = []

    def watch_once() -> None:
        with watching(three, models=["a"]) as watch:
            while (response := next(watch)).learned < 3:
                pass
            seen.append(response.learned)

    threads = [threading.Thread(target=watch_once) for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        three.learn("a", 1.0)
    for thread in threads:
        thread.join()
    assert seen == [3] * 8


def test_an_unknown_name_is_refused_but_no_glob_is(three: Wire) -> None:
    """A name given must be there."""
    with refused("UNKNOWN_MODEL") as seen, watching(three, models=["a", "nix"]) as watch:
        next(watch)
    assert seen[0].code is grpc.StatusCode.NOT_FOUND
