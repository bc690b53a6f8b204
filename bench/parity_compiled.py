"""The compiled engine beside 29 genuine `TargetAgg`s in plain River, on real sales."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bench.engines import Compiled
from bench.fleet_data import CANDIDATES
from bench.loops import TARGET_AGGS
from thalweg import m5

ITEMS_AT_A_TIME = 25
"""Enough for a batch, few enough for the work to spread over processes."""

Predictions = NDArray[np.float64]
"""Items by candidates by days, each made before its day was learned."""


def parts(sales: m5.Sales) -> Iterator[m5.Sales]:
    """Some items at a time."""
    for start in range(0, len(sales.ids), ITEMS_AT_A_TIME):
        items = slice(start, start + ITEMS_AT_A_TIME)
        yield m5.Sales(ids=sales.ids[items], dates=sales.dates, units=sales.units[items])


def compare(sales: m5.Sales) -> tuple[Counter[str], float]:
    """Learn all items day by day with both; return counts and the largest relative difference."""
    fleet = Compiled(CANDIDATES, sales.ids)
    ours, theirs = _compiled(fleet, sales), _river(sales)
    # As integers: equal bits, the sign of a zero included. Every NaN counts as the same.
    same = ours.view(np.int64) == theirs.view(np.int64)
    same |= np.isnan(ours) & np.isnan(theirs)
    tally = Counter(
        predictions=ours.size,
        mismatches=int(np.count_nonzero(~same)),
        champion_differences=int((champions(ours, sales) != champions(theirs, sales)).sum()),
    )
    tally.update({f"candidates in {where}": n for where, n in fleet.placements().items()})
    relative = np.abs(ours - theirs)[~same] / np.maximum(np.abs(theirs[~same]), 1e-300)
    return tally, float(np.nan_to_num(relative, nan=np.inf).max(initial=0.0))


def champions(predictions: Predictions, sales: m5.Sales) -> NDArray[np.intp]:
    """Per item, the candidate with the lowest mean absolute error; NaN is not scored."""
    errors = np.abs(predictions - sales.units[:, np.newaxis, :])
    best: NDArray[np.intp] = np.nanmean(errors, axis=2).argmin(axis=1)
    return best


def _compiled(fleet: Compiled, sales: m5.Sales) -> Predictions:
    days = [
        fleet.learn(day, sales.units[:, column].copy())
        for column, day in enumerate(sales.dates.tolist())
    ]
    return np.ascontiguousarray(np.stack(days, axis=2))


def _river(sales: m5.Sales) -> Predictions:
    predictions = np.empty((len(sales.ids), len(TARGET_AGGS), len(sales.dates)))
    for item, (name, history) in enumerate(sales.histories()):
        for candidate, make in enumerate(TARGET_AGGS.values()):
            estimator = make()
            for day, (date, units) in enumerate(history):
                x = {"id": name, "date": date}
                predictions[item, candidate, day] = estimator.predict_one(x)
                estimator.learn_one(x, units)
    return predictions
