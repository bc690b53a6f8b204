"""The last targets of a model beside what was predicted for them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from thalweg_server.core.observation import EPOCH_ORDINAL, NO_DAY
from thalweg_server.core.roster import UNLISTED, Roster
from thalweg_server.core.tally import PAST


@dataclass(frozen=True, slots=True)
class Point:
    """A target that was met.

    Args:
        day: of the observation; None where it had none.
        target: its true value, to seven digits.
        prediction: what a caller would have got for it, to seven digits; None for no usable one.
    """

    day: date | None
    target: float
    prediction: float | None


def last(roster: Roster, number: int) -> list[Point]:
    """The last PAST targets that a regression model has met, the oldest first.

    Any thread may ask: while the model learns, the oldest may be the newest already.

    Args:
        roster: the models.
        number: the model's; UNLISTED has met none.
    """
    if number == UNLISTED:
        return []
    met = int(roster.past[number])
    # A ring that has gone round begins where it is written next.
    at = [position % PAST for position in range(max(0, met - PAST), met)]
    columns = (roster.past_days, roster.past_targets, roster.past_answers)
    return [
        _point(*values) for values in zip(*(c[number, at].tolist() for c in columns), strict=True)
    ]


def _point(day: int, target: float, answer: float) -> Point:
    known = None if day == NO_DAY else date.fromordinal(day + EPOCH_ORDINAL)
    return Point(known, target, None if math.isnan(answer) else answer)
