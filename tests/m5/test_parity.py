"""The shipped pipelines answer the bits of 29 genuine TargetAggs."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import parity, reference
from thalweg import m5

FIRST_DAY = date(2015, 3, 3)


def slow_seller(seed: int, days: int = 447) -> Iterator[tuple[str, float]]:
    """Yield days of whole units, most zero: none before the launch on day 60, and long pauses."""
    source = random.Random(seed)
    for day in range(days):
        asleep = (day // 60) % 3 == 0
        units = 0 if asleep or source.random() < 0.6 else source.randint(1, 9)
        yield (FIRST_DAY + timedelta(days=day)).isoformat(), float(units)


def assert_equal_bits(history: list[tuple[str, float]]) -> int:
    """Compare all four pipelines on a history; return the number of searches that met ties."""
    tally, _ = parity.compare(("item", history))
    assert tally["predictions"] == 2 * len(history)
    assert tally["mismatches"] == 0
    assert tally["vector_mismatches"] == 0
    assert tally["neighbour_differences"] == 0
    return tally["ties"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_both_pipelines_equal_target_aggs_on_447_synthetic_days(seed: int) -> None:
    """On whole numbers and many zeros every prediction is equal bit for bit, also at ties."""
    assert assert_equal_bits(list(slow_seller(seed))) > 0


def test_both_pipelines_equal_target_aggs_on_real_sales() -> None:
    """On 28 real days of 36 items of three stores every prediction is equal bit for bit."""
    sales = m5.evaluation_days()
    for store in ("CA_1", "TX_2", "WI_3"):
        for _, history in sales.select(f"*_1?1_{store}", first=12).histories():
            assert_equal_bits(history)


def test_real_days_reach_36_items() -> None:
    """The globs of the test above really name 36 items."""
    sales = m5.evaluation_days()
    stores = ("CA_1", "TX_2", "WI_3")
    assert [len(sales.select(f"*_1?1_{s}", first=12).ids) for s in stores] == [12, 12, 12]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.floats(-1e9, 1e9, allow_subnormal=True)), max_size=90)
)
def test_features_equal_target_aggs_on_any_days_and_targets(steps: list[tuple[int, float]]) -> None:
    """Gaps, repeated days and any finite targets give the same names, order, types and bits."""
    ours, theirs = m5.RollingMeans(), reference.features()
    day = FIRST_DAY
    for gap, target in steps:
        day += timedelta(days=gap % 9)
        x = {"id": "item", "date": day.isoformat()}
        mine, true = ours.transform_one(x), theirs.transform_one(x)
        assert [(k, type(v), parity.bits(v)) for k, v in mine.items()] == [
            (k, type(v), parity.bits(v)) for k, v in true.items()
        ]
        ours.learn_one(x, target)
        theirs.learn_one(x, target)


def other_windows() -> Any:
    """Make `knn` with one window missing."""
    return m5.RollingMeans(windows=range(1, 7)) | reference.knn()[2] | reference.knn()[3]


def other_scaler() -> Any:
    """Make a nearest neighbours that scales as the linear model does."""
    return m5.RollingMeans() | reference.lm()[2] | reference.knn()[3]


@pytest.mark.parametrize("wrong", [other_windows, other_scaler])
def test_the_comparison_notices_another_pipeline(
    wrong: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipeline that differs in a window or in its scaler is counted as different."""
    monkeypatch.setattr(parity, "PIPELINES", {"knn": (wrong, reference.knn)})
    tally, relative = parity.compare(("item", list(slow_seller(1, days=160))))
    assert tally["mismatches"] > 0
    assert tally["vector_mismatches"] > 0
    assert tally["neighbour_differences"] > 0
    assert relative > 0
