"""Steps that pass features on and learn nothing: Select, Discard, Renamer."""

from __future__ import annotations

from typing import Any

import numpy as np
from river import compose

from thalweg_server.engines.compiled.errors import SchemaNeeded, Unlowerable
from thalweg_server.engines.compiled.steps.base import Constants, Floats, Inputs, Ints, Step, only
from thalweg_server.engines.compiled.steps.tracing import Passing, traced


def routing_transform(x: Floats, out: Floats, day: int, sources: Ints) -> None:
    """Each output is one of the inputs."""
    for i in range(sources.size):
        out[i] = x[sources[i]]


class Routing(Passing):
    """Which input each output is."""

    kind = "routing"
    transform = routing_transform

    def __init__(self, inputs: Inputs, sources: tuple[str, ...], outputs: tuple[str, ...]) -> None:
        self._sources = sources
        self.outputs = outputs
        pairs = list(zip(sources, outputs, strict=True))
        self.passes = {new: old for old, new in pairs}
        self.texts = frozenset(new for old, new in pairs if old in inputs.text)
        self.whole = frozenset(new for old, new in pairs if old in inputs.whole)
        self.bind(inputs.names if inputs.names is not None else sources)

    def bind(self, available: tuple[str, ...]) -> None:
        """See `Step.bind`."""
        self.inputs = available
        at = [available.index(name) for name in self._sources]
        self._at = np.array(at, np.int64)

    @property
    def constants(self) -> Constants:
        """See `Step.constants`."""
        return {"sources": self._at}


class Selection(Routing):
    """Select, whose outputs are in the order of a set."""


def lower_select(estimator: compose.Select, inputs: Inputs) -> Step:
    """Select gives its features in the order of a set, which a copy of it has to keep."""
    only(estimator, {"keys"})
    keys = _names(estimator.keys)
    ordered = traced(inputs).orders.get(frozenset(keys))
    if ordered is None and tuple(set(keys)) != keys:
        raise Unlowerable("the order of Select's keys would change in a copy")
    keys = ordered or keys
    if inputs.names is not None and not set(keys) <= set(inputs.names):
        raise Unlowerable("Select wants a feature that is not there")
    step = Selection(inputs, keys, keys)
    step.reads = tuple(sorted(keys))
    return step


def lower_discard(estimator: compose.Discard, inputs: Inputs) -> Step:
    """Discard keeps the others in their order."""
    only(estimator, {"keys"})
    if inputs.names is None:
        raise SchemaNeeded
    discarded = set(_names(estimator.keys))
    kept = tuple(name for name in inputs.names if name not in discarded)
    return Routing(inputs, kept, kept)


def lower_renamer(estimator: compose.Renamer, inputs: Inputs) -> Step:
    """Renamer moves what it renames to the end, in the order of its mapping."""
    only(estimator, {"mapping"})
    if inputs.names is None:
        raise SchemaNeeded
    if type(estimator.mapping) is not dict:
        raise Unlowerable("Renamer has no plain mapping")
    mapping = {old: new for old, new in estimator.mapping.items() if old in inputs.names}
    new_names = _names(mapping.values())
    taken = [*inputs.names, *estimator.mapping]
    if len(set(new_names)) < len(new_names) or set(new_names) & set(taken):
        raise Unlowerable("Renamer gives a name that is already there")
    kept = [name for name in inputs.names if name not in mapping]
    return Routing(inputs, (*kept, *mapping), (*kept, *new_names))


def _names(keys: Any) -> tuple[str, ...]:
    names = tuple(keys)
    if not all(type(name) is str for name in names):
        raise Unlowerable("a feature's name is no text")
    return names
