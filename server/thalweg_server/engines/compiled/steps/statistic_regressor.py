"""StatisticRegressor: a statistic of the target is the answer."""

# ruff: noqa: PLR0917 -- a kernel's functions are given each array by name

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from river import dummy

from thalweg_server.engines.compiled.layout import Array, Views
from thalweg_server.engines.compiled.steps.base import Constants, Floats, Inputs, Ints, Step, only
from thalweg_server.engines.compiled.steps.statistics import (
    SLOTS,
    describe,
    statistic_get,
    statistic_update,
)


def dummy_learn(
    x: Floats, y: float, day: int, state: Floats, ring: Floats, settings: Floats
) -> int:
    """`statistic.update(y)`."""
    statistic_update(int(settings[0]), settings[1], state, 0, ring, 0, y)
    return 0


def dummy_predict(
    x: Floats, day: int, note: Ints, state: Floats, ring: Floats, settings: Floats
) -> float:
    """`statistic.get()`."""
    return statistic_get(int(settings[0]), settings[1], state, 0)


class LoweredStatisticRegressor(Step):
    """`dummy.StatisticRegressor`."""

    kind = "statistic_regressor"
    learn = dummy_learn
    predict = dummy_predict
    helpers: ClassVar = (statistic_update, statistic_get)
    reads = ()

    def __init__(self, estimator: dummy.StatisticRegressor, _inputs: Inputs) -> None:
        only(estimator, {"statistic"})
        self.statistic = describe(estimator.statistic)

    @property
    def arrays(self) -> Sequence[Array]:
        """See `Step.arrays`."""
        return (Array("state", "float", SLOTS), Array("ring", "float", self.statistic.ring))

    @property
    def constants(self) -> Constants:
        """See `Step.constants`."""
        return {"settings": np.array([float(self.statistic.method), self.statistic.setting])}

    def lower(self, estimator: Any, views: Views) -> None:
        """See `Step.lower`."""
        self.statistic.read(estimator.statistic, views["state"], views["ring"])

    def lift(self, views: Views, estimator: Any) -> None:
        """See `Step.lift`."""
        self.statistic.write(views["state"], views["ring"], estimator.statistic)
