"""The short way of learning a few items, one by one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from thalweg_server.engines.compiled.inquiry import Inquiries
from thalweg_server.engines.compiled.lesson import RAISES, Lesson
from thalweg_server.engines.compiled.places import Places
from thalweg_server.engines.compiled.shape import is_number
from thalweg_server.engines.compiled.template import DONE

FEW_MAX = 8
"""Items up to which arrays for all of them cost more than they save."""


@dataclass(slots=True)
class Few:
    """Learns what needs no more than a kernel and one row of numbers."""

    places: Places
    inquiries: Inquiries

    def learn(self, lesson: Lesson) -> int:
        """Learns items in order up to the first that takes the long way; returns how many."""
        for item in range(len(lesson.slots)):
            if not self._learn(lesson, item):
                return item
        return len(lesson.slots)

    def _learn(self, lesson: Lesson, item: int) -> bool:
        fleet, row = self.places.of(int(lesson.slots[item]))
        line, batch = int(lesson.rows[item]), lesson.batch
        target, features = _number(batch.targets[line]), batch.features(line)
        if fleet < 0 or not math.isfinite(target):
            return False
        inquiry = self.inquiries.of(fleet)
        if not inquiry.takes(features):
            return False
        day = int(batch.days[line])
        predict = lesson.predict
        status = inquiry.run(row, day, features, target, predict=predict, learn=True)
        lesson.values[item] = inquiry.value
        if status in RAISES:
            lesson.raised(item, RAISES[status])
        return status == DONE or status in RAISES


def _number(target: Any) -> float:
    return float(target) if is_number(target) else math.nan
