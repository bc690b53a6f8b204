"""Scoring what candidates predicted, on arrays: the loop behind every learned number.

Plain Python over arrays, so that it means the same with and without a compiler; the server has
it compiled. MAE and RMSE follow the recurrence of `river.stats.Mean`, which `river.metrics.MAE`
and `RMSE` are made of, so they are equal to these bit for bit.
"""

# ruff: noqa: PLR0913, PLR0917 -- a kernel's functions are given each array by name

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bytes: TypeAlias = NDArray[np.uint8]
Flags: TypeAlias = NDArray[np.bool_]
Rings: TypeAlias = NDArray[np.float64]
SmallRings: TypeAlias = NDArray[np.float32]
DayRings: TypeAlias = NDArray[np.int32]

Tally: TypeAlias = Callable[..., None]

RAISED, UNLEARNED, UNSCORED = 1, 2, 4
"""Flags of an item: its predict or learn raised; its learn raised; there is nothing to score."""

RECENT = 28
"""Absolute errors kept for `mae_recent`: four weeks of days, and M5's horizon."""

PAST = 60
"""Targets kept of each model, with what was predicted for them: two months of days."""

PAST_MAX = 1e38
"""What the four bytes that the past has for a number surely hold: a larger prediction is kept as
none, a larger target as this."""


def rank(
    first: int, width: int, by_rmse: bool, order: Ints, count: Ints, mae: Floats, mse: Floats
) -> None:
    """Puts a model's candidates in order, as `selection.ranking` does."""
    most = 0
    for row in range(first, first + width):
        most = max(most, count[row])
    bar = max(1.0, min(float(RECENT), most / 2))
    found = 0
    for position in range(width):
        row = first + position
        if count[row] < bar:
            continue
        loss = math.sqrt(mse[row]) if by_rmse else mae[row]
        at = first + found
        while at > first:
            other = first + order[at - 1]
            if not loss < (math.sqrt(mse[other]) if by_rmse else mae[other]):
                break
            order[at] = order[at - 1]
            at -= 1
        order[at] = position
        found += 1
    for position in range(width):
        if count[first + position] < bar:
            order[first + found] = position
            found += 1


def tally(
    models: Ints,
    targets: Floats,
    days: Ints,
    values: Floats,
    flags: Bytes,
    answers: Floats,
    by_rmse: bool,
    two: float,
    begin: Ints,
    width: Ints,
    learned: Ints,
    through: Ints,
    touched: Flags,
    past: Ints,
    past_targets: SmallRings,
    past_answers: SmallRings,
    past_days: DayRings,
    group: Ints,
    order: Ints,
    taught: Ints,
    count: Ints,
    nonfinite: Ints,
    mae: Floats,
    mse: Floats,
    recent: Rings,
    error_sums: Floats,
    scored: Ints,
    unusable: Ints,
    switches: Ints,
) -> None:
    """Scores rows in order, and puts each one's candidates in order anew.

    Args:
        models: per row, the model's number.
        targets: per row.
        days: per row.
        values: per item, what a candidate predicted, NaN where that is not usable. Items are the
            candidates of the first row's model in order of their uploads, then the second's …
        flags: per item.
        answers: filled: per row, what a caller would have got.
        by_rmse: whether champions are chosen by RMSE and not by MAE.
        two: 2.0, which a compiler must not know: Python's square is libm's `pow`, which differs
            from a product in the last bit for 1 value in 1,000.
        begin, width, learned, through, touched, past, past_targets, past_answers, past_days:
            columns of the roster.
        group, order, taught, count, nonfinite, mae, mse, recent: columns of the scoreboard.
        error_sums, scored, unusable, switches: totals by group.
    """
    item = 0
    for i in range(models.size):
        model = models[i]
        first = begin[model]
        candidates = width[model]
        best = champion = order[first]
        for place in range(candidates):
            position = order[first + place]
            if not math.isnan(values[item + position]):
                best = position
                break
        answer = values[item + best]
        answers[i] = answer
        kept = past[model] % PAST
        past_targets[model, kept] = max(-PAST_MAX, min(PAST_MAX, targets[i]))
        past_answers[model, kept] = answer if abs(answer) < PAST_MAX else math.nan
        past_days[model, kept] = days[i]
        past[model] += 1
        failed = True
        for row in range(first, first + candidates):
            value = values[item]
            flag = flags[item]
            item += 1
            if flag & RAISED == 0:
                failed = False
            if flag & UNLEARNED == 0:
                taught[row] += 1
            if flag & UNSCORED != 0:
                continue
            if math.isnan(value):
                if flag & RAISED == 0:
                    nonfinite[row] += 1
                    unusable[group[row]] += 1
                continue
            seen = count[row]
            count[row] = seen + 1
            share = 1.0 / (seen + 1)
            difference = targets[i] - value
            error = abs(difference)
            mae[row] += share * (error - mae[row])
            mse[row] += share * (float(difference) ** two - mse[row])
            recent[row, seen % RECENT] = error
            error_sums[group[row]] += error
            scored[group[row]] += 1
        if not failed:
            learned[model] += 1
        through[model] = max(through[model], days[i])
        rank(first, candidates, by_rmse, order, count, mae, mse)
        if order[first] != champion:
            switches[group[first + order[first]]] += 1
        touched[model] = True
