"""From River estimators to rows of fleets, at once or with the first row of data."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from typing import Any

from thalweg_server.core.observation import Context
from thalweg_server.engines.compiled.cache import Compiling
from thalweg_server.engines.compiled.compiling import Compilation
from thalweg_server.engines.compiled.errors import SchemaNeeded, TooNarrow, Unlowerable
from thalweg_server.engines.compiled.fleet import Fleet, Fleets
from thalweg_server.engines.compiled.plan import Plan, make_plan
from thalweg_server.engines.compiled.steps.base import Inputs
from thalweg_server.engines.structures import Unpackable, pack

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
        making: by features, the compilation of the kernel that it takes for these.
    """

    estimator: Any
    context: tuple[Context, ...]
    waiting: int = 1
    rows: dict[Inputs, tuple[int, int]] = field(default_factory=dict)
    refused: dict[Inputs, str] = field(default_factory=dict)
    making: dict[Inputs, Compilation] = field(default_factory=dict)


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
            NotReady: its kernel is being compiled.
        """
        for narrow in (True, False):
            plan = _planned(estimator, replace(inputs, narrow=narrow))
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

    def bind(self, number: int, inputs: Inputs) -> tuple[int, int]:
        """Fleet and row for one of those that wait, now that a row has come.

        It waits no longer; `release` comes next.

        Raises:
            Unlowerable: with the reason.
            Compiling: the kernel for it is not there yet.
        """
        prototype = self.waiting[number]
        if inputs in prototype.refused:
            raise Unlowerable(prototype.refused[inputs])
        if inputs not in prototype.rows:
            prototype.rows[inputs] = self._place(prototype, inputs)
        fleet, row = prototype.rows[inputs]
        return fleet, self.fleets[fleet].clone(row)

    def _place(self, prototype: Prototype, inputs: Inputs) -> tuple[int, int]:
        making = prototype.making.get(inputs)
        if making is not None and not making.finished:
            raise Compiling(making)
        try:
            return self.lower(prototype.estimator, inputs, prototype.context)
        except Compiling as error:
            prototype.making[inputs] = error.compilation
            raise
        except Exception as error:
            prototype.refused[inputs] = reason_of(error)
            raise Unlowerable(prototype.refused[inputs]) from error

    def release(self, number: int) -> None:
        """One less that waits; forgets the prototype with the last."""
        prototype = self.waiting[number]
        prototype.waiting -= 1
        if prototype.waiting == 0:
            for fleet, row in self.waiting.pop(number).rows.values():
                self.fleets[fleet].drop(row)

    def lifted(self, fleet: int, number: int) -> Any:
        """A genuine River estimator of a fleet's row, or of what waits."""
        return self.fleets[fleet].lift(number) if fleet >= 0 else self.estimator(number)

    def context(self, fleet: int, number: int) -> tuple[Context, ...]:
        """What of an observation's frame that sees."""
        return self.fleets[fleet].context if fleet >= 0 else self.waiting[number].context

    def estimator(self, number: int) -> Any:
        """A copy of what waits, to be changed at will."""
        return copy.deepcopy(self.waiting[number].estimator)


def _planned(estimator: Any, inputs: Inputs) -> Plan:
    """See `make_plan`. What has to wait has to be plain data, which a snapshot can hold."""
    try:
        return make_plan(estimator, inputs)
    except SchemaNeeded:
        try:
            pack(estimator)
        except Unpackable as error:
            raise Unlowerable(str(error)) from error
        raise


def reason_of(error: Exception) -> str:
    """Why something was not lowered. What a strange estimator raises is a reason, too."""
    if isinstance(error, Unlowerable):
        return str(error)
    return f"it could not be read: {type(error).__name__}: {error}"[:REASON_MAX]
