"""A batch as kernels want it: per item a day, a target and a table of numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.observation import Batch, Context, Features, Question, day_text
from thalweg_server.engines.compiled.fleet import Fleet
from thalweg_server.engines.compiled.steps.base import EXACT_MAX, Inputs

DATE = Context.DATE.value


@dataclass(slots=True)
class Shape:
    """Rows that have the same features.

    Args:
        names: of the features, in order.
        numbers: those that are numbers in all the rows, one value per row.
        position: row to its position in `numbers`; None where that is the row itself.
        texts: what is no number.
        dates: a feature `date` of the rows' own.
        whole: whether each row is one text without features.
    """

    names: tuple[str, ...]
    numbers: dict[str, NDArray[np.float64]]
    position: dict[int, int] | None = None
    texts: frozenset[str] = frozenset()
    dates: Sequence[Any] | None = None
    whole: bool = False

    def inputs(self, context: tuple[Context, ...]) -> Inputs:
        """What a pipeline is given first, the context that it asks for included."""
        names = [*self.names]
        texts = set(self.texts)
        for each in (Context.ID, Context.DATE):
            if each in context and each.value not in names:
                names.append(each.value)
                texts.add(each.value)
        return Inputs(tuple(names), raw=True, text=frozenset(texts))


@dataclass(slots=True)
class Feed:
    """A batch, converted once for all fleets.

    Args:
        days: per row.
        targets: per row.
        shapes: the different sets of features.
        shape_of: per row, its shape; None where there is one shape only.
    """

    days: NDArray[np.int64]
    targets: NDArray[np.float64]
    shapes: list[Shape]
    shape_of: NDArray[np.int64] | None = None
    _verdicts: dict[tuple[int, int], bool] = field(default_factory=dict)

    def of(self, row: int) -> Shape:
        """The shape of a row."""
        return self.shapes[0 if self.shape_of is None else int(self.shape_of[row])]

    def acceptable(self, fleet: Fleet, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Per item, whether the fleet's kernel can take its row: the features it knows."""
        if self.shape_of is None:
            return self._fits(fleet, self.shapes[0], rows)
        shapes = self.shape_of[rows]
        fits = np.zeros(len(rows), np.bool_)
        for number in np.unique(shapes).tolist():
            items = np.flatnonzero(shapes == number)
            fits[items] = self._fits(fleet, self.shapes[number], rows[items])
        return fits

    def table(self, fleet: Fleet, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """The features that a fleet reads, one line each, of rows that it accepts."""
        names = fleet.plan.inputs
        table = np.empty((len(names), len(rows)))
        if not names:
            return table
        shapes = np.zeros(len(rows), np.int64) if self.shape_of is None else self.shape_of[rows]
        for number in np.unique(shapes).tolist():
            shape, items = self.shapes[number], np.flatnonzero(shapes == number)
            at = rows[items]
            if shape.position is not None:
                at = np.array([shape.position[row] for row in at.tolist()], np.int64)
            for line, name in enumerate(names):
                if name in fleet.plan.texts:
                    table[line, items] = np.nan  # no step uses it
                    continue
                column = shape.numbers[name]
                table[line, items] = column[at] if len(column) > 1 else column[0]
        return table

    def _fits(self, fleet: Fleet, shape: Shape, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        plan = fleet.plan
        needed = plan.texts.symmetric_difference(plan.inputs)
        fits = not shape.whole and needed <= shape.numbers.keys()
        if plan.reads is None:
            given = shape.inputs(fleet.context)
            fits = fits and (given.names, given.text) == (plan.taken, plan.texts)
        if plan.dated and fits:
            if DATE not in shape.names:
                fits = Context.DATE in fleet.context
            else:
                return self._same_dates(shape, rows)
        return np.full(len(rows), fits)

    def _same_dates(self, shape: Shape, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether a feature `date` of the rows' own is the day that they are of."""
        dates = shape.dates or ()
        same = np.zeros(len(rows), np.bool_)
        for item, row in enumerate(rows.tolist()):
            at = row if shape.position is None else shape.position[row]
            date = dates[at if len(dates) > 1 else 0]
            same[item] = date == day_text(int(self.days[row]))
        return same


def of_batch(batch: Batch) -> Feed:
    """The feed of a batch."""
    targets = batch.targets
    if not isinstance(targets, np.ndarray):
        targets = np.array([np.nan if y is None else _target(y) for y in targets], np.float64)
    days = batch.days.astype(np.int64)
    if batch.rows is not None:
        return _of_rows(days, targets, batch.rows)
    return Feed(days, targets, [_of_columns(batch.columns)])


def of_columns(days: NDArray[Any], columns: Mapping[str, Any]) -> Feed:
    """The feed of questions in columns."""
    length = len(days)
    return Feed(days.astype(np.int64), np.zeros(length), [_of_columns(columns)])


def of_questions(questions: Sequence[Question]) -> Feed:
    """The feed of single questions."""
    days = np.array([question.day for question in questions], np.int64)
    return _of_rows(days, np.zeros(len(questions)), [each.features for each in questions])


def question(
    item: int, days: NDArray[Any], columns: Mapping[str, Any], names: Sequence[str]
) -> Question:
    """One of the questions in columns."""
    features = {name: _cell(column, item) for name, column in columns.items()}
    return Question(names[item] if names else "", int(days[item]), features)


def _cell(column: Any, row: int) -> Any:
    value = column[row if len(column) > 1 else 0]
    return value if isinstance(value, str) else value.item()


def _of_columns(columns: Mapping[str, Any]) -> Shape:
    numbers = {
        name: np.asarray(column, np.float64)
        for name, column in columns.items()
        if isinstance(column, np.ndarray)
    }
    texts = frozenset(columns.keys() - numbers.keys())
    return Shape(tuple(columns), numbers, texts=texts, dates=columns.get(DATE))


def _of_rows(
    days: NDArray[np.int64], targets: NDArray[np.float64], rows: Sequence[Features]
) -> Feed:
    """Rows by their sets of features and of kinds of these."""
    found: dict[tuple[Any, ...], int] = {}
    members: list[list[int]] = []
    shape_of = np.zeros(len(rows), np.int64)
    for row, features in enumerate(rows):
        if isinstance(features, str):  # a text as a whole: no names, no numbers, nothing fits
            kind: tuple[Any, ...] = (None,)
        else:
            kind = (tuple(features), tuple(map(_is_number, features.values())))
        number = found.setdefault(kind, len(members))
        if number == len(members):
            members.append([])
        members[number].append(row)
        shape_of[row] = number
    shapes = [_shape([rows[row] for row in each], each) for each in members]
    return Feed(days, targets, shapes or [Shape((), {})], shape_of)


def _shape(rows: Sequence[Features], members: Sequence[int]) -> Shape:
    position = {row: at for at, row in enumerate(members)}
    first = rows[0]
    if isinstance(first, str):
        return Shape((), {}, position, whole=True)
    numeric = [name for name, value in first.items() if _is_number(value)]
    numbers = {
        name: np.array([each[name] for each in rows], np.float64)  # type: ignore[index]
        for name in numeric
    }
    dates = [each[DATE] for each in rows] if DATE in first else None  # type: ignore[index]
    return Shape(tuple(first), numbers, position, frozenset(first.keys() - numbers.keys()), dates)


def _is_number(value: Any) -> bool:
    """Whether a feature is, as a float64, the very same number."""
    return isinstance(value, float) or (isinstance(value, int) and abs(value) <= EXACT_MAX)


def _target(value: Any) -> float:
    return float(value) if _is_number(value) else np.nan
