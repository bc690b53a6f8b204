"""`read_sales`: official wide files and long ones, csv and parquet, and what it refuses."""

from __future__ import annotations

import gzip
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from thalweg.m5 import BadSales, read_sales

NAN = float("nan")

Table = dict[str, list[Any]]

WIDE: Table = {
    "id": ["HOBBIES_1_CA_1_evaluation", "FOODS_1_CA_1_evaluation"],
    "item_id": ["HOBBIES_1", "FOODS_1"],
    "d_2": [3, 4],
    "d_1": [1, None],
    "d_10": [5, 6],
}
LONG: Table = {
    "id": ["b_validation", "a", "b", "a"],
    "date": ["2016-05-22", "2016-05-22", "2016-05-20", "2016-05-21"],
    "y": [1.0, 2.0, None, 0.0],
    "price": [1, 2, 3, 4],
}
CALENDAR: Table = {
    "date": ["2015-03-03", "2015-03-04", "2015-03-12", "2015-03-13"],
    "wday": [4, 5, 6, 7],
    "d": ["d_1", "d_2", "d_10", "d_11"],
}


def write(path: Path, table: Table) -> Path:
    """Write a table under the form that its name says."""
    if path.suffix == ".parquet":
        pq.write_table(pa.table(table), path)
    elif path.suffix == ".gz":
        with gzip.open(path, "wb") as file:
            pa_csv.write_csv(pa.table(table), file)
    else:
        pa_csv.write_csv(pa.table(table), path)
    return path


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_wide_files_are_read_day_by_day(tmp_path: Path, ending: str) -> None:
    """Days are ordered by date whatever the columns' order; empty is no observation."""
    sales = read_sales(write(tmp_path / f"sales.{ending}", WIDE))
    assert sales.ids == ["HOBBIES_1_CA_1", "FOODS_1_CA_1"]
    assert sales.days == [date(2011, 1, 29), date(2011, 1, 30), date(2011, 2, 7)]
    np.testing.assert_array_equal(sales.units, [[1.0, 3.0, 5.0], [NAN, 4.0, 6.0]])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("beside", [True, False])
def test_a_calendar_dates_the_days(tmp_path: Path, ending: str, beside: bool) -> None:
    """A calendar beside the sales is found; one elsewhere is given."""
    folder = tmp_path if beside else tmp_path / "elsewhere"
    folder.mkdir(exist_ok=True)
    calendar = write(folder / f"calendar.{ending}", CALENDAR)
    path = write(tmp_path / "sales.csv", WIDE)
    sales = read_sales(path) if beside else read_sales(path, calendar)
    assert sales.days == [date(2015, 3, 3), date(2015, 3, 4), date(2015, 3, 12)]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_long_files_are_turned_into_items_by_days(tmp_path: Path, ending: str) -> None:
    """Items in order of appearance, days ascending, NaN where there is no row or no value."""
    sales = read_sales(write(tmp_path / f"mine.{ending}", LONG))
    assert sales.ids == ["b", "a"]
    assert sales.days == [date(2016, 5, day) for day in (20, 21, 22)]
    np.testing.assert_array_equal(sales.units, [[NAN, NAN, 1.0], [NAN, 0.0, 2.0]])


@pytest.mark.parametrize("kind", [date, datetime])
def test_long_parquet_files_may_hold_real_dates(tmp_path: Path, kind: type[date]) -> None:
    """Date and timestamp columns are dates as well as texts are."""
    days = [kind(2016, 5, 21), kind(2016, 5, 22)]
    table: Table = {"id": ["a", "a"], "date": days, "y": [1, 2]}
    sales = read_sales(write(tmp_path / "mine.parquet", table))
    assert sales.days == [date(2016, 5, 21), date(2016, 5, 22)]


def test_a_number_far_down_a_csv_may_have_a_fraction(tmp_path: Path) -> None:
    """Cells are read as numbers whatever the first rows look like."""
    rows = [f"item_{i},{i % 7},{i % 3}" for i in range(200_000)] + ["last,0.5,1"]
    path = tmp_path / "sales.csv"
    path.write_text("\n".join(["id,d_1,d_2", *rows]))
    assert read_sales(path).units_of("last", "2011-01-29") == 0.5


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["sales_train_validation.csv", "sales_train_evaluation.csv"], "sales_train_evaluation"),
        (["sales_train_validation.parquet", "sales_other.csv"], "sales_train_validation"),
        (["sales_d1_d10.parquet", "sell_prices.csv"], "sales_d1_d10"),
    ],
)
def test_a_directory_names_its_file_of_sales(
    tmp_path: Path, names: list[str], expected: str
) -> None:
    """The official names win, the evaluation file first; else the only one that is there."""
    for name in names:
        write(tmp_path / name, WIDE | {"id": [f"{name.partition('.')[0]}_{i}" for i in range(2)]})
    assert read_sales(tmp_path).ids[0] == f"{expected}_0"


