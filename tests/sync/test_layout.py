"""From the values that databases return to observations."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from thalweg import Row
from thalweg.account import Refused
from thalweg.sync.layout import BadQuery, Layout

DAY = date(2016, 5, 1)
COLUMNS = ["y", "id", "date", "price"]


def row_of(*, y: Any = 1.0, id: Any = "milk", date: Any = DAY, price: Any = 2.0) -> Row:
    """The row of these values."""
    ((place, row),) = Layout(COLUMNS).entries([(y, id, date, price)])  # type: ignore[misc]
    assert place == 1
    assert isinstance(row, Row)
    return row


def test_columns_are_found_by_name_and_others_are_features() -> None:
    """In any order, model and target by either name; sorted by day, then model."""
    layout = Layout(["price", "target", "place", "date", "model"])
    entries = list(layout.entries([(1.5, 3, "CA", DAY, "milk"), (None, 4, "TX", DAY, "tea")]))
    assert entries == [
        (1, Row(model="milk", target=3, date=DAY, features={"price": 1.5, "place": "CA"})),
        (2, Row(model="tea", target=4, date=DAY, features={"price": None, "place": "TX"})),
    ]
    assert layout.order == ("date", "model")


@pytest.mark.parametrize(
    ("value", "day"),
    [
        (DAY, DAY),
        (datetime(2016, 5, 1), DAY),
        (datetime(2016, 5, 1, tzinfo=UTC), DAY),
        ("2016-05-01", "2016-05-01"),
        ("2016-05-01 00:00:00.000", DAY),
        ("2016-02-30", "2016-02-30"),
        ("the first of May", "the first of May"),
        (None, None),
    ],
)
def test_a_day_may_have_many_forms(value: Any, day: date | str | None) -> None:
    """What is no day stays as it is, for the server to refuse that row."""
    assert row_of(date=value).date == day


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Decimal("1.25"), 1.25),
        (True, True),
        (7, 7),
        ("red", "red"),
        (None, None),
        (DAY, "2016-05-01"),
        (time(8, 30), "08:30:00"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_values_become_what_the_contract_can_hold(value: Any, plain: Any) -> None:
    """Features and targets alike; no target is the server's to refuse."""
    assert row_of(price=value).features == {"price": plain}
    target = row_of(y=value).target
    assert (target, type(target)) == (plain, type(plain))


@pytest.mark.parametrize(("value", "name"), [("milk", "milk"), (17, "17"), (None, "")])
def test_a_model_is_named_by_text_or_number(value: Any, name: str) -> None:
    """An item's number in the shop is as good a name as any."""
    assert row_of(id=value).model == name


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"date": datetime(2016, 5, 1, 9)}, "row 1: column 'date' holds datetime"),
        ({"date": "2016-05-01T09:00"}, "a time of day"),
        ({"date": 42491}, "'date' holds 42491"),
        ({"id": 1.5}, "'id' holds 1.5"),
        ({"price": [1]}, "list is neither"),
        ({"y": b"1"}, "'y' holds b'1'"),
    ],
)
def test_a_value_that_no_column_may_have_is_named_with_its_row(
    values: dict[str, Any], says: str
) -> None:
    """It is the query's fault, not that row's."""
    with pytest.raises(BadQuery, match=says):
        row_of(**values)


def test_rows_of_the_same_model_and_day_are_all_refused() -> None:
    """One of them would be a part of the day's sales; those beside them are learned."""
    rows = [(1, "milk", DAY, 1), (2, "tea", DAY, 1), (3, "tea", DAY, 1), (4, "milk", None, 1)]
    entries = list(Layout(COLUMNS).entries([*rows, (5, "milk", None, 1)]))
    refused = [entry for entry in entries if isinstance(entry, Refused)]
    assert [(one.where, one.model, one.date, one.target) for one in refused] == [
        ("row 2", "tea", "2016-05-01", 2),
        ("row 3", "tea", "2016-05-01", 3),
    ]
    assert {one.reason for one in refused} == {"REPEATED"}
    assert [entry[0] for entry in entries if isinstance(entry, tuple)] == [1, 4, 5]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (["id", "date"], "no column target or y: it gives id, date"),
        (["id", "model", "date", "y"], "both model and id"),
        (["id", "date", "y", "y"], "'y' twice"),
        (["id", "date", "y", "y:1"], "'y' twice"),
    ],
)
def test_columns_that_leave_a_doubt_are_refused(columns: list[str], says: str) -> None:
    """A target that slips in as a feature would look like a perfect forecast."""
    with pytest.raises(BadQuery, match=says):
        Layout(columns)
