"""What the client sends: one observation as a `Row`, many as `Columns`.

Both are plain values with no gRPC in them, so that readers of files can make them and the
transport can take them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

Feature = float | int | bool | str | None
"""A feature value as River sees it. None is a value too: a feature that is present and empty."""

Target = float | int | bool | str
"""What happened: a number (regression), a flag (binary), a text, integer or flag (multiclass)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One observation of one model.

    Args:
        model: name of the model that learns.
        target: the true value.
        features: feature name to value; leave empty with `text` or for models that use only
            their context (id, date).
        date: the day observed, as a `datetime.date` or `YYYY-MM-DD`; None = no date.
        text: the text of a text model, instead of `features`.
        prediction_id: id of an earlier Predict whose stored answers are scored against `target`.
        request_id: makes a repeated send of the same row harmless.
    """

    model: str = ""
    target: Target
    features: Mapping[str, Feature] = field(default_factory=dict)
    date: date | str | None = None
    text: str | None = None
    prediction_id: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Many observations, column by column: the cheapest way to send them.

    Args:
        models: names; with `model_index` a dictionary it points into, without it one per row.
        targets: one per row. Floats (any float64 buffer such as a NumPy array is taken as it
            is) or, for multiclass, texts.
        model_index: per row, a position in `models`; empty = row i is `models[i]`.
        date_days: days since 1970-01-01; none, one for all rows, or one per row.
        features: feature name to its values, one for all rows or one per row; a column holds
            numbers or texts, not both.
    """

    models: Sequence[str]
    targets: Sequence[float] | Sequence[str]
    model_index: Sequence[int] = ()
    date_days: Sequence[int] = ()
    features: Mapping[str, Sequence[float] | Sequence[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.targets)
