"""Local fitting: a history grouped by item, and progressive validation of candidates on one item.

It knows estimators only by their methods and needs no River itself. What they see and how they
are scored is what the server does: `x` sorted by name, then id and date where asked for.
"""

from __future__ import annotations

import copy
import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from thalweg.batches import Item
from thalweg.encode import EPOCH_ORDINAL, check_columns, date_text
from thalweg.observations import Columns, Feature, Row, Target

Candidate = Any | Callable[[], Any]
"""An estimator, or a function (or class) that makes one."""
PREDICTION_MAX = 1e100
"""A prediction larger than this is not scored, as on the server."""
_ROW_BITS = 32


class History:
    """Observations by model, each model's in the order they came.

    Positions are kept, not rows: 8 bytes for a row of columns.
    """

    def __init__(self) -> None:
        self._items: list[Row | Columns] = []
        self._positions: dict[str, array[int]] = {}
        self.rows = 0

    def add(self, item: Item) -> None:
        """Take one item.

        Raises:
            TypeError: neither Row nor Columns.
            ValueError: columns of unequal length.
            IndexError: a model_index out of range.
        """
        if not isinstance(item, Row | Columns):
            raise TypeError(f"a history takes Row and Columns, not {type(item).__name__}")
        base = len(self._items) << _ROW_BITS
        self._items.append(item)
        for row, name in enumerate(_row_names(item)):
            self._positions.setdefault(name, array("Q")).append(base | row)
            self.rows += 1

    @property
    def models(self) -> Iterable[str]:
        """The models, in order of first appearance."""
        return self._positions.keys()

    def of_model(self, model: str) -> Iterator[Row]:
        """Yield the rows of one model."""
        for position in self._positions[model]:
            item = self._items[position >> _ROW_BITS]
            if isinstance(item, Row):
                yield item
            else:
                yield _row(item, model, position & (1 << _ROW_BITS) - 1)


def _row_names(item: Row | Columns) -> Iterable[str]:
    if isinstance(item, Row):
        return (item.model,)
    check_columns(item)
    if len(item.model_index):
        return (item.models[index] for index in item.model_index)
    return item.models


def _row(columns: Columns, model: str, row: int) -> Row:
    days = columns.date_days
    return Row(
        model=model,
        target=_plain(columns.targets[row]),
        features={name: _plain(_at(values, row)) for name, values in columns.features.items()},
        date=date.fromordinal(EPOCH_ORDINAL + int(_at(days, row))) if len(days) else None,
    )


def _at(values: Sequence[Any], row: int) -> Any:
    return values[0] if len(values) == 1 else values[row]


def _plain(value: Any) -> float | str:
    """Return a column's value as the server reads it: a text or a float."""
    return str(value) if isinstance(value, str) else float(value)


def fresh(candidate: Candidate) -> Any:
    """Return a new estimator; dill bytes are returned as they are."""
    if isinstance(candidate, bytes):
        return candidate
    is_estimator = hasattr(candidate, "learn_one") and not isinstance(candidate, type)
    return copy.deepcopy(candidate) if is_estimator else candidate()


def what_it_sees(row: Row, context: Sequence[str]) -> Any:
    """Return the `x` of a row.

    Raises:
        ValueError: context that neither the row nor its features give.
    """
    if row.text is not None:
        return row.text
    x: dict[str, Feature] = dict(sorted(row.features.items()))
    frame = {"id": row.model, "date": date_text(row.date)}
    for name in ("id", "date"):
        if name in context and name not in x:
            if not frame[name]:
                raise ValueError(f"the candidates ask for {name!r}, but a row has none")
            x[name] = frame[name]
    return x


@dataclass(slots=True)
class Trial:
    """One candidate on one item.

    Attributes:
        estimator: what it is by now.
        error_sum: sum of absolute errors; for classification wrong labels.
        scored: predictions in that sum.
        failure: what its learn raised; it is out of the running then.
    """

    estimator: Any
    error_sum: float = 0.0
    scored: int = 0
    failure: Exception | None = None

    @property
    def mean_error(self) -> float:
        """Mean of the errors, infinite before the first."""
        return self.error_sum / self.scored if self.scored else math.inf

    def step(self, x: Any, y: Target) -> None:
        """Predict, be scored, learn."""
        if self.failure is not None:
            return
        try:
            predicted = self.estimator.predict_one(x)
        except Exception:
            predicted = None
        error = _error(y, predicted)
        if error is not None:
            self.error_sum += error
            self.scored += 1
        try:
            self.estimator.learn_one(x, y)
        except Exception as failure:
            self.failure = failure


def _error(y: Target, predicted: Any) -> float | None:
    """Return how wrong a prediction is, None where it cannot be scored."""
    if predicted is None:
        return None
    if not isinstance(y, float):
        return float(predicted != y)
    error = abs(y - predicted)
    return error if math.isfinite(error) and abs(predicted) <= PREDICTION_MAX else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """All candidates on one item.

    Attributes:
        model: the item.
        rows: its observations.
        trials: candidate to how it did.
        best: the candidate with the lowest mean error, the earlier one in a tie; "" where all
            failed.
    """

    model: str
    rows: int
    trials: Mapping[str, Trial]
    best: str
    estimators: Mapping[str, Any] = field(repr=False)


def fit(
    history: History,
    model: str,
    candidates: Mapping[str, Candidate],
    context: Sequence[str],
    flavor: str,
) -> Fit:
    """Let fresh copies of all candidates predict, be scored and learn one item's history.

    Args:
        history: where the item's rows are.
        model: the item.
        candidates: name to an estimator or a function that makes one.
        context: "id" and "date", what to add to `x`.
        flavor: the server's, which says what a target is learned as.

    Raises:
        ValueError: a row without the context asked for, or with a target of another kind.
    """
    trials = {name: Trial(fresh(candidate)) for name, candidate in candidates.items()}
    rows = 0
    for row in history.of_model(model):
        x, y = what_it_sees(row, context), _target(row.target, flavor)
        rows += 1
        for trial in trials.values():
            trial.step(x.copy() if isinstance(x, dict) else x, y)
    sound = {name: trial for name, trial in trials.items() if trial.failure is None}
    return Fit(
        model=model,
        rows=rows,
        trials=trials,
        best=min(sound, key=lambda name: sound[name].mean_error, default=""),
        estimators={name: trial.estimator for name, trial in sound.items()},
    )


def _target(target: Target, flavor: str) -> Target:
    """Return the target as the server learns it."""
    if flavor == "multiclass":
        return target
    value = float(target)
    return bool(value) if flavor == "binary" else value
