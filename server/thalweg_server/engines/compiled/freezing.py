"""The compiled engine in a snapshot: plans as what they are made of, rows as the memory they are.

All of it is plain data: nothing here is a pickle. A plan and its kernel are not in it either: they
are made anew, and have to be the very same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from thalweg_server.core.errors import CorruptStorage
from thalweg_server.core.mixed import Numbered, freeze_json, thaw_json
from thalweg_server.core.observation import Context, Flavor
from thalweg_server.core.ports import NotReady
from thalweg_server.core.prefixed import PrefixedSink, PrefixedSource
from thalweg_server.core.storing import Sink, Source
from thalweg_server.engines.compiled.blueprint import Blueprint, identity
from thalweg_server.engines.compiled.composer import Composer
from thalweg_server.engines.compiled.errors import SchemaNeeded, Unlowerable
from thalweg_server.engines.compiled.fleet import Fleet, Fleets
from thalweg_server.engines.compiled.lowering import Lowering, Prototype
from thalweg_server.engines.compiled.newcomers import Newcomers
from thalweg_server.engines.compiled.places import Places
from thalweg_server.engines.compiled.plan import Plan
from thalweg_server.engines.compiled.steps.base import Inputs
from thalweg_server.engines.fallback import Fallback
from thalweg_server.engines.structures import Malformed, pack, unpack
from thalweg_server.engines.texts import text_of

_Made = tuple[Plan, Blueprint, Any, tuple[Context, ...]]
"""What a fleet is made of."""

_BROKEN = (Malformed, Unlowerable, SchemaNeeded, LookupError, TypeError, ValueError)
"""What is raised by facts that nobody here has written."""


@dataclass(slots=True)
class Freezing:
    """Writes the engine's parts, and puts them back."""

    lowering: Lowering
    places: Places
    newcomers: Newcomers
    river: Fallback

    def freeze(self, flavor: Flavor, sink: Sink) -> None:
        """See `Engine.freeze`."""
        fleets = [self.lowering.fleets[number] for number in range(len(self.lowering.fleets))]
        self.river.freeze(PrefixedSink(sink, "river/"))
        self.places.freeze(PrefixedSink(sink, "places/"))
        given = _Given()
        facts = {
            "flavor": flavor.value,
            "fleets": [_facts(fleet, given) for fleet in fleets],
            "prototypes": [
                [number, *_noted(each, given)] for number, each in self.lowering.waiting.items()
            ],
        }
        waiting = [
            (slot, given.inputs.number(each.inputs), given.contexts.number(each.context))
            for slot, each in self.newcomers.waiting.items()
        ]
        freeze_json(sink, "facts", {**facts, **given.facts()})
        sink.array("newcomers", np.array(waiting, np.int64).reshape(-1, 3))
        for number, prototype in self.lowering.waiting.items():
            sink.dump(f"prototypes/{number}", 0, partial(pack, prototype.estimator))
        for number, fleet in enumerate(fleets):
            sink.data(f"skeletons/{number}", fleet.blueprint.skeleton)
            sink.data(f"dictionaries/{number}", fleet.plan.coding.dictionary.to_bytes())
            sink.array(f"fleets/{number}", fleet.rows)

    def thaw(self, source: Source) -> Flavor:
        """See `Engine.thaw`."""
        facts = thaw_json(source, "facts")
        try:
            inputs = [_inputs(each) for each in facts["inputs"]]
            contexts = [tuple(map(Context, each)) for each in facts["contexts"]]
            plans = [
                _planned(source, number, each, inputs, contexts)
                for number, each in enumerate(facts["fleets"])
            ]
            waiting = {
                number: _prototype(source, number, rest, inputs, contexts)
                for number, *rest in facts["prototypes"]
            }
        except _BROKEN as error:
            raise CorruptStorage(
                f"what fleets are made of is whole in the snapshot and does not load: "
                f"{text_of(error)}. Start the server as it was when it wrote the snapshot, or "
                "delete the snapshot to replay the log if it is whole"
            ) from error
        fleets = _made(self.lowering.fleets, plans)
        for number, (fleet, (digest, free, *_)) in enumerate(
            zip(fleets, facts["fleets"], strict=True)
        ):
            if _digest(fleet) != digest:
                raise CorruptStorage(
                    f"fleet {number} in the snapshot has another layout or kernel than it would "
                    "have here: the snapshot was written by another version. Start that once "
                    "more, or delete the snapshot to replay the log if it is whole"
                )
            source.fill(f"fleets/{number}", partial(fleet.restore, free=free))
        self.river.thaw(PrefixedSource(source, "river/"))
        self.places.thaw(PrefixedSource(source, "places/"))
        self.lowering.fleets.restore(fleets)
        self.lowering.waiting |= waiting
        for slot, number, context in source.array("newcomers").tolist():
            self.newcomers.restore(slot, inputs[number], contexts[context])
        return Flavor(facts["flavor"])


