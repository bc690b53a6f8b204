"""How a fleet's plan is made again in another process: from plain data, to the very same rows.

A plan is not written down. It is made anew from an estimator that has learned nothing and from
the features that it was made with, and what else it depends on is noted beside. That this gives
the same plan is tried when a fleet is made, so that no snapshot has one for which it does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from thalweg_server.engines.compiled.errors import SchemaNeeded, Unlowerable
from thalweg_server.engines.compiled.plan import Plan, make_plan
from thalweg_server.engines.compiled.steps.base import Inputs
from thalweg_server.engines.compiled.steps.routing import Selection
from thalweg_server.engines.compiled.steps.target_agg import LoweredTargetAgg
from thalweg_server.engines.structures import Unpackable, pack, unpack


@dataclass(frozen=True, slots=True)
class Blueprint:
    """What a plan is made of.

    Args:
        skeleton: an estimator that has learned nothing, as plain data.
        given: the features that it is planned with.
        rooms: groups that there is room for, by step that has groups.
        orders: of the features that each Select gives: that of a set, another in each process.
    """

    skeleton: bytes
    given: Inputs
    rooms: tuple[int, ...]
    orders: tuple[tuple[str, ...], ...]

    def build(self) -> tuple[Plan, Any]:
        """The plan, without what its dictionary held, and the estimator.

        Raises:
            Malformed: the skeleton is damaged.
            Unlowerable, SchemaNeeded: this server makes no plan of it.
        """
        estimator = unpack(self.skeleton)
        orders = {frozenset(order): order for order in self.orders}
        plan = make_plan(estimator, self.given, orders)
        for step, room in zip(_grouping(plan), self.rooms, strict=True):
            step.enlarge(room)
        return plan, estimator


def blueprint_of(plan: Plan, estimator: Any) -> Blueprint:
    """The blueprint of a plan.

    Args:
        estimator: a clone of what the plan is of, which has learned nothing.

    Raises:
        Unlowerable: the plan could not be made again.
    """
    selections = [leaf.step for leaf in plan.leaves if isinstance(leaf.step, Selection)]
    try:
        blueprint = Blueprint(
            skeleton=pack(estimator),
            given=plan.given,
            rooms=tuple(step.room for step in _grouping(plan)),
            orders=tuple(step.outputs for step in selections),
        )
        again, _ = blueprint.build()
    except (Unpackable, SchemaNeeded) as error:
        raise Unlowerable(f"it could not be restored from a snapshot: {error}") from error
    if identity(again) != identity(plan):
        raise Unlowerable("it could not be restored from a snapshot: its clone is another")
    return blueprint


def identity(plan: Plan) -> bytes:
    """Equal for plans that give each word of a row the same meaning."""
    steps = [
        (
            *(leaf.step.kind, leaf.step.inputs, leaf.step.outputs, leaf.step.reads),
            *(sorted(leaf.step.texts), sorted(leaf.step.whole), list(leaf.step.arrays)),
            [(name, value.tobytes()) for name, value in leaf.step.constants.items()],
        )
        for leaf in plan.leaves
    ]
    coding = sorted(plan.coding.coded), plan.coding.marked
    sets = sorted(plan.texts), sorted(plan.absent)
    return repr((plan.root.shape, plan.names, plan.reads, plan.taken, sets, coding, steps)).encode()


def _grouping(plan: Plan) -> Iterator[LoweredTargetAgg]:
    return (leaf.step for leaf in plan.leaves if isinstance(leaf.step, LoweredTargetAgg))
