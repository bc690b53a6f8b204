"""Lists of names that come again are the same object, and nothing else is."""

from __future__ import annotations

from thalweg_server.core.observation import Names
from thalweg_server.rpc.names import LISTS_MAX, KnownNames


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
    """The oldest lists are forgotten."""
    known = KnownNames()
    lists = [Names([str(number)]) for number in range(LISTS_MAX + 1)]
    for each in lists:
        assert known.same(each) is each
    assert known.same(Names(["0"])) is not lists[0]
    assert known.same(Names([str(LISTS_MAX)])) is lists[-1]
