"""`Sales`: choosing items and days, and what is streamed."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from thalweg.m5 import BadSales, Sales, model_name
from thalweg.observations import Row

NAN = float("nan")


@pytest.fixture
def sales() -> Sales:
    """Three items on four days, 2016-05-19 to 2016-05-22."""
    return Sales(
        ids=["FOODS_1_CA_1", "FOODS_1_CA_2", "HOBBIES_1_CA_1"],
        dates=np.arange(16940, 16944, dtype=np.int32),
        units=np.array([[1.0, 2.0, 3.0, 4.0], [5.0, NAN, 7.0, 8.0], [9.0, NAN, NAN, 0.0]]),
    )


@pytest.mark.parametrize(
    ("sales_id", "name"),
    [
        ("HOBBIES_1_001_CA_1_evaluation", "HOBBIES_1_001_CA_1"),
        ("HOBBIES_1_001_CA_1_validation", "HOBBIES_1_001_CA_1"),
        ("HOBBIES_1_001_CA_1", "HOBBIES_1_001_CA_1"),
        ("my_evaluation_of_1", "my_evaluation_of_1"),
    ],
)
def test_ids_with_and_without_the_official_suffix_name_one_model(sales_id: str, name: str) -> None:
    """Only a suffix at the end is taken off."""
    assert model_name(sales_id) == name


def test_days_are_dates(sales: Sales) -> None:
    """Days since 1970-01-01 read back as dates."""
    assert sales.days == [date(2016, 5, day) for day in (19, 20, 21, 22)]
    assert repr(sales) == "Sales(3 items, 4 days, 2016-05-19 to 2016-05-22)"


@pytest.mark.parametrize(
    ("glob", "positions"),
    [("*", [0, 1, 2]), ("*_CA_1", [0, 2]), ("FOODS_1_CA_?", [0, 1]), ("foods*", []), ("[FH]*", [])],
)
def test_a_glob_selects_items(sales: Sales, glob: str, positions: list[int]) -> None:
    """Stars and question marks match, letters in their own case, brackets are plain."""
    assert sales.select(glob).ids == [sales.ids[i] for i in positions]


def test_ids_and_a_limit_select_items_in_the_sales_order(sales: Sales) -> None:
    """Ids may carry the suffix; `first` counts what is left; the units stay with their item."""
    chosen = sales.select(ids=["HOBBIES_1_CA_1", "FOODS_1_CA_2_evaluation"])
    assert chosen.ids == ["FOODS_1_CA_2", "HOBBIES_1_CA_1"]
    assert chosen.units[:, 0].tolist() == [5.0, 9.0]
    assert sales.select("*_CA_1", first=1).ids == ["FOODS_1_CA_1"]
    with pytest.raises(KeyError, match="nobody"):
        sales.select(ids=["nobody"])


def test_between_includes_both_days(sales: Sales) -> None:
    """Bounds are dates or texts, may be open, and need not be there."""
    assert sales.between("2016-05-20", date(2016, 5, 21)).units[0].tolist() == [2.0, 3.0]
    assert sales.between(last="2016-05-19").units[0].tolist() == [1.0]
    assert sales.between("2016-05-22", "2030-01-01").units[0].tolist() == [4.0]
    assert sales.between("2020-01-01").days == []


def test_at_takes_days_by_position(sales: Sales) -> None:
    """The first and the last days, as in a slice."""
    assert sales.at(slice(3)).units[0].tolist() == [1.0, 2.0, 3.0]
    assert sales.at(slice(-1, None)).days == [date(2016, 5, 22)]


def test_one_observation_can_be_read_and_left_out(sales: Sales) -> None:
    """`without` hides one cell of a copy; unknown items and days are errors."""
    less = sales.without("FOODS_1_CA_1", "2016-05-22")
    assert less.observations == sales.observations - 1
    assert sales.units_of("FOODS_1_CA_1_evaluation", "2016-05-22") == 4.0
    assert np.isnan(less.units_of("FOODS_1_CA_1", date(2016, 5, 22)))
    for name, day in (("nobody", "2016-05-22"), ("FOODS_1_CA_1", "2016-05-23")):
        with pytest.raises(KeyError, match=f"{name}.*{day}"):
            sales.units_of(name, day)


def test_columns_go_day_by_day_and_skip_what_is_unknown(sales: Sales) -> None:
    """Each batch holds one day, one model per row, and only observations."""
    batches = list(sales.columns())
    assert [list(batch.date_days) for batch in batches] == [[16940], [16941], [16942], [16943]]
    assert [list(batch.models) for batch in batches][1:3] == [
        ["FOODS_1_CA_1"],
        ["FOODS_1_CA_1", "FOODS_1_CA_2"],
    ]
    assert list(batches[2].targets) == [3.0, 7.0]
    assert sum(len(batch) for batch in batches) == sales.observations == 9


def test_columns_are_split_at_the_limit(sales: Sales) -> None:
    """A day with more rows than a batch may hold takes several batches, in order."""
    batches = list(sales.at(slice(1)).columns(batch_rows_max=2))
    assert [list(batch.targets) for batch in batches] == [[1.0, 5.0], [9.0]]
    assert [list(batch.date_days) for batch in batches] == [[16940], [16940]]


def test_rows_and_columns_say_the_same(sales: Sales) -> None:
    """Both give the same observations in the same order; targets are Python floats."""
    rows = list(sales.rows())
    assert rows[0] == Row(model="FOODS_1_CA_1", target=1.0, date=date(2016, 5, 19))
    assert all(type(row.target) is float for row in rows)
    flat = [pair for b in sales.columns() for pair in zip(b.models, b.targets, strict=True)]
    assert [(row.model, row.target) for row in rows] == flat


def test_histories_go_item_by_item(sales: Sales) -> None:
    """Each item comes with its observations, oldest first, dates as ISO texts."""
    assert dict(sales.histories())["HOBBIES_1_CA_1"] == [("2016-05-19", 9.0), ("2016-05-22", 0.0)]


@pytest.mark.parametrize(
    ("ids", "dates", "units", "message"),
    [
        (["a", "b"], [1], [[1.0]], "2 ids and 1 days"),
        (["a", "a"], [1], [[1.0], [2.0]], "'a' is there twice"),
        (["a"], [2, 1], [[1.0, 2.0]], "ascending"),
        (["a"], [1, 1], [[1.0, 2.0]], "distinct"),
        (["a", "b"], [1], [[1.0], [float("inf")]], "'b' has infinite units"),
    ],
)
def test_sales_that_contradict_themselves_are_refused(
    ids: list[str], dates: list[int], units: list[list[float]], message: str
) -> None:
    """Shapes, ids, days and infinite units are checked when sales are made."""
    with pytest.raises(BadSales, match=message):
        Sales(ids=ids, dates=np.array(dates, dtype=np.int32), units=np.array(units))
