"""Checks of a whole batch in columns at once, so that good rows cost nothing each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.errors import BadRequest, Refusal
from thalweg_server.core.limits import Limits
from thalweg_server.core.observation import NO_DAY, Batch, Column, Flavor, Target
from thalweg_server.core.validation import (
    bad_feature,
    bad_target,
    check_day,
    check_feature_count,
    check_label,
    check_target,
    long_feature_name,
    long_text,
    longer,
    shown,
)


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
        else:
            faults |= _long_texts(name, column, len(index), limits)
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
    return faults | _of_all(columns, len(index), limits)


def _of_all(columns: Mapping[str, Column], rows: int, limits: Limits) -> dict[int, Refusal]:
    """What is wrong with the columns as such is wrong with every row."""
    try:
        check_feature_count(len(columns), limits)
        for name in columns:
            if longer(name, limits.name_bytes_max):
                raise long_feature_name(name, limits)
    except Refusal as refusal:
        return dict.fromkeys(range(rows), refusal)
    return {}


def _long_texts(name: str, column: Sequence[str], rows: int, limits: Limits) -> dict[int, Refusal]:
    faults: dict[int, Refusal] = {}
    for row, text in enumerate(column):
        if longer(text, limits.text_bytes_max):
            refusal = long_text(f"feature {shown(name)}", text, limits)
            faults |= dict.fromkeys(range(rows) if len(column) == 1 else (row,), refusal)
    return faults


def label_faults(targets: Iterable[Target | None], limits: Limits) -> dict[int, Refusal]:
    """Row to what is wrong with the length of its label."""
    faults: dict[int, Refusal] = {}
    for row, target in enumerate(targets):
        try:
            check_label(target, limits)
        except Refusal as refusal:
            faults[row] = refusal
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