@dataclass(slots=True)
class _Given:
    """Features and contexts that many things were made with, each once."""

    inputs: Numbered[Inputs] = field(default_factory=Numbered)
    contexts: Numbered[tuple[Context, ...]] = field(default_factory=Numbered)

    def facts(self) -> dict[str, Any]:
        """As JSON has them."""
        return {
            "inputs": [
                [each.names, each.raw, sorted(each.text), sorted(each.whole), each.narrow]
                for each in self.inputs.values
            ],
            "contexts": [[each.value for each in context] for context in self.contexts.values],
        }


def _inputs(facts: Sequence[Any]) -> Inputs:
    names, raw, text, whole, narrow = facts
    known = None if names is None else tuple(names)
    return Inputs(known, raw=raw, text=frozenset(text), whole=frozenset(whole), narrow=narrow)


def _facts(fleet: Fleet, given: _Given) -> Sequence[Any]:
    blueprint = fleet.blueprint
    return [
        *(_digest(fleet), list(fleet.free)),
        *(given.inputs.number(blueprint.given), given.contexts.number(fleet.context)),
        *(blueprint.rooms, blueprint.orders),
    ]


def _planned(
    source: Source,
    number: int,
    facts: Sequence[Any],
    inputs: Sequence[Inputs],
    contexts: Sequence[tuple[Context, ...]],
) -> _Made:
    _, _, given, context, rooms, orders = facts
    skeleton = source.data(f"skeletons/{number}")
    blueprint = Blueprint(skeleton, inputs[given], tuple(rooms), tuple(map(tuple, orders)))
    plan, estimator = blueprint.build()
    plan.coding.dictionary.restore(source.data(f"dictionaries/{number}"))
    return plan, blueprint, estimator, contexts[context]


def _noted(prototype: Prototype, given: _Given) -> Sequence[Any]:
    """All but the estimator, which never changes, and compilations, which end with the server."""
    number = given.inputs.number
    return (
        *(given.contexts.number(prototype.context), prototype.waiting),
        [[number(inputs), *place] for inputs, place in prototype.rows.items()],
        [[number(inputs), reason] for inputs, reason in prototype.refused.items()],
    )


def _prototype(
    source: Source,
    number: int,
    facts: Sequence[Any],
    inputs: Sequence[Inputs],
    contexts: Sequence[tuple[Context, ...]],
) -> Prototype:
    context, waiting, rows, refused = facts
    return Prototype(
        unpack(source.data(f"prototypes/{number}")),
        contexts[context],
        waiting,
        rows={inputs[given]: (fleet, row) for given, fleet, row in rows},
        refused={inputs[given]: reason for given, reason in refused},
    )


def _digest(fleet: Fleet) -> str:
    """Equal for fleets whose rows mean the same to the same kernel."""
    layout = fleet.layout
    digest = hashlib.sha256(Composer(fleet.plan).source().encode())
    for part in (np.array([layout.words]), layout.starts, layout.lengths, fleet.sizes):
        digest.update(part.tobytes() + b";")
    digest.update(identity(fleet.plan))
    return digest.hexdigest()


def _made(fleets: Fleets, plans: Sequence[_Made]) -> list[Fleet]:
    """Fleets without rows; raises NotReady for the kernel that will be there last."""
    made: list[Fleet] = []
    missing: NotReady | None = None
    for plan in plans:
        try:
            made.append(fleets.make(*plan))
        except NotReady as error:
            missing = error  # all are begun, one after the other
        except Unlowerable as error:
            raise CorruptStorage(
                f"a kernel that the snapshot needs cannot be had: {error}. Start again when it "
                "can, or delete the snapshot to replay the log if it is whole"
            ) from error
    if missing is not None:
        raise missing
    return made
