"""TargetAgg: a statistic of the target per group.

A row keeps, in one array: how many groups there are; per group its key and what that was in
River (see `dictionary`); per group a statistic; per group a window.
"""

# ruff: noqa: PLR0917 -- a kernel's functions are given each array by name

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from river import feature_extraction

from thalweg_server.engines.compiled.dictionary import (
    CODE,
    FLOAT,
    MARKED,
    WHOLE,
    as_key,
    kind_of,
)
from thalweg_server.engines.compiled.errors import SchemaNeeded, Unlowerable
from thalweg_server.engines.compiled.layout import Array, Views
from thalweg_server.engines.compiled.steps.base import (
    EXACT_MAX,
    Constants,
    Floats,
    Inputs,
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
from thalweg_server.engines.compiled.steps.tracing import Traced, traced

ROOM_FIRST, ROOM_MAX = 8, 2_048
"""Groups that a candidate has room for: enough for weekdays at first, then four times as many
each time that it is full. A kernel looks at one group after the other."""

KEYS_MAX = 4

BITS_MAX = 1_024
"""Of an integer as a group's key: what nobody groups by need not be kept."""


def target_agg_find(x: Floats, state: Floats, settings: Floats) -> int:
    """The group of a row; that after the last where it is new."""
    groups = int(state[0])
    width = int(settings[4])
    if width == 1:
        key = x[int(settings[9])]
        for group in range(groups):
            if state[1 + 2 * group] == key:
                return group
        return groups
    for group in range(groups):
        same = True
        for i in range(width):
            if state[1 + group * (width + 1) + i] != x[int(settings[9 + 2 * i])]:
                same = False
        if same:
            return group
    return groups


def target_agg_guard(x: Floats, y: float, marks: int, state: Floats, settings: Floats) -> bool:
    """Whether there is no room for the row's group, or a NaN in its key, which equals nothing."""
    for i in range(int(settings[4])):
        key = x[int(settings[9 + 2 * i])]
        if key != key:  # noqa: PLR0124
            return True
    return target_agg_find(x, state, settings) >= int(settings[3])


def target_agg_learn(
    x: Floats, y: float, day: int, marks: int, state: Floats, settings: Floats
) -> int:
    """`self._groups[key].update(y)`."""
    room = int(settings[3])
    width = int(settings[4])
    group = target_agg_find(x, state, settings)
    at = 1 + room * (width + 1) + group * 3
    if group == int(state[0]):
        mark = 0
        for i in range(width):
            kind = int(settings[8 + 2 * i])
            if kind >= 4:
                kind = (marks >> (2 * (kind - 4))) & 3
            mark |= kind << (2 * i)
            state[1 + group * (width + 1) + i] = x[int(settings[9 + 2 * i])]
        state[1 + group * (width + 1) + width] = float(mark)
        for i in range(3):
            state[at + i] = settings[5 + i]
        state[0] += 1.0
    ring = 1 + room * (width + 4) + group * int(settings[2])
    statistic_update(int(settings[0]), settings[1], state, at, state, ring, y)
    return 0


def target_agg_transform(
    x: Floats, out: Floats, day: int, marks: int, state: Floats, settings: Floats
) -> None:
    """A new group answers what a fresh statistic does."""
    group = target_agg_find(x, state, settings)
    method = int(settings[0])
    if group == int(state[0]):
        out[0] = statistic_get(method, settings[1], settings, 5)
    else:
        at = 1 + int(settings[3]) * (int(settings[4]) + 1) + group * 3
        out[0] = statistic_get(method, settings[1], state, at)


class LoweredTargetAgg(Step):
    """`feature_extraction.TargetAgg` by nothing, or by features of any kind."""

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
        self.reads = tuple(sorted(self.by))
        self.inputs = self.by
        self.outputs = (estimator._feature_name,)
        self.whole = frozenset(self.outputs if self.statistic.method == COUNT else ())
        self.room = room_for(len(estimator._groups)) if self.by else 1
        flow = traced(inputs)
        self._check_keys(flow)
        self._coding = flow.coding
        self._kinds = [self._kind(name, flow) for name in self.by]
        self.bind(flow.names or ())

    def _check_keys(self, flow: Traced) -> None:
        if len(self.by) > KEYS_MAX or len(set(self.by)) < len(self.by):
            raise Unlowerable("a TargetAgg is by many features")
        if self.by and not flow.known:
            raise SchemaNeeded  # whether they are text
        if missing := sorted(set(self.by).difference(flow.names or ())):
            raise Unlowerable(f"a TargetAgg is by {missing[0]!r}, which is not there")
        if self.by and not flow.steady:
            raise Unlowerable("a TargetAgg is by what a step before it learns")

    def _kind(self, name: str, flow: Traced) -> int:
        origin = flow.origin(name)
        if origin is None:
            return WHOLE if name in flow.whole else FLOAT
        if name in flow.text:
            self._coding.coded.add(origin)
            return CODE
        return MARKED + self._coding.mark(origin)

    def bind(self, available: tuple[str, ...]) -> None:
        """See `Step.bind`."""
        self._sources = [available.index(name) for name in self.by]

    def enlarge(self, room: int) -> None:
        """Makes room for so many groups; raises Unlowerable where no candidate has that."""
        if room != (room_for(room - 1) if self.by else 1):
            raise Unlowerable(f"a TargetAgg has no room for {room} groups")
        self.room = room

    def full(self, estimator: Any) -> bool:
        """Whether a candidate has no room for another group."""
        return bool(self.by) and len(estimator._groups) >= self.room

    @property
    def arrays(self) -> Sequence[Array]:
        """See `Step.arrays`."""
        each = len(self.by) + 1 + SLOTS + self.statistic.ring
        return (Array("state", "float", 1 + self.room * each),)

    @property
    def constants(self) -> Constants:
        """See `Step.constants`."""
        kind = self.statistic
        keys = [each for pair in zip(self._kinds, self._sources, strict=True) for each in pair]
        first = [kind.method, kind.setting, kind.ring, self.room, len(self.by)]
        return {"settings": np.array([*first, *kind.fresh(), *keys], np.float64)}

    def lower(self, estimator: Any, views: Views) -> None:
        """See `Step.lower`."""
        groups = estimator._groups
        if len(groups) > self.room:
            raise Unlowerable(f"a TargetAgg has {len(groups)} groups")
        for group, (key, statistic) in enumerate(groups.items()):
            self.statistic.same(statistic)
            keys, state, ring = self._of(views, group)
            keys[:] = self._lowered_key(key)
            self.statistic.read(statistic, state, ring)
        views["state"][0] = len(groups)

    def lift(self, views: Views, estimator: Any) -> None:
        """See `Step.lift`."""
        for group in range(int(views["state"][0])):
            keys, state, ring = self._of(views, group)
            self.statistic.write(state, ring, estimator._groups[self._lifted_key(keys.tolist())])

    def _lowered_key(self, key: Any) -> list[float]:
        values, mark = key or (), 0
        if len(values) != len(self.by):
            raise Unlowerable("a group of a TargetAgg has another key than its features")
        row = []
        for i, (value, kind) in enumerate(zip(values, self._kinds, strict=True)):
            is_number = type(value) in (float, int, bool) and not _inexact(value)
            if is_number == (kind == CODE) or not (is_number or _is_text(value)):
                raise Unlowerable(f"a group's key is a {type(value).__name__}")
            row.append(finite(float(value)) if is_number else self._coding.dictionary.add(value))
            mark |= (kind_of(value) if is_number else CODE) << (2 * i)
        return [*row, float(mark)]

    def _lifted_key(self, row: list[float]) -> Any:
        *values, mark = row
        if not self.by:
            return None
        return tuple(
            as_key(value, (int(mark) >> (2 * i)) & 3, self._coding.dictionary)
            for i, value in enumerate(values)
        )

    def _of(self, views: Views, group: int) -> tuple[Any, Any, Any]:
        """Key, statistic and window of a group."""
        state, width, ring = views["state"], len(self.by) + 1, self.statistic.ring
        states = 1 + self.room * width
        rings = states + self.room * SLOTS
        return (
            state[1 + group * width : 1 + (group + 1) * width],
            state[states + group * SLOTS : states + (group + 1) * SLOTS],
            state[rings + group * ring : rings + (group + 1) * ring],
        )


def room_for(groups: int) -> int:
    """Room for more groups than there are; raises Unlowerable."""
    room = ROOM_FIRST
    while room <= groups:
        room *= 4
    if room > ROOM_MAX:
        raise Unlowerable(f"a TargetAgg has {groups} groups")
    return room


def _inexact(value: Any) -> bool:
    return isinstance(value, int) and abs(value) > EXACT_MAX


def _is_text(value: Any) -> bool:
    if type(value) is int:
        return _inexact(value) and value.bit_length() <= BITS_MAX
    return value is None or type(value) is str
