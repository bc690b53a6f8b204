"""A batch as kernels want it: per item a day, a target and a table of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.observation import Batch, Context, Features, Question, day_text
from thalweg_server.engines.compiled import shape as shapes_of
from thalweg_server.engines.compiled.dictionary import Factor, encode
from thalweg_server.engines.compiled.fleet import Fleet
from thalweg_server.engines.compiled.shape import DATE, ID, Shape, is_number, pick


@dataclass(slots=True)
class Feed:
    """A batch, converted once for all fleets.

    Args:
        days: per row.
        targets: per row.
        shapes: the different sets of features.
        ids: per row, the name of its model.
        learn: whether it is there to be learned, so that fleets come to know its texts.
        shape_of: per row, its shape; None where there is one shape only.
    """

    days: NDArray[np.int64]
    targets: NDArray[np.float64]
    shapes: list[Shape]
    ids: Factor
    learn: bool = False
    shape_of: NDArray[np.int64] | None = None
    _dates: Factor | None = None
    _known: dict[tuple[int, int, str], NDArray[np.float64]] = field(default_factory=dict)

    def of(self, row: int) -> Shape:
        """The shape of a row."""
        return self.shapes[0 if self.shape_of is None else int(self.shape_of[row])]

    def acceptable(self, fleet: Fleet, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Per item, whether the fleet's kernel can take its row: the features it knows."""
        fits = np.zeros(len(rows), np.bool_)
        for number, items in self._by_shape(rows):
            fits[items] = self._fits(fleet, number, rows[items])
        return fits

    def table(self, fleet: Fleet, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """The features that a fleet reads, one line each, of rows that it accepts.

        A last line with the marks of groups' keys follows where some of these are numbers.
        """
        plan = fleet.plan
        marked, coded = plan.coding.marked, plan.coding.coded
        table = np.full((len(plan.inputs) + bool(marked), len(rows)), np.nan)
        if not len(table):
            return table
        for number, items in self._by_shape(rows):
            shape, here = self.shapes[number], rows[items]
            at = shape.at(here)
            for line, name in enumerate(plan.inputs):
                if name in coded:
                    table[line, items] = self._codes(fleet, number, name, here)
                elif name not in plan.texts:  # no step uses those
                    table[line, items] = shape.number(name, at)
            if marked:
                table[-1, items] = shape.marks(marked, at)
        return table

    def _by_shape(self, rows: NDArray[np.int64]) -> Iterator[tuple[int, Any]]:
        """Each shape among some rows, by its number, and which items are of it."""
        if not len(rows):  # and so of no shape, whose features might not be the fleet's
            return
        if self.shape_of is None:
            yield 0, slice(None)
            return
        numbers = self.shape_of[rows]
        for number in np.unique(numbers).tolist():
            yield number, np.flatnonzero(numbers == number)

    def _fits(self, fleet: Fleet, number: int, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        plan, shape = fleet.plan, self.shapes[number]
        given = shape.inputs(fleet.context)
        fits = not shape.whole and plan.accepts(given, shape.numbers.keys())
        if plan.dated and fits and DATE not in shape.names:
            fits = Context.DATE in fleet.context
        each = np.full(len(rows), fits)
        if plan.dated and fits and DATE in shape.names:
            each &= shape.same_dates(shape.at(rows), self.days[rows])
        if fits:
            for name in plan.coding.coded:
                each &= ~np.isnan(self._codes(fleet, number, name, rows))
        return each

    def _codes(
        self, fleet: Fleet, number: int, name: str, rows: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """A fleet's codes of a feature that is no number, or of the context's."""
        dictionary, shape = fleet.plan.coding.dictionary, self.shapes[number]
        if name in shape.others:
            factor = shape.factor(name)
            at = pick(factor, shape.at(rows))
        else:
            number = -1
            factor = self._context(name)
            at = factor.at[rows]
        known = self._known.setdefault((id(dictionary), number, name), factor.unasked())
        return encode(dictionary, factor.values, at, known, learn=self.learn)

    def _context(self, name: str) -> Factor:
        if name == ID:
            return self.ids
        if self._dates is None:
            days, at = np.unique(self.days, return_inverse=True)
            self._dates = Factor([day_text(day) for day in days.tolist()], at)
        return self._dates


def of_batch(batch: Batch) -> Feed:
    """The feed of a batch that is to be learned."""
    targets = batch.targets
    if not isinstance(targets, np.ndarray):
        targets = np.array([np.nan if y is None else _target(y) for y in targets], np.float64)
    days = batch.days.astype(np.int64)
    ids = Factor(batch.names, batch.index.astype(np.int64))
    if batch.rows is not None and (any(batch.rows) or "" in batch.rows):
        shapes, shape_of = _of_rows(batch.rows)
        return Feed(days, targets, shapes, ids, True, shape_of)
    return Feed(days, targets, [shapes_of.of_columns(batch.columns)], ids, True)


def of_columns(days: NDArray[Any], columns: Mapping[str, Any], names: Sequence[str] = ()) -> Feed:
    """The feed of questions in columns, about models of these names."""
    length = len(days)
    # Without names, River's estimators are asked under an empty one, too.
    at = np.arange(length) if names else np.zeros(length, np.int64)
    shapes = [shapes_of.of_columns(columns)]
    return Feed(days.astype(np.int64), np.zeros(length), shapes, Factor(names or [""], at))


def of_questions(questions: Sequence[Question]) -> Feed:
    """The feed of single questions."""
    days = np.array([question.day for question in questions], np.int64)
    ids = Factor([question.model for question in questions], np.arange(len(questions)))
    shapes, shape_of = _of_rows([each.features for each in questions])
    return Feed(days, np.zeros(len(questions)), shapes, ids, False, shape_of)


def question(
    item: int, days: NDArray[Any], columns: Mapping[str, Any], names: Sequence[str]
) -> Question:
    """One of the questions in columns."""
    features = {name: _cell(column, item) for name, column in columns.items()}
    return Question(names[item] if names else "", int(days[item]), features)


def _cell(column: Any, row: int) -> Any:
    value = column[row if len(column) > 1 else 0]
    return value if isinstance(value, str) else value.item()


def _of_rows(rows: Sequence[Features]) -> tuple[list[Shape], NDArray[np.int64]]:
    """Rows by their sets of features and of kinds of these."""
    found: dict[tuple[Any, ...], int] = {}
    members: list[list[int]] = []
    shape_of = np.zeros(len(rows), np.int64)
    for row, features in enumerate(rows):
        if isinstance(features, str):  # a text as a whole: no names, no numbers, nothing fits
            kind: tuple[Any, ...] = (None,)
        else:
            kind = (tuple(features), tuple(map(is_number, features.values())))
        number = found.setdefault(kind, len(members))
        if number == len(members):
            members.append([])
        members[number].append(row)
        shape_of[row] = number
    shapes = [shapes_of.of_rows([rows[row] for row in each], each, len(rows)) for each in members]
    return shapes or [Shape((), {})], shape_of


def _target(value: Any) -> float:
    return float(value) if is_number(value) else np.nan
