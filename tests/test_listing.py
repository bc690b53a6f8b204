"""ListModels and GetModel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.estimators import Constant
from tests.wire import Wire, refused
from thalweg.v1 import forecaster_pb2 as pb


def pages(wire: Wire, **fields: Any) -> Iterator[pb.ListModelsResponse]:
    """Yield page after page."""
    token = ""
    while True:
        page = wire.list(page_token=token, **fields)
        yield page
        token = page.next_page_token
        if not token:
            return


def listed(wire: Wire, **fields: Any) -> list[str]:
    """Return the names on all pages."""
    return [info.model for page in pages(wire, **fields) for info in page.models]


@pytest.fixture
def five(regression: Wire) -> Wire:
    """Five models: e, c and d scored, a and b not."""
    for name in "ecdab":
        regression.upload(name, Constant())
    for name, errors in {"e": [2.0, 2.0, 2.0], "c": [1.0], "d": [2.0]}.items():
        for error in errors:
            regression.learn(name, error)
    return regression


ORDERS = {
    "": "abcde",
    "name": "abcde",
    "name desc": "edcba",
    "mae": "cdeab",  # ties by name; no score last
    "mae desc": "decab",
    "learned": "abcde",
    "learned desc": "ecdab",
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1, 2, 5, 0])
def test_pages_are_in_order_and_complete(order: str, size: int, five: Wire) -> None:
    """Every order, whatever the size of the pages; the total is that of all pages."""
    assert "".join(listed(five, order_by=order, page_size=size)) == ORDERS[order]
    sizes = [len(page.models) for page in pages(five, order_by=order, page_size=size)]
    assert sizes == [size or 5] * (5 // (size or 5)) + [5 % (size or 5)] * bool(5 % (size or 5))
    assert {page.total_size for page in pages(five, order_by=order, page_size=size)} == {5}


def test_paging_goes_on_where_it_was(five: Wire) -> None:
    """Models that come and go in between neither repeat others nor hide them."""
    first = five.list(page_size=2)
    five.delete("b")
    five.upload("aa", Constant())
    five.upload("cc", Constant())
    rest = five.list(page_size=9, page_token=first.next_page_token)
    assert [m.model for m in first.models] == ["a", "b"]
    assert [m.model for m in rest.models] == ["c", "cc", "d", "e"]


def test_a_token_belongs_to_its_order_and_glob(five: Wire) -> None:
    """Another listing needs a token of its own."""
    token = five.list(page_size=1, glob="*", order_by="name").next_page_token
    for other in ({"order_by": "mae"}, {"glob": "a*"}, {"template": True}):
        with refused("BAD_REQUEST") as seen:
            five.list(page_size=1, page_token=token, **{"glob": "*", "order_by": "name", **other})
        assert seen[0].fields == ["page_token"]


def test_a_forged_token_is_refused(five: Wire) -> None:
    """With a place that is none."""
    import base64
    import json

    forged = base64.urlsafe_b64encode(json.dumps([["", "", False], ["x", 1]]).encode())
    with refused("BAD_REQUEST"):
        five.list(page_token=forged.decode())


def test_a_glob_narrows_the_list(five: Wire) -> None:
    """And the total."""
    five.upload("ab", Constant())
    assert listed(five, glob="a*") == ["a", "ab"]
    assert listed(five, glob="?") == [*"abcde"]
    assert five.list(glob="a*", page_size=1).total_size == 2
    assert listed(five, glob="[ab]") == []


def test_a_page_has_at_most_a_thousand(regression: Wire) -> None:
    """100 where no size is given."""
    regression.upload("m*", Constant(), template=True)
    with regression.stream() as stream:
        from tests.wire import columns

        stream.open()
        stream.learn(columns(1, models=[f"m{i:04}" for i in range(1200)], target=[1.0] * 1200))
    assert len(regression.list().models) == 100
    assert len(regression.list(page_size=5000).models) == 1000
    assert listed(regression, page_size=5000) == [f"m{i:04}" for i in range(1200)]


def test_a_page_stays_within_a_mebibyte(regression: Wire) -> None:
    """It then has fewer models than asked for, and none is lost."""
    wire = regression
    for name in "abc":
        wire.upload("m*", Wordy(), name, template=True)
    with wire.stream() as stream:
        from tests.wire import columns

        stream.open()
        stream.learn(columns(1, models=[f"m{i:02}" for i in range(99)], target=[1.0] * 99))
    sizes = [page.ByteSize() for page in pages(wire, page_size=99)]
    assert len(sizes) > 1
    assert max(sizes) <= 1024 * 1024
    assert listed(wire, page_size=99) == [f"m{i:02}" for i in range(99)]


class Wordy(Constant):
    """Describes itself at length."""

    def __repr__(self) -> str:
        """Return as much as is kept."""
        return "w" * 8_000


def test_templates_are_listed_apart(regression: Wire) -> None:
    """With `template`; a glob there narrows them by their own names."""
    wire = regression
    wire.upload("m", Constant())
    for name in ("a*", "b?", "ab"):
        wire.upload(name, Constant(), template=True)
    assert listed(wire) == ["m"]
    assert listed(wire, template=True) == ["a*", "ab", "b?"]
    assert all(info.template for info in wire.list(template=True).models)
    assert listed(wire, template=True, glob="a*") == ["a*", "ab"]


def test_classifiers_are_ordered_by_their_loss(binary: Wire) -> None:
    """The champion's log loss, or else its error rate."""
    from tests.test_champion import Fixed

    for name, p in {"bad": 0.1, "good": 0.9, "fair": 0.5}.items():
        binary.upload(name, Fixed(p))
        binary.learn(name, True)
    assert listed(binary, order_by="mae") == ["good", "fair", "bad"]


def test_get_and_list_tell_the_same(five: Wire) -> None:
    """But for the size of the state, which a list does not measure."""
    for info in five.list().models:
        described = five.get(info.model)
        for candidate in described.candidates:
            assert candidate.state_bytes > 0
            candidate.ClearField("state_bytes")
        assert described == info
