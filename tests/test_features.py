"""The feature functions that Thalweg ships."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

import dill
import pytest
from river import compose

from thalweg import features

FUNCTIONS = [features.weekday, features.month, features.day_of_month, features.calendar]
functions = pytest.mark.parametrize("function", FUNCTIONS, ids=lambda each: each.__name__)


@pytest.mark.parametrize("day", ["2016-02-29", date(2016, 2, 29), datetime(2016, 2, 29, 12, 30)])
def test_a_date_is_text_or_an_object(day: Any) -> None:
    """2016-02-29 was a Monday."""
    assert features.weekday({"date": day}) == {"weekday": 0}
    assert features.month({"date": day}) == {"month": 2}
    assert features.day_of_month({"date": day}) == {"day_of_month": 29}


def test_calendar_gives_the_id_first_and_only_if_it_is_there() -> None:
    """The order of features reaches the last bits of what is learned."""
    with_id = features.calendar({"price": 1.0, "date": "2015-12-31", "id": "shop-42"})
    assert list(with_id.items()) == [
        ("id", "shop-42"),
        ("weekday", 3),
        ("month", 12),
        ("day_of_month", 31),
    ]
    assert list(features.calendar({"date": "2015-12-31"})) == ["weekday", "month", "day_of_month"]


@functions
def test_x_is_left_as_it_is(function: Callable[[Mapping[str, Any]], Any]) -> None:
    """Several steps are given the same x."""
    x = {"date": "2016-05-23", "id": "a", "price": 1.0}
    before = dict(x)
    function(x)
    assert x == before


@functions
@pytest.mark.parametrize("date_of", ["2016-02-30", "", "today"])
def test_what_is_no_date_raises(function: Callable[[Mapping[str, Any]], Any], date_of: str) -> None:
    """And so does a date that is missing."""
    with pytest.raises(ValueError, match=r"isoformat|day is out of range"):
        function({"date": date_of})
    with pytest.raises(KeyError, match="date"):
        function({"id": "a"})


@functions
def test_an_upload_names_the_function(function: Callable[[Mapping[str, Any]], Any]) -> None:
    """It is not copied into the payload, so a server knows it again."""
    payload = dill.dumps(compose.FuncTransformer(function), recurse=True)
    assert dill.loads(payload).func is function


def test_importing_them_loads_no_river() -> None:
    """The base install has none."""
    code = "import sys, thalweg.features; print('river' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
