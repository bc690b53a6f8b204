"""Python values, rows and columns as the contract's messages."""

from __future__ import annotations

import datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.client.fake import rows_of
from thalweg import Columns, Row
from thalweg.batches import Batcher, Limits
from thalweg.encode import (
    check_columns,
    context_of,
    date_text,
    days_since_epoch,
    flavor_of,
    set_row,
    set_value,
)
from thalweg.v1 import forecaster_pb2 as pb


@pytest.mark.parametrize(
    ("value", "kind", "plain"),
    [
        (1.5, "number", 1.5),
        (0.0, "number", 0.0),
        (3, "integer", 3),
        (-(2**62), "integer", -(2**62)),
        (True, "flag", True),
        (False, "flag", False),
        ("", "text", ""),
        (None, None, None),
        (np.float64(1.5), "number", 1.5),
        (np.float32(0.5), "number", 0.5),
        (np.int64(7), "integer", 7),
        (np.uint8(7), "integer", 7),
        (np.bool_(True), "flag", True),
        (np.str_("a"), "text", "a"),
    ],
)
def test_a_value_keeps_its_kind(value: Any, kind: Any, plain: Any) -> None:
    """Each Python type has its kind, NumPy's scalars have that of what they hold."""
    message = pb.Value()
    set_value(message, value)
    assert message.WhichOneof("kind") == kind
    if kind:
        assert getattr(message, kind) == plain


@pytest.mark.parametrize("value", [b"x", [1], {}, object(), 1j])
def test_other_types_are_refused(value: Any) -> None:
    """What the contract has no form for is a TypeError here, not a surprise there."""
    with pytest.raises(TypeError):
        set_value(pb.Value(), value)


def test_an_int_beyond_64_bits_is_refused() -> None:
    """It would not arrive as itself."""
    with pytest.raises(ValueError):
        set_value(pb.Value(), 2**70)


@pytest.mark.parametrize(
    ("day", "text"),
    [
        (None, ""),
        ("", ""),
        ("2016-02-30", "2016-02-30"),
        (datetime.date(2016, 5, 22), "2016-05-22"),
        (datetime.datetime(2016, 5, 22, 23, 59), "2016-05-22"),
        (np.datetime64("2016-05-22"), "2016-05-22"),
    ],
)
def test_dates_become_iso_days(day: Any, text: Any) -> None:
    """Any kind of day; texts go as they are, for the server to judge."""
    assert date_text(day) == text


def test_a_number_is_no_date() -> None:
    """20160522 is not taken for a day."""
    with pytest.raises(TypeError):
        date_text(20160522)


def test_days_count_from_1970() -> None:
    """The contract's origin."""
    assert days_since_epoch(datetime.date(1970, 1, 2)) == 1


def test_unknown_names_are_refused_before_they_are_sent() -> None:
    """Flavors and context fields are checked here."""
    for wrong in (lambda: flavor_of("quantile"), lambda: context_of(["day"])):
        with pytest.raises(ValueError):
            wrong()
    with pytest.raises(ValueError, match="sequence"):
        context_of("id")


def test_a_row_with_everything() -> None:
    """Every field arrives, None as a feature too."""
    message = pb.LearnRequest()
    set_row(
        message,
        Row(
            model="m",
            target=0,
            features={"a": None, "b": 0.0},
            date=datetime.date(2016, 5, 22),
            prediction_id="p",
            request_id="r",
        ),
    )
    assert set(message.features) == {"a", "b"}
    assert message.features["a"].WhichOneof("kind") is None
    assert message.features["b"].WhichOneof("kind") == "number"
    assert message.target.WhichOneof("kind") == "integer"
    assert (message.date, message.prediction_id, message.request_id) == ("2016-05-22", "p", "r")
    assert not message.HasField("text")


def columns_batches(columns: Columns, rows: int) -> list[pb.LearnColumns]:
    """Return columns as batches."""
    return [b.columns for b in Batcher(Limits(rows=rows, bytes=0), None).add(columns)]


