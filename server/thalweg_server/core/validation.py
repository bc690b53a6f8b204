"""Checks on what callers send. Each raises the domain error that says what to do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import lru_cache

from thalweg_server.core.errors import (
    BadDate,
    BadFeature,
    BadName,
    BadRequest,
    BadTarget,
    LimitReached,
)
from thalweg_server.core.limits import Limits
from thalweg_server.core.observation import EPOCH_ORDINAL, NO_DAY, Feature, Features, Flavor, Target

_SHOWN = 60
"""Characters of an offending value that an error quotes."""


def shown(value: object) -> str:
    """A value as an error quotes it: escaped, and cut where it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"


def check_name(name: str, limits: Limits, *, field: str = "model", glob: bool = False) -> None:
    """Raises BadName unless 1 to `name_bytes_max` bytes, without "*" and "?" except in a glob."""
    if not name:
        raise BadName(f"{field} is empty: give a name", field=field)
    size = len(name.encode())
    if size > limits.name_bytes_max:
        raise BadName(
            f"{field} {shown(name)} has {size} bytes of UTF-8: at most {limits.name_bytes_max}",
            field=field,
        )
    if not glob and ("*" in name or "?" in name):
        raise BadName(
            f"{field} {shown(name)} holds '*' or '?', which only a template's name may", field=field
        )


def check_id(value: str, limits: Limits, *, field: str) -> None:
    """Raises BadRequest where an id is longer than a name may be."""
    if len(value.encode()) > limits.name_bytes_max:
        raise BadRequest(
            f"{field} {shown(value)} is too long: at most {limits.name_bytes_max} bytes",
            field=field,
        )


@lru_cache(maxsize=4096)  # the days of a batch are few
def parse_day(text: str, *, field: str = "date") -> int:
    """Days since 1970-01-01 of `YYYY-MM-DD`, NO_DAY for an empty text; raises BadDate."""
    if not text:
        return NO_DAY
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise BadDate(
            f"{field} {shown(text)} is no day: write it as YYYY-MM-DD, like 2016-05-23",
            field=field,
        )
    return day.toordinal() - EPOCH_ORDINAL


def check_day(day: int) -> None:
    """Raises BadDate where a day number is outside of years 1 to 9999."""
    if day != NO_DAY and not 1 <= day + EPOCH_ORDINAL <= date.max.toordinal():
        raise BadDate(f"date_days {day} is outside of the years 1 to 9999", field="date_days")


def check_features(features: Features, limits: Limits) -> None:
    """Raises BadFeature for a number that is not finite or too large, LimitReached for a text or
    a name that is too long.
    """
    if isinstance(features, str):
        if longer(features, limits.text_bytes_max):
            raise long_text("text", features, limits)
        return
    for name, value in features.items():
        if longer(name, limits.name_bytes_max):
            raise long_feature_name(name, limits)
        if isinstance(value, str):
            if longer(value, limits.text_bytes_max):
                raise long_text(f"feature {shown(name)}", value, limits)
        elif isinstance(value, float | int) and not abs(value) <= limits.magnitude_max:
            raise bad_feature(name, value, limits)


def check_feature_count(count: int, limits: Limits) -> None:
    """Raises LimitReached for more features than a row may have."""
    if count > limits.features_max:
        raise LimitReached(
            f"the row has {count} features: at most {limits.features_max}", field="features"
        )


def check_label(target: Feature, limits: Limits) -> None:
    """Raises LimitReached for a class label that is too long."""
    if isinstance(target, str) and longer(target, limits.label_bytes_max):
        raise LimitReached(
            f"the class {shown(target)} has {len(target.encode())} bytes of UTF-8: at most "
            f"{limits.label_bytes_max}",
            field="target",
        )


def check_payload(size: int, limits: Limits) -> None:
    """Raises LimitReached for an upload of too many bytes."""
    if size > limits.payload_bytes_max:
        raise LimitReached(
            f"the payload has {size} bytes: at most {limits.payload_bytes_max}; upload an "
            "estimator that has learned less, or let the server's owner raise payload_bytes_max",
            field="payload",
        )


def longer(text: str, bytes_max: int) -> bool:
    """Whether a text has more bytes of UTF-8; short ones, nearly all, are not encoded for it."""
    size = len(text)
    return 4 * size > bytes_max and (size > bytes_max or len(text.encode()) > bytes_max)


def long_text(what: str, value: str, limits: Limits) -> LimitReached:
    """The error for a text that is too long."""
    return LimitReached(
        f"{what} has {len(value.encode())} bytes of UTF-8: at most {limits.text_bytes_max}",
        field="features",
    )


def long_feature_name(name: str, limits: Limits) -> LimitReached:
    """The error for a feature whose name is too long."""
    return LimitReached(
        f"the name of feature {shown(name)} has {len(name.encode())} bytes of UTF-8: at most "
        f"{limits.name_bytes_max}",
        field="features",
    )


def bad_feature(name: str, value: Feature, limits: Limits) -> BadFeature:
    """The error for one feature's value."""
    return BadFeature(
        f"feature {shown(name)} is {value!r}: it must be finite and at most "
        f"{limits.magnitude_max:g} in size",
        field="features",
    )


def check_target(target: Feature, flavor: Flavor, kind: type | None, limits: Limits) -> Target:
    """The target as the estimators of this flavor learn it; raises BadTarget.

    Args:
        target: as it was sent; None where it was not.
        flavor: what the server's models predict.
        kind: multiclass: the type that the model's targets have, None where still open.
    """
    if target is None:
        raise BadTarget("the target is missing: send what happened", field="target")
    if flavor is Flavor.REGRESSION:
        return _number(target, limits)
    if flavor is Flavor.BINARY:
        return _flag(target)
    return _label(target, kind)


def _number(target: Target, limits: Limits) -> float:
    if isinstance(target, str):
        raise BadTarget(
            f"target {shown(target)} is a text: regression learns numbers", field="target"
        )
    value = float(target)
    if not abs(value) <= limits.magnitude_max:
        raise bad_target(value, limits)
    return value


def bad_target(value: float, limits: Limits) -> BadTarget:
    """The error for a number that cannot be learned."""
    return BadTarget(
        f"target {value!r} must be finite and at most {limits.magnitude_max:g} in size",
        field="target",
    )


def _flag(target: Target) -> bool:
    if isinstance(target, str) or target not in (0, 1):
        raise BadTarget(
            f"target {shown(target)} is no flag: binary learns true and false, or 1 and 0",
            field="target",
        )
    return bool(target)


def _label(target: Target, kind: type | None) -> Target:
    if isinstance(target, float):
        raise BadTarget(
            f"target {target!r} is a float: multiclass learns texts, integers or flags",
            field="target",
        )
    if kind is not None and type(target) is not kind:
        raise BadTarget(
            f"target {shown(target)} is a {type(target).__name__}, but the classes of this model "
            f"are of type {kind.__name__}",
            field="target",
        )
    return target


def same_question(given: Mapping[str, object], stored: Mapping[str, object]) -> None:
    """Raises BadRequest where a part given with a prediction id is not as it was stored."""
    for part, value in given.items():
        if value and value != stored[part]:
            raise BadRequest(
                f"{part} {shown(value)} is not what was predicted under this prediction_id: "
                f"{shown(stored[part])}. Leave it empty or send it unchanged",
                field=part,
            )
