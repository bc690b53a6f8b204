"""Admitting a slice of rows: all at once where it can be done on arrays, else row by row."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.admission import Admission, Duplicate, missing_date, undated
from thalweg_server.core.errors import Refusal
from thalweg_server.core.observation import NO_DAY, Batch, Context, Flavor

Rows = NDArray[np.int64]

FEW = 4
"""Rows that are admitted sooner one by one."""

DAY_BITS = 33
"""What a day takes, counted from NO_DAY."""


@dataclass(slots=True)
class Screened:
    """What became of a slice at admission.

    Attributes:
        admitted: rows to learn.
        refused: rows with what is wrong with each.
        duplicates: how many were learned before,
        duplicate_of: and the models of those that an id told.
    """

    admitted: Rows = field(default_factory=lambda: np.empty(0, np.int64))
    refused: list[tuple[int, Refusal]] = field(default_factory=list)
    duplicates: int = 0
    duplicate_of: dict[int, str] = field(default_factory=dict)


def screen(admission: Admission, batch: Batch, rows: range) -> Screened:
    """Admits a slice of a batch."""
    plain = not batch.request_ids and not batch.prediction_ids
    if plain and admission.flavor is Flavor.REGRESSION and len(rows) > FEW:
        return _together(admission, batch, np.arange(rows.start, rows.stop))
    return _one_by_one(admission, batch, rows)


def _one_by_one(admission: Admission, batch: Batch, rows: range) -> Screened:
    screened, admitted = Screened(), []
    for row in rows:
        try:
            target = admission.admit(batch, row)
        except Duplicate as duplicate:
            screened.duplicates += 1
            screened.duplicate_of[row] = duplicate.model
        except Refusal as refusal:
            screened.refused.append((row, refusal))
        else:
            if isinstance(batch.targets, list):
                batch.targets[row] = target
            admitted.append(row)
    screened.admitted = np.array(admitted, np.int64)
    return screened


def _together(admission: Admission, batch: Batch, rows: Rows) -> Screened:
    """The checks of `Admission.admit` in the same order, each on all rows that are left."""
    screened = Screened()
    if batch.refused:
        faulty = [(row, batch.refused[row]) for row in rows.tolist() if row in batch.refused]
        screened.refused += faulty
        rows = rows[~np.isin(rows, [row for row, _ in faulty])]
    rows, dated = _known(admission, batch, rows, screened)
    if dated.any() and Context.DATE.value not in batch.columns:
        rows = _with_date(batch, rows, dated, screened)
    if admission.skip_learned_dates:
        rows = _news(admission, batch, rows, screened)
    screened.admitted = rows
    return screened


def _known(
    admission: Admission, batch: Batch, rows: Rows, screened: Screened
) -> tuple[Rows, NDArray[np.bool_]]:
    """Rows of names that have a model or may get one, and whether that wants the date."""
    registry, index = admission.registry, batch.index[rows]
    numbers = registry.numbers(batch.names, index)
    dated = registry.roster.dated[numbers]
    new: dict[int, bool] = {}
    wrong: dict[int, Refusal] = {}
    for position in np.flatnonzero(numbers < 0).tolist():
        name = int(index[position])
        if name not in new and name not in wrong:
            try:
                candidates = admission.candidates(batch.names[name])
                new[name] = any(Context.DATE in each.context for each in candidates)
            except Refusal as refusal:
                wrong[name] = refusal
        if name in wrong:
            screened.refused.append((int(rows[position]), wrong[name]))
        else:
            dated[position] = new[name]
    if wrong:
        keep = ~np.isin(index, list(wrong))
        rows, dated = rows[keep], dated[keep]
    return rows, dated


def _with_date(batch: Batch, rows: Rows, dated: NDArray[np.bool_], screened: Screened) -> Rows:
    missing = dated & (batch.days[rows] == NO_DAY)
    for position in np.flatnonzero(missing).tolist():
        row = int(rows[position])
        features = batch.features(row)
        if isinstance(features, str) or Context.DATE.value in features:
            missing[position] = False
        else:
            screened.refused.append((row, missing_date(batch.name(row))))
    left: Rows = rows[~missing]
    return left


def _news(admission: Admission, batch: Batch, rows: Rows, screened: Screened) -> Rows:
    """Rows of a later day than any that their model has learned, or is about to, before them."""
    dateless = batch.days[rows] == NO_DAY
    screened.refused += [(row, undated()) for row in rows[dateless].tolist()]
    rows = rows[~dateless]
    model, through = _through(admission, batch, rows)
    # Sorted by model, each day is compared with the latest one before it: a running maximum that
    # a model's number, in front of the day, keeps from reaching into the next model's.
    order = np.argsort(model, kind="stable")
    keys = model[order] << DAY_BITS
    days = keys + (batch.days[rows[order]].astype(np.int64) - NO_DAY)
    floor = keys + (through[order] - NO_DAY)
    reached = np.maximum.accumulate(np.maximum(floor, days))
    before = np.maximum(floor, np.concatenate((np.zeros(1, np.int64), reached[:-1]))[: len(rows)])
    fresh = np.zeros(len(rows), np.bool_)
    fresh[order] = days > before
    learned = rows[~fresh]
    screened.duplicates += len(learned)
    news: Rows = rows[fresh]
    return news


def _through(
    admission: Admission, batch: Batch, rows: Rows
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Per row, its model, by a number that a name yet without a model has, too, and its day."""
    registry, index = admission.registry, batch.index[rows]
    model = registry.numbers(batch.names, index)
    through = registry.roster.through[model]
    new: dict[str, int] = {}
    for position in np.flatnonzero(model < 0).tolist():
        name = batch.names[index[position]]
        known = registry.models.get(name)
        number = new.setdefault(name, registry.roster.size + len(new))
        model[position] = known.number if known else number
        through[position] = known.learned_through if known else NO_DAY
    return model, through
