"""Events survive being bytes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.storage.samples import NAMES, learned, one_of_each, plain
from thalweg_server.core.errors import BadFeature
from thalweg_server.core.events import Event, Learned
from thalweg_server.core.observation import NO_DAY, Batch, Names
from thalweg_server.storage.codec import decode, encode

numbers = st.floats(allow_nan=False) | st.integers(-3, 3).map(float) | st.just(-0.0)
texts = st.text(st.characters(exclude_categories=()), max_size=8)
integers = st.integers(-(2**63), 2**63 - 1)
features = texts | st.dictionaries(
    texts, numbers | integers | st.booleans() | texts | st.none(), max_size=4
)
days = st.integers(-(2**31), 2**31 - 1) | st.integers(16_000, 16_003) | st.just(NO_DAY)
labels = integers | st.booleans() | texts | st.none() | st.floats()


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Batches of every shape."""
    count = draw(st.integers(0, 40))
    row = st.integers(0, max(count - 1, 0))
    some = draw(st.sampled_from((1, count))) or 1
    refused = draw(st.sets(row, max_size=3)) if count else set()
    given_rows = draw(st.booleans())
    rows: Any = draw(st.lists(features, min_size=count, max_size=count)) if given_rows else None
    if rows is not None:
        for each in refused:
            rows[each] = {"bad": math.nan, "text": object()}

    def ints(values: st.SearchStrategy[int]) -> Any:
        same = draw(st.booleans())
        drawn = [draw(values)] * count if same else draw(_lists(values, count))
        return np.array(drawn, np.int32)

    floats = draw(_lists(numbers | st.just(math.nan), count))
    listed: Any = draw(_lists(labels, count) | _lists(numbers, count))
    column = _lists(numbers, some).map(np.array) | _lists(texts, some)
    return Batch(
        names=draw(st.just(NAMES) | st.lists(texts, max_size=70).map(Names)),
        index=draw(st.just(np.arange(count, dtype=np.int32)))
        if draw(st.booleans())
        else ints(days),
        days=np.sort(ints(days)) if draw(st.booleans()) else ints(days),
        targets=np.array(floats, np.float64) if draw(st.booleans()) else listed,
        columns={} if given_rows else draw(st.dictionaries(texts, column, max_size=3)),
        rows=rows,
        prediction_ids=draw(st.dictionaries(row, texts, max_size=2)),
        request_ids=draw(st.dictionaries(row, texts, max_size=2)),
        refused={each: BadFeature("no") for each in refused},
    )


def _lists(values: st.SearchStrategy[Any], count: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, min_size=count, max_size=count)


def back(event: Event) -> Event:
    """The event after it was bytes."""
    encoded = encode(event)
    return decode(encoded.kind, encoded.body, encoded.names)


@settings(deadline=None, max_examples=150)
@given(batches(), st.floats(allow_nan=False))
def test_a_batch_is_the_same_again(batch: Batch, at: float) -> None:
    """Whatever learning sees of a batch is the same to the bit, kinds included."""
    event = Learned(batch, at)
    assert plain(back(event)) == plain(event)


@pytest.mark.parametrize(
    "value", [-0.0, 0.5, 127.0, -129.0, 2.0**31, -(2.0**31), 1e300, math.inf, math.nan]
)
@pytest.mark.parametrize("listed", [False, True], ids=["array", "list"])
def test_one_odd_target_among_small_ones_is_kept(value: float, listed: bool) -> None:
    """What fits no smaller type, or is no whole number, is the same again to the bit."""
    targets = np.array([*range(20), value])
    batch = Batch(
        names=NAMES,
        index=np.arange(21, dtype=np.int32),
        days=np.full(21, NO_DAY, np.int32),
        targets=targets.tolist() if listed else targets,
    )
    event = Learned(batch, 0.0)
    assert plain(back(event)) == plain(event)


@pytest.mark.parametrize("event", one_of_each(), ids=lambda event: type(event).__name__)
def test_an_event_of_each_kind_is_the_same_again(event: Event) -> None:
    """Every kind of event has bytes of its own."""
    assert plain(back(event)) == plain(event)


def test_each_kind_has_a_number_of_its_own() -> None:
    """The numbers are in every log: they stay."""
    numbers = {type(event).__name__: encode(event).kind for event in one_of_each()}
    assert numbers == {
        "Started": 1,
        "Initialised": 2,
        "Uploaded": 3,
        "Deleted": 4,
        "Predicted": 5,
        "Learned": 6,
        "Streamed": 7,
        "Raised": 8,
    }


def test_bytes_of_before_are_read_today() -> None:
    """What format 1 wrote is in logs: whoever changes the bytes must change the format."""
    text = b'{"model":"a","candidate":"","template":true}'
    body = b"\x00" + len(text).to_bytes(4, "little") + text
    assert encode(one_of_each()[3]).body == body
    assert plain(decode(4, body, None)) == plain(one_of_each()[3])


def test_long_lists_of_names_are_kept_apart() -> None:
    """64 names are a list of their own; 63 go with their batch."""
    for count, apart in ((63, False), (64, True)):
        batch = Batch(
            names=Names(map(str, range(count))),
            index=np.zeros(1, np.int32),
            days=np.zeros(1, np.int32),
            targets=np.zeros(1),
        )
        assert (encode(Learned(batch, 0.0)).names is batch.names) is apart


def test_a_row_of_a_call_is_small() -> None:
    """One learned row takes no more than what is said about it."""
    assert len(encode(learned()).body) < 260


@pytest.mark.parametrize(
    ("index", "bytes_max"),
    [
        (np.arange(10_000), 200),
        (np.tile(np.arange(100), 100), 400),
        (np.repeat(np.arange(100), 100), 400),
    ],
    ids=["each", "tiled", "repeated"],
)
def test_an_index_in_order_takes_nearly_nothing(index: Any, bytes_max: int) -> None:
    """The usual ways to point into names are not written out."""
    batch = Batch(
        names=NAMES,
        index=index.astype(np.int32),
        days=np.full(10_000, 16_000, np.int32),
        targets=np.ones(10_000),
    )
    assert len(encode(Learned(batch, 0.0)).body) < bytes_max
