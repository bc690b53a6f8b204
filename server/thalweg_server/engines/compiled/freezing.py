"""The compiled engine in a snapshot: plans as objects, rows as the memory that they are.

All plans and skeletons are one blob, so that what they share, they share again. A kernel is not
in it: its source is written anew, and has to be the very same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from thalweg_server.core.errors import CorruptStorage
from thalweg_server.core.mixed import freeze_json, thaw_json
from thalweg_server.core.observation import Context, Flavor
from thalweg_server.core.ports import NotReady, Sink, Source
from thalweg_server.core.prefixed import PrefixedSink, PrefixedSource
from thalweg_server.engines.compiled.composer import Composer
from thalweg_server.engines.compiled.errors import Unlowerable
from thalweg_server.engines.compiled.fleet import Fleet, Fleets
from thalweg_server.engines.compiled.lowering import Lowering, Prototype
from thalweg_server.engines.compiled.newcomers import Newcomers
from thalweg_server.engines.compiled.places import Places
from thalweg_server.engines.compiled.plan import Plan
from thalweg_server.engines.compiled.steps.base import Inputs
from thalweg_server.engines.freezing import loaded
from thalweg_server.engines.pickling import serialise
from thalweg_server.engines.river import RiverEngine

_Frozen = tuple[Plan, Any, tuple[Context, ...]]
"""What a fleet is made of."""


@dataclass(slots=True)
class Freezing:
    """Writes the engine's parts, and puts them back."""

    lowering: Lowering
    places: Places
    newcomers: Newcomers
    river: RiverEngine

    def freeze(self, flavor: Flavor, sink: Sink) -> None:
        """See `Engine.freeze`."""
        fleets = [self.lowering.fleets[number] for number in range(len(self.lowering.fleets))]
        self.river.freeze(PrefixedSink(sink, "river/"))
        self.places.freeze(PrefixedSink(sink, "places/"))
        prototypes = {number: _facts(each) for number, each in self.lowering.waiting.items()}
        plans = [(fleet.plan, fleet.skeleton, fleet.context) for fleet in fleets]
        sink.data("plans", serialise((plans, prototypes, self._newcomers())))
        for number, prototype in self.lowering.waiting.items():
            sink.dump(f"prototypes/{number}", 0, partial(serialise, prototype.estimator))
        held = [(_digest(fleet), list(fleet.free)) for fleet in fleets]
        freeze_json(sink, "facts", {"flavor": flavor.value, "fleets": held})
        for number, fleet in enumerate(fleets):
            sink.array(f"fleets/{number}", fleet.rows)

    def thaw(self, source: Source) -> Flavor:
        """See `Engine.thaw`."""
        plans, prototypes, newcomers = loaded(source.data("plans"), "what fleets are made of")
        facts = thaw_json(source, "facts")
        fleets = _made(self.lowering.fleets, plans)
        for number, (fleet, (digest, free)) in enumerate(zip(fleets, facts["fleets"], strict=True)):
            if _digest(fleet) != digest:
                raise CorruptStorage(
                    f"fleet {number} in the snapshot has another layout or kernel than it would "
                    "have here: the snapshot was written by another version. Start that once "
                    "more, or delete the snapshot to replay the log if it is whole"
                )
            source.fill(f"fleets/{number}", partial(fleet.restore, free=free))
        waiting = {n: self._prototype(source, n, rest) for n, rest in prototypes.items()}
        self.river.thaw(PrefixedSource(source, "river/"))
        self.places.thaw(PrefixedSource(source, "places/"))
        self.lowering.fleets.restore(fleets)
        self.lowering.waiting |= waiting
        features, slots = newcomers
        for slot, number in slots.tolist():
            self.newcomers.restore(slot, *features[number])
        return Flavor(facts["flavor"])

    def _newcomers(self) -> tuple[list[tuple[Inputs, tuple[Context, ...]]], Any]:
        """What newcomers were given, each once, and their slots with the number of that."""
        features: dict[tuple[Inputs, tuple[Context, ...]], int] = {}
        slots = [
            (slot, features.setdefault((each.inputs, each.context), len(features)))
            for slot, each in self.newcomers.waiting.items()
        ]
        return list(features), np.array(slots, np.int64).reshape(-1, 2)

    @staticmethod
    def _prototype(source: Source, number: int, rest: Sequence[Any]) -> Prototype:
        estimator = loaded(source.data(f"prototypes/{number}"), f"prototype {number}")
        return Prototype(estimator, *rest)


def _facts(prototype: Prototype) -> tuple[Any, ...]:
    """All but the estimator, which never changes, and compilations, which end with the server."""
    return prototype.context, prototype.waiting, prototype.rows, prototype.refused


def _digest(fleet: Fleet) -> str:
    """Equal for fleets whose rows mean the same to the same kernel."""
    layout = fleet.layout
    digest = hashlib.sha256(Composer(fleet.plan).source().encode())
    for part in (np.array([layout.words]), layout.starts, layout.lengths, fleet.sizes):
        digest.update(part.tobytes() + b";")
    return digest.hexdigest()


def _made(fleets: Fleets, plans: Sequence[_Frozen]) -> list[Fleet]:
    """Fleets without rows; raises NotReady, which waits for all kernels that are not there yet."""
    made, missing = [], []
    for plan in plans:
        try:
            made.append(fleets.make(*plan))
        except NotReady as error:
            missing.append(error)
        except Unlowerable as error:
            raise CorruptStorage(
                f"a kernel that the snapshot needs cannot be had: {error}. Start again when it "
                "can, or delete the snapshot to replay the log if it is whole"
            ) from error
    if missing:
        raise NotReady(partial(_wait, missing))
    return made


def _wait(missing: Sequence[NotReady]) -> None:
    for each in missing:
        each.wait()
