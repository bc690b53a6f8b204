"""Lists of names that come again are the same object, and nothing else is."""

from __future__ import annotations

from thalweg_server.core.observation import Names
from thalweg_server.rpc.names import NAMES_MAX, KnownNames


def test_the_same_names_are_the_list_that_came_first() -> None:
    """Also where other lists came between."""
    known = KnownNames()
    first, other = known.same(Names("abc")), known.same(Names("xyz"))
    assert known.same(Names("abc")) is first
    assert known.same(Names("xyz")) is other


def test_names_that_only_begin_alike_are_others() -> None:
    """And take the place of those before."""
    known = KnownNames()
    known.same(Names("abc"))
    changed = Names("abd")
    assert known.same(changed) is changed
    assert known.same(Names("abc")) is not changed


def test_memory_is_bounded() -> None:
    """The oldest lists are forgotten, however long each is."""
    known = KnownNames()
    half = NAMES_MAX // 2 - 10
    lists = [Names([first, *("x" * half)]) for first in "abc"]
    for each in lists:
        assert known.same(each) is each
    assert known.same(Names(lists[0])) is not lists[0]
    assert known.same(Names(lists[2])) is lists[2]


def test_one_list_is_kept_however_long() -> None:
    """It may be the only one that a stream sends."""
    known = KnownNames()
    long = Names(["x"] * (NAMES_MAX + 1))
    assert known.same(long) is long
    assert known.same(Names(long)) is long
