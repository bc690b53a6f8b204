"""FuncTransformer of the functions in `thalweg.features`; any other function may do anything."""

from __future__ import annotations

from typing import Any

import numpy as np
from river import compose

from thalweg import features
from thalweg_server.core.observation import Context
from thalweg_server.engines.compiled.errors import SchemaNeeded, Unlowerable
from thalweg_server.engines.compiled.steps.base import Constants, Floats, Inputs, Ints, only
from thalweg_server.engines.compiled.steps.tracing import Passing

ID, DATE = Context.ID.value, Context.DATE.value

WEEKDAY, MONTH, DAY_OF_MONTH, PASSED = range(4)

PARTS = {"weekday": WEEKDAY, "month": MONTH, "day_of_month": DAY_OF_MONTH}

GIVEN: dict[Any, tuple[str, ...]] = {
    features.weekday: ("weekday",),
    features.month: ("month",),
    features.day_of_month: ("day_of_month",),
    features.calendar: (ID, "weekday", "month", "day_of_month"),
}
"""What each function gives, in order; the id only where it is there."""


def calendar_transform(x: Floats, out: Floats, day: int, parts: Ints) -> None:
    """Parts of the day, and inputs passed on.

    Months begin in March here, so that leap days come last, in eras of 400 years (Hinnant,
    "chrono-Compatible Low-Level Date Algorithms", civil_from_days).
    """
    since = (day + 719468) % 146097
    year = (since - since // 1460 + since // 36524 - since // 146096) // 365
    rest = since - (365 * year + year // 4 - year // 100)
    march = (5 * rest + 2) // 153
    for i in range(parts.size):
        if parts[i] == 0:
            out[i] = float((day + 3) % 7)
        elif parts[i] == 1:
            out[i] = float(march + 3 if march < 10 else march - 9)
        elif parts[i] == 2:
            out[i] = float(rest - (153 * march + 2) // 5 + 1)
        else:
            out[i] = x[parts[i] - 3]


class LoweredFunction(Passing):
    """`compose.FuncTransformer` of a function that Thalweg ships."""

    kind = "calendar"
    dated = True
    transform = calendar_transform

    def __init__(self, estimator: compose.FuncTransformer, inputs: Inputs) -> None:
        only(estimator, {"func"})
        given = next((GIVEN[each] for each in GIVEN if each is estimator.func), None)
        if given is None:
            raise Unlowerable("a FuncTransformer has a function that is not known")
        if inputs.names is None:
            raise SchemaNeeded  # whether there is an id
        if DATE not in inputs.names:
            raise Unlowerable("there is no date for a feature function")
        self.outputs = tuple(name for name in given if name in PARTS or name in inputs.names)
        passed = [name for name in self.outputs if name not in PARTS]
        self.reads = tuple(passed)
        self.passes = {name: name for name in passed}
        self.absent = frozenset(given) - {*PARTS, *passed}
        self.texts = inputs.text & {*passed}
        self.whole = frozenset(self.outputs) - (frozenset(passed) - inputs.whole)
        self.bind(inputs.names)

    def bind(self, available: tuple[str, ...]) -> None:
        """See `Step.bind`."""
        self.inputs = available
        self._parts = [
            PARTS[name] if name in PARTS else PASSED + available.index(name)
            for name in self.outputs
        ]

    @property
    def constants(self) -> Constants:
        """See `Step.constants`."""
        return {"parts": np.array(self._parts, np.int64)}
