"""The bare River loop that every rate is compared with."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from bench import reference
from thalweg import m5

TARGET_AGGS = {"knn": reference.knn, "lm": reference.lm}
"""The example's own pipelines: a union of 29 `TargetAgg`s, then what `thalweg.m5` has too."""


class Loop:
    """Models of some items, which learn in this process.

    Args:
        make: makes each candidate.
        ids: the items.
    """

    def __init__(self, make: Mapping[str, Callable[[], Any]], ids: list[str]) -> None:
        self._models = {item: [each() for each in make.values()] for item in ids}

    def rate(self, data: m5.Sales) -> float:
        """Learns sales item by item, predict_one and learn_one; returns rows per second."""
        histories = list(data.histories())
        start = time.perf_counter()
        for item, history in histories:
            for model in self._models[item]:
                for date, units in history:
                    x = {"id": item, "date": date}
                    model.predict_one(x)
                    model.learn_one(x, units)
        return data.observations / (time.perf_counter() - start)