def test_columns_of_numpy_arrays_arrive_as_they_are() -> None:
    """Arrays of any number type; a shared date and a shared feature stay single."""
    columns = Columns(
        models=["a", "b"],
        model_index=np.array([0, 1, 0], dtype=np.uint32),
        targets=np.array([1.5, 0.0, 2.5]),
        date_days=np.array([16943], dtype=np.int64),
        features={"price": np.array([1, 2, 3], dtype=np.float32), "event": ["x"]},
    )
    (batch,) = columns_batches(columns, 10)
    assert list(batch.models) == ["a", "b"]
    assert list(batch.model_index) == [0, 1, 0]
    assert list(batch.target) == [1.5, 0.0, 2.5]
    assert list(batch.date_days) == [16943]
    assert list(batch.features["price"].numbers.values) == [1, 2, 3]
    assert list(batch.features["event"].texts.values) == ["x"]


def test_text_targets_have_a_column_of_their_own() -> None:
    """Multiclass."""
    (batch,) = columns_batches(Columns(models=["a", "a"], targets=["x", "y"]), 10)
    assert list(batch.target_text) == ["x", "y"]


@pytest.mark.parametrize(
    "columns",
    [
        Columns(models=["a"], targets=[1.0, 2.0]),
        Columns(models=["a"], model_index=[0], targets=[1.0, 2.0]),
        Columns(
            models=["a", "b"], targets=[1.0, 2.0, 3.0], model_index=[0, 1, 0], date_days=[1, 2]
        ),
        Columns(models=["a", "b"], targets=[1.0, 2.0], features={"x": []}),
    ],
)
def test_columns_that_do_not_fit_are_refused(columns: Any) -> None:
    """Their rows could not be told apart."""
    with pytest.raises(ValueError, match="targets"):
        check_columns(columns)


def test_a_slice_carries_only_the_names_it_uses() -> None:
    """30,000 names do not travel with every batch; a bad index stays one."""
    columns = Columns(
        models=[f"m{i}" for i in range(100)], model_index=[5, 99, 5, 100], targets=[1.0] * 4
    )
    first, second = columns_batches(columns, 2)
    assert (list(first.models), list(first.model_index)) == (["m5", "m99"], [0, 1])
    assert list(second.models) == ["m5"]
    assert second.model_index[1] >= len(second.models)


@given(
    sizes=st.lists(st.integers(0, 30), max_size=6),
    batch_rows=st.none() | st.integers(1, 20),
    limit_rows=st.integers(0, 15),
    limit_bytes=st.sampled_from([0, 150, 600, 10_000]),
)
def test_batching_keeps_every_row_and_its_place(
    sizes: Any, batch_rows: Any, limit_rows: Any, limit_bytes: Any
) -> None:
    """Whatever the limits, rows come out once, in order, in batches that keep to them."""
    items, expected = [], []
    for number, size in enumerate(sizes):
        targets = [float(len(expected) + i) for i in range(size)]
        expected += targets
        if number % 2:
            items.append(Columns(models=["m"], model_index=[0] * size, targets=targets))
        else:
            items += [Row(model="m", target=target) for target in targets]
    batcher = Batcher(Limits(rows=limit_rows, bytes=limit_bytes), batch_rows)
    batches = [batch for item in items for batch in batcher.add(item)] + [*batcher.flush()]
    counts = [len(list(rows_of(batch))) for batch in batches]
    assert [target for batch in batches for _, target in rows_of(batch)] == expected
    assert all(0 < count <= (limit_rows or 1000) for count in counts)
    if batch_rows:
        assert all(count <= batch_rows for count in counts)
    if limit_bytes:
        assert all(batch.ByteSize() <= limit_bytes for batch in batches)
    assert all(a is not b for a, b in pairwise(batches))


def test_one_batch_of_the_contract_goes_as_it_is() -> None:
    """A prebuilt message keeps its place among rows."""
    batcher = Batcher(Limits(rows=0, bytes=0), None)
    assert batcher.add(Row(model="m", target=1.0)) == ()
    before, prebuilt = batcher.add(pb.LearnColumns(models=["m"], target=[2.0]))
    assert [list(rows_of(b)) for b in (before, prebuilt)] == [[("m", 1.0)], [("m", 2.0)]]
