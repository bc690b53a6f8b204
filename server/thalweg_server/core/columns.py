"""Checks of a whole batch in columns at once, so that good rows cost nothing each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.errors import BadRequest, Refusal
from thalweg_server.core.limits import Limits
from thalweg_server.core.observation import NO_DAY, Batch, Column, Flavor
from thalweg_server.core.validation import bad_feature, bad_target, check_day, check_target


def check_lengths(rows: int, columns: Mapping[str, Sequence[object] | NDArray[np.float64]]) -> None:
    """Raises BadRequest for a column that has neither one value nor one per row."""
    for name, column in columns.items():
        if len(column) not in (1, rows):
            raise BadRequest(
                f"column {name!r} has {len(column)} values for {rows} rows: give one for all rows "
                "or one per row",
                field="columns",
            )


def column_faults(
    *,
    names: int,
    index: NDArray[np.int32],
    days: NDArray[np.int32],
    columns: Mapping[str, Column],
    limits: Limits,
) -> dict[int, Refusal]:
    """Row to what is wrong with its index, day or features; the first fault of a row."""
    faults: dict[int, Refusal] = {}
    for name, column in columns.items():
        if isinstance(column, np.ndarray):
            for row in _rows(_beyond(column, limits), column, len(index)):
                value = float(column[row if len(column) > 1 else 0])
                faults[row] = bad_feature(name, value, limits)
    for row in _outside(days):
        try:
            check_day(int(days[row]))
        except Refusal as refusal:
            faults[row] = refusal
    for row in np.flatnonzero((index < 0) | (index >= names)).tolist():
        faults[row] = BadRequest(
            f"model_index {index[row]} points outside of the {names} models given",
            field="model_index",
        )
    return faults


def numeric(batch: Batch, limits: Limits) -> Batch:
    """The batch with its targets as an array; rows whose target is no number are refused."""
    refused = dict(batch.refused)
    if isinstance(batch.targets, np.ndarray) or {*map(type, batch.targets)} <= {float}:
        targets = np.asarray(batch.targets, np.float64)
        bad = [row for row in _beyond(targets, limits) if row not in refused]
        if targets is batch.targets and not bad:
            return batch
        refused |= {row: bad_target(float(targets[row]), limits) for row in bad}
        return replace(batch, targets=targets, refused=refused)
    targets = np.zeros(len(batch))
    for row, target in enumerate(batch.targets):
        try:
            targets[row] = check_target(target, Flavor.REGRESSION, None, limits)
        except Refusal as refusal:
            refused.setdefault(row, refusal)
    return replace(batch, targets=targets, refused=refused)


def _beyond(values: NDArray[np.float64], limits: Limits) -> list[int]:
    # Written so that NaN is beyond, too.
    rows: list[int] = np.flatnonzero(~(np.abs(values) <= limits.magnitude_max)).tolist()
    return rows


def _rows(bad: list[int], column: NDArray[np.float64], rows: int) -> Sequence[int]:
    return range(rows) if bad and len(column) == 1 else bad


def _outside(days: NDArray[np.int32]) -> list[int]:
    outside = (days != NO_DAY) & ((days < -719_162) | (days > 2_932_896))
    rows: list[int] = np.flatnonzero(outside).tolist()
    return rows
