"""From Python values to the contract's messages: values, rows, columns. No gRPC in here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from thalweg.observations import Columns, Feature, Row
from thalweg.v1 import forecaster_pb2 as pb

EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
OUT_OF_RANGE_INDEX = 2**32 - 1
_KINDS: dict[type, str] = {float: "number", int: "integer", bool: "flag", str: "text"}
_FLAVORS = {
    "regression": pb.FLAVOR_REGRESSION,
    "binary": pb.FLAVOR_BINARY,
    "multiclass": pb.FLAVOR_MULTICLASS,
}
_CONTEXT = {"id": pb.CONTEXT_FIELD_ID, "date": pb.CONTEXT_FIELD_DATE}

FeatureColumn = Sequence[float] | Sequence[str] | float | str
"""One value for all rows, alone or in a sequence, or one per row."""


def flavor_of(name: str | None) -> pb.Flavor.ValueType:
    """Return the flavor of that name; None or "" only asks.

    Raises:
        ValueError: no such flavor.
    """
    if not name:
        return pb.FLAVOR_UNSPECIFIED
    if name.lower() not in _FLAVORS:
        raise ValueError(f"no flavor {name!r}; there are {', '.join(_FLAVORS)}")
    return _FLAVORS[name.lower()]


def context_of(fields: Sequence[str]) -> list[pb.ContextField.ValueType]:
    """Return the context fields of those names, "id" and "date".

    Raises:
        ValueError: no such field, or a text instead of a sequence of names.
    """
    unknown = [fields] if isinstance(fields, str) else [f for f in fields if f not in _CONTEXT]
    if unknown:
        raise ValueError(f"context is a sequence of 'id' and 'date', not {unknown[0]!r}")
    return [_CONTEXT[name] for name in fields]


def date_text(day: date | str | None) -> str:
    """Return the ISO day; "" for None. A datetime counts as its day, a text goes as it is.

    Raises:
        TypeError: neither a date nor a text.
    """
    if isinstance(day, str):
        return day
    return "" if day is None else _iso(day)


@lru_cache(maxsize=4096)
def _iso(day: Any) -> str:
    """Return the ISO day of a date, a datetime or NumPy's datetime64."""
    plain = day.item() if hasattr(day, "item") else day
    if isinstance(plain, datetime):
        return plain.date().isoformat()
    if isinstance(plain, date):
        return plain.isoformat()
    raise TypeError(f"a date is a datetime.date or text like '2016-05-23', not {day!r}")


def days_since_epoch(day: date) -> int:
    """Return the days from 1970-01-01 to `day`."""
    return day.toordinal() - EPOCH_ORDINAL


def set_value(message: pb.Value, value: Feature) -> None:
    """Put a Python value into a message; None leaves the kind unset.

    Raises:
        TypeError: neither float, int, bool, text, None nor a NumPy scalar of these.
        ValueError: an int of more than 64 bits.
    """
    kind = _KINDS.get(type(value))
    if kind is None:
        if value is None:
            return
        kind, value = _unusual(value)
    setattr(message, kind, value)


def _unusual(value: Any) -> tuple[str, Feature]:
    """Return kind and plain value of NumPy scalars and of subclasses of the plain types."""
    plain = value.item() if hasattr(value, "item") else value
    for kind in (bool, int, float, str):
        if isinstance(plain, kind):
            return _KINDS[kind], kind(plain)
    raise TypeError(f"a value is a float, int, bool, text or None, not {type(value).__name__}")


def set_features(message: Mapping[str, pb.Value], features: Mapping[str, Feature] | None) -> None:
    """Put features into a message's map; it gets an entry for None values too.

    Raises:
        TypeError, ValueError: as `set_value`; names that are no text.
    """
    if features:
        for name, value in features.items():
            set_value(message[name], value)


def set_row(message: pb.LearnRequest, row: Row) -> None:
    """Put one observation into a message.

    Raises:
        TypeError, ValueError: a value or a date that has no form in the contract.
    """
    message.model = row.model
    if row.date is not None:
        message.date = date_text(row.date)
    set_value(message.target, row.target)
    if row.features:
        set_features(message.features, row.features)
    if row.text is not None:
        message.text = row.text
    if row.prediction_id:
        message.prediction_id = row.prediction_id
    if row.request_id:
        message.request_id = row.request_id


def set_columns(message: pb.LearnColumns, columns: Columns, start: int, stop: int) -> None:
    """Put rows `start` to `stop` of checked columns into a message."""
    if len(columns.model_index):
        models, index = _own_dictionary(columns, start, stop)
        message.models.extend(models)
        message.model_index.extend(index)
    else:
        message.models.extend(_plain(columns.models[start:stop]))
    message.date_days.extend(_share(columns.date_days, start, stop))
    targets = _plain(columns.targets[start:stop])
    if isinstance(targets[0], str):
        message.target_text.extend(targets)
    else:
        message.target.extend(targets)
    for name, values in columns.features.items():
        set_column(message.features[name], _share(values, start, stop))


def set_column(message: pb.Column, values: FeatureColumn) -> None:
    """Put one feature into a message.

    Raises:
        TypeError: neither numbers nor texts, or both in one column.
    """
    plain: list[Any] = [values] if isinstance(values, str | int | float) else _plain(values)
    if plain and isinstance(plain[0], str):
        message.texts.values.extend(plain)
    else:
        message.numbers.values.extend(plain)


def check_columns(columns: Columns) -> None:
    """Refuse columns whose lengths do not fit.

    Raises:
        ValueError: a column that is neither one per row nor, where allowed, none or one.
    """
    rows = len(columns)
    if not rows:
        return
    if not len(columns.model_index) and len(columns.models) != rows:
        raise ValueError(f"{rows} targets, but {len(columns.models)} models and no model_index")
    if len(columns.model_index) not in (0, rows):
        raise ValueError(f"{rows} targets, but {len(columns.model_index)} in model_index")
    if len(columns.date_days) not in (0, 1, rows):
        raise ValueError(f"{rows} targets, but {len(columns.date_days)} date_days")
    for name, values in columns.features.items():
        if len(values) not in (1, rows):
            raise ValueError(f"{rows} targets, but {len(values)} values of feature {name!r}")


def _share(values: Sequence[Any], start: int, stop: int) -> list[Any]:
    """Return the rows' part of a column that may hold one value for all rows."""
    return _plain(values if len(values) <= 1 else values[start:stop])


def _plain(values: Sequence[Any]) -> list[Any]:
    """Return a list of Python values: the cheapest thing to put into a repeated field."""
    tolist = getattr(values, "tolist", None)
    plain = tolist() if tolist else values
    return plain if isinstance(plain, list) else list(plain)


def _own_dictionary(columns: Columns, start: int, stop: int) -> tuple[Sequence[str], list[int]]:
    """Return models and index of a slice, without the names that its rows do not use.

    An index out of range stays one, so that the server reports the row.
    """
    models, index = columns.models, _plain(columns.model_index[start:stop])
    if len(models) <= stop - start:
        return _plain(models), index
    used = [i for i in dict.fromkeys(index) if 0 <= i < len(models)]
    position = {old: new for new, old in enumerate(used)}
    return [models[i] for i in used], [position.get(i, OUT_OF_RANGE_INDEX) for i in index]