BAD_TABLES: dict[str, tuple[Table, str]] = {
    "no id": ({"d_1": [1]}, "needs the columns id and d_1"),
    "no days": ({"id": ["a"], "price": [1]}, "needs the columns id and d_1"),
    "no target": ({"id": ["a"], "date": ["2016-05-22"]}, "or id, date and y"),
    "id twice": (WIDE | {"id": ["a", "a_evaluation"]}, "'a' is there twice: keep one"),
    "empty id": (WIDE | {"id": ["a", None]}, "row 2 has no id: fill it in"),
    "text for units": (WIDE | {"d_2": ["3", "many"]}, "many"),
    "infinite units": (WIDE | {"d_2": [1.0, float("inf")]}, "'FOODS_1_CA_1' has infinite"),
    "two rows of a day": (
        LONG | {"date": ["2016-05-22"] * 4},
        "b has two rows on 2016-05-22: keep one",
    ),
    "no such day": (LONG | {"date": ["2016-02-30"] * 4}, "'2016-02-30' is no date: write YYYY"),
    "another format": (LONG | {"date": ["20160522"] * 4}, "'20160522' is no date"),
    "no date": (LONG | {"date": [None, "", "2016-05-22", "2016-05-21"]}, "row 1 has no date"),
    "text for y": (LONG | {"y": ["1", "2", "3", "many"]}, "many"),
}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_tables_are_refused_in_one_line_that_names_the_file(
    tmp_path: Path, case: str, ending: str
) -> None:
    """Every mistake in a file says where it is and what to do."""
    table, message = BAD_TABLES[case]
    path = write(tmp_path / f"bad.{ending}", table)
    with pytest.raises(BadSales) as caught:
        read_sales(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


BAD_CALENDARS: dict[str, tuple[Table, str]] = {
    "no d": ({"date": ["2015-03-03"]}, "column 'd' is missing: it has date"),
    "a day missing": ({"d": ["d_1"], "date": ["2015-03-03"]}, "no date for d_2"),
    "a bad date": (CALENDAR | {"date": ["3/3/2015"] * 4}, "'3/3/2015' is no date"),
}


@pytest.mark.parametrize("case", BAD_CALENDARS)
def test_bad_calendars_are_refused(tmp_path: Path, case: str) -> None:
    """A calendar's mistakes are told with the calendar's name."""
    table, message = BAD_CALENDARS[case]
    calendar = write(tmp_path / "calendar.csv", table)
    with pytest.raises(BadSales, match=message) as caught:
        read_sales(write(tmp_path / "sales.csv", WIDE))
    assert str(caught.value).startswith(f"{calendar}: ")


def test_a_calendar_with_one_date_for_two_days_is_refused(tmp_path: Path) -> None:
    """Two columns cannot be the same day."""
    write(tmp_path / "calendar.csv", CALENDAR | {"date": ["2015-03-03"] * 4})
    with pytest.raises(BadSales, match="distinct and ascending"):
        read_sales(write(tmp_path / "sales.csv", WIDE))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.csv", None, "no such file"),
        ("sales.xlsx", b"x", "can read .csv, .csv.gz, .parquet"),
        ("sales.csv", b"", "cannot be read as a table"),
        ("sales.parquet", b"not parquet", "cannot be read as a table"),
        ("sales.csv", b"id,d_1,d_1\na,1,2\n", "a column name is there twice"),
        ("sales.csv", b"id,d_1\na,1\na,1,2\n", "cannot be read as a table.*Row #3"),
        ("sales.csv", b"id,d_1\na,1\na,x\n", "cannot be read as a table.*Row #3"),
    ],
)
def test_what_is_no_table_is_refused(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    """Missing, foreign and broken files give one kind of error."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadSales, match=message):
        read_sales(path)


def test_a_directory_without_one_clear_file_is_refused(tmp_path: Path) -> None:
    """None, or several that are not official, leave the choice to the user."""
    with pytest.raises(BadSales, match=r"found none: name it"):
        read_sales(tmp_path)
    write(tmp_path / "sales_a.csv", WIDE)
    write(tmp_path / "sales_b.csv", WIDE)
    with pytest.raises(BadSales, match=r"found sales_a.csv, sales_b.csv: name it"):
        read_sales(tmp_path)
