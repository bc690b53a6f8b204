"""From River estimators to rows of fleets, at once or with the first row of data."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from typing import Any

from thalweg_server.core.observation import Context
from thalweg_server.engines.compiled.errors import TooNarrow, Unlowerable
from thalweg_server.engines.compiled.fleet import Fleet, Fleets
from thalweg_server.engines.compiled.plan import make_plan
from thalweg_server.engines.compiled.steps.base import Inputs

REASON_MAX = 500


@dataclass(slots=True)
class Prototype:
    """An estimator that waits for its first row to be lowered, shared by its clones.

    Args:
        estimator: never changed.
        context: what it sees of an observation's frame.
        waiting: how many candidates are waiting.
        rows: by features, the fleet and the row that candidates are cloned from.
        refused: by features, why it cannot be lowered for these.
    """

    estimator: Any
    context: tuple[Context, ...]
    waiting: int = 1
    rows: dict[Inputs, tuple[int, int]] = field(default_factory=dict)
    refused: dict[Inputs, str] = field(default_factory=dict)


@dataclass(slots=True)
class Lowering:
    """Finds the fleet for an estimator, and keeps those that wait for their features."""

    fleets: Fleets
    waiting: dict[int, Prototype] = field(default_factory=dict)

    def lower(
        self, estimator: Any, inputs: Inputs, context: tuple[Context, ...]
    ) -> tuple[int, int]:
        """Fleet and row of an estimator: the narrow ones first, which most targets fit in.

        Raises:
            Unlowerable: with the reason.
            SchemaNeeded: it takes a first row to tell.
        """
        for narrow in (True, False):
            plan = make_plan(estimator, replace(inputs, narrow=narrow))
            number = self.fleets.find(plan, estimator, context)
            try:
                return number, self.fleets[number].add(estimator)
            except TooNarrow:
                continue
        raise Unlowerable("its learned numbers do not fit")

    def widen(self, estimator: Any, fleet: Fleet) -> tuple[int, int]:
        """Fleet and row of an estimator out of a narrow fleet."""
        plan = fleet.plan
        inputs = Inputs(plan.taken or None, raw=True, text=plan.texts)
        number = self.fleets.find(make_plan(estimator, inputs), estimator, fleet.context)
        return number, self.fleets[number].add(estimator)

    def wait(self, number: int, estimator: Any, context: tuple[Context, ...]) -> None:
        """Keeps an estimator until its features are known."""
        self.waiting[number] = Prototype(estimator, context)

    def bind(self, number: int, inputs: Inputs) -> tuple[int, int] | str:
        """Fleet and row for one of those that wait, now that a row has come; or why there is none.

        It waits no longer; `release` comes next.
        """
        prototype = self.waiting[number]
        if inputs not in prototype.rows and inputs not in prototype.refused:
            try:
                place = self.lower(prototype.estimator, inputs, prototype.context)
                prototype.rows[inputs] = place
            except Exception as error:
                prototype.refused[inputs] = reason_of(error)
        if inputs in prototype.refused:
            return prototype.refused[inputs]
        fleet, row = prototype.rows[inputs]
        return fleet, self.fleets[fleet].clone(row)

    def release(self, number: int) -> None:
        """One less that waits; forgets the prototype with the last."""
        prototype = self.waiting[number]
        prototype.waiting -= 1
        if prototype.waiting == 0:
            for fleet, row in self.waiting.pop(number).rows.values():
                self.fleets[fleet].drop(row)

    def estimator(self, number: int) -> Any:
        """A copy of what waits, to be changed at will."""
        return copy.deepcopy(self.waiting[number].estimator)


def reason_of(error: Exception) -> str:
    """Why something was not lowered. What a strange estimator raises is a reason, too."""
    if isinstance(error, Unlowerable):
        return str(error)
    return f"it could not be read: {type(error).__name__}: {error}"[:REASON_MAX]
