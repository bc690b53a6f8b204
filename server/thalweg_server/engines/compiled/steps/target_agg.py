"""TargetAgg: a statistic of the target per group."""

# ruff: noqa: PLR0913, PLR0917 -- a kernel's functions are given each array by name

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from river import feature_extraction

from thalweg_server.engines.compiled.errors import SchemaNeeded, Unlowerable
from thalweg_server.engines.compiled.layout import Array, Views
from thalweg_server.engines.compiled.steps.base import (
    Constants,
    Floats,
    Inputs,
    Ints,
    Step,
    finite,
    only,
)
from thalweg_server.engines.compiled.steps.statistics import (
    COUNT,
    SLOTS,
    describe,
    statistic_get,
    statistic_update,
)

GROUPS_MAX = 32
"""Groups per candidate: enough for weekdays, months or prices of one item. A candidate that
meets more goes to the river engine."""

KEYS_MAX = 4


def target_agg_find(x: Floats, counts: Ints, keys: Floats, sources: Ints) -> int:
    """The group of a row; that after the last where it is new."""
    width = sources.size
    for group in range(counts[0]):
        same = True
        for i in range(width):
            if keys[group * width + i] != x[sources[i]]:
                same = False
        if same:
            return group
    return int(counts[0])


def target_agg_guard(
    x: Floats,
    y: float,
    counts: Ints,
    keys: Floats,
    states: Floats,
    rings: Floats,
    settings: Floats,
    sources: Ints,
    start: Floats,
) -> bool:
    """Whether there is no room for the row's group, or a NaN in its key, which equals nothing."""
    for i in range(sources.size):
        if x[sources[i]] != x[sources[i]]:
            return True
    return target_agg_find(x, counts, keys, sources) * 3 >= states.size


def target_agg_learn(
    x: Floats,
    y: float,
    day: int,
    counts: Ints,
    keys: Floats,
    states: Floats,
    rings: Floats,
    settings: Floats,
    sources: Ints,
    start: Floats,
) -> int:
    """`self._groups[key].update(y)`."""
    group = target_agg_find(x, counts, keys, sources)
    if group == counts[0]:
        for i in range(sources.size):
            keys[group * sources.size + i] = x[sources[i]]
        for i in range(3):
            states[group * 3 + i] = start[i]
        counts[0] += 1
    ring = int(settings[2])
    method = int(settings[0])
    statistic_update(method, settings[1], states, group * 3, rings, group * ring, y)
    return 0


def target_agg_transform(
    x: Floats,
    out: Floats,
    day: int,
    counts: Ints,
    keys: Floats,
    states: Floats,
    rings: Floats,
    settings: Floats,
    sources: Ints,
    start: Floats,
) -> None:
    """A new group answers what a fresh statistic does."""
    group = target_agg_find(x, counts, keys, sources)
    if group == counts[0]:
        out[0] = statistic_get(int(settings[0]), settings[1], start, 0)
    else:
        out[0] = statistic_get(int(settings[0]), settings[1], states, group * 3)


class LoweredTargetAgg(Step):
    """`feature_extraction.TargetAgg` by nothing, or by features that are numbers."""

    kind = "target_agg"
    supervised = True
    learn = target_agg_learn
    transform = target_agg_transform
    guard = target_agg_guard
    helpers: ClassVar = (target_agg_find, statistic_update, statistic_get)

    def __init__(self, estimator: feature_extraction.TargetAgg, inputs: Inputs) -> None:
        only(estimator, {"on", "by", "how", "_groups", "_feature_name"})
        self.statistic = describe(estimator.how)
        state, ring = self.statistic.fresh(), np.zeros(self.statistic.ring)
        self.statistic.read(estimator.how, state, ring)
        if (state != self.statistic.fresh()).any():
            raise Unlowerable("the statistic of a TargetAgg has learned before it begins")
        self.by = tuple(estimator.by or ())
        if not inputs.raw or len(self.by) > KEYS_MAX or len(set(self.by)) < len(self.by):
            raise Unlowerable("a TargetAgg behind other steps, or by many features")
        if self.by and inputs.names is None:
            raise SchemaNeeded  # whether they are text
        if texts := sorted(inputs.text & set(self.by)):
            raise Unlowerable(f"a TargetAgg is by {texts[0]!r}, which is text")
        if not set(self.by) <= set(inputs.names or ()):
            raise Unlowerable("a TargetAgg is by a feature that is not there")
        self.reads = tuple(sorted(self.by))
        self.outputs = (estimator._feature_name,)
        self.whole = frozenset(self.outputs if self.statistic.method == COUNT else ())
        self.bind(inputs.names or ())

    def bind(self, available: tuple[str, ...]) -> None:
        """See `Step.bind`."""
        self._sources = np.array([available.index(name) for name in self.by], np.int64)

    @property
    def groups(self) -> int:
        """That there is room for."""
        return GROUPS_MAX if self.by else 1

    @property
    def arrays(self) -> Sequence[Array]:
        """See `Step.arrays`."""
        return (
            Array("counts", "int", 1),
            Array("keys", "float", self.groups * len(self.by)),
            Array("states", "float", self.groups * SLOTS),
            Array("rings", "float", self.groups * self.statistic.ring),
        )

    @property
    def constants(self) -> Constants:
        """See `Step.constants`."""
        kind = self.statistic
        return {
            "settings": np.array([kind.method, kind.setting, kind.ring], np.float64),
            "sources": self._sources,
            "start": kind.fresh(),
        }

    def lower(self, estimator: Any, views: Views) -> None:
        """See `Step.lower`."""
        if len(estimator._groups) > self.groups:
            raise Unlowerable(f"a TargetAgg has {len(estimator._groups)} groups")
        keys = views["keys"].reshape(self.groups, len(self.by))
        for group, (key, statistic) in enumerate(estimator._groups.items()):
            self.statistic.same(statistic)
            keys[group] = [finite(value) for value in key or ()]
            self.statistic.read(statistic, *self._of(views, group))
        views["counts"][0] = len(estimator._groups)

    def lift(self, views: Views, estimator: Any) -> None:
        """See `Step.lift`."""
        keys = views["keys"].reshape(self.groups, len(self.by)).tolist()
        for group in range(int(views["counts"][0])):
            key = tuple(keys[group]) if self.by else None
            state, ring = self._of(views, group)
            self.statistic.write(state, ring, estimator._groups[key])

    def _of(self, views: Views, group: int) -> tuple[Any, Any]:
        states = views["states"].reshape(self.groups, SLOTS)
        rings = views["rings"].reshape(self.groups, self.statistic.ring)
        return states[group], rings[group]
