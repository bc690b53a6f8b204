"""Feature functions for `river.compose.FuncTransformer`: what a date says, as numbers.

    from river import compose, feature_extraction, stats

    from thalweg import features

    by_weekday = feature_extraction.TargetAgg("weekday", stats.Mean())
    compose.FuncTransformer(features.calendar) | by_weekday

Upload with `context=("date",)`, or `("id", "date")` where `id` is wanted, too: then a server puts
them into `x`. Each function reads `x["date"]`, text like `2016-05-23` or a `datetime.date`, and
leaves `x` as it is. A server knows these functions: pipelines with them are compiled.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

__all__ = ["calendar", "day_of_month", "month", "weekday"]


def weekday(x: Mapping[str, Any]) -> dict[str, int]:
    """Return `weekday`, from 0 = Monday to 6 = Sunday.

    Raises:
        KeyError: `x` has no date.
        TypeError, ValueError: its date is not one.
    """
    return {"weekday": _date(x).weekday()}


def month(x: Mapping[str, Any]) -> dict[str, int]:
    """Return `month`, from 1 to 12.

    Raises:
        KeyError, TypeError, ValueError: as `weekday`.
    """
    return {"month": _date(x).month}


def day_of_month(x: Mapping[str, Any]) -> dict[str, int]:
    """Return `day_of_month`, from 1 to 31.

    Raises:
        KeyError, TypeError, ValueError: as `weekday`.
    """
    return {"day_of_month": _date(x).day}


def calendar(x: Mapping[str, Any]) -> dict[str, Any]:
    """Return `id`, as it is in `x` and only if it is, then `weekday`, `month`, `day_of_month`.

    For pipelines that group by item and by parts of the date.

    Raises:
        KeyError, TypeError, ValueError: as `weekday`.
    """
    day = _date(x)
    known = {"id": x["id"]} if "id" in x else {}
    return {**known, "weekday": day.weekday(), "month": day.month, "day_of_month": day.day}


def _date(x: Mapping[str, Any]) -> date:
    given = x["date"]
    return given if isinstance(given, date) else date.fromisoformat(given)
