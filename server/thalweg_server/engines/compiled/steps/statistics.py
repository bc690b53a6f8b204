"""River's running statistics of one variable, as TargetAgg and StatisticRegressor use them."""

# ruff: noqa: PLR0917 -- a kernel's functions are given each array by name

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river import stats, utils

from thalweg_server.engines.compiled.errors import Unlowerable
from thalweg_server.engines.compiled.steps.base import (
    Floats,
    count,
    exactly,
    finite,
    number,
    only,
    setting,
    window,
)

SLOTS = 3
"""Floats of state that any statistic needs at most, beside a window."""

MEAN, ROLLING_MEAN, EW_MEAN, COUNT, SUM, MIN, MAX, VAR = range(8)


def statistic_update(
    method: int, setting: float, state: Floats, at: int, ring: Floats, begin: int, y: float
) -> None:
    """One `update`. `state[at:]` is (n, value, S); `setting` a window, fading factor or ddof."""
    n = state[at]
    value = state[at + 1]
    if method == 1:
        size = int(setting)
        slot = begin + int(state[at + 2]) % size
        if n == size:
            n -= 1.0
            if n == 0.0:
                value = 0.0
            else:
                value -= (1.0 / n) * (ring[slot] - value)
        ring[slot] = y
        state[at + 2] += 1.0
        n += 1.0
        value += (1.0 / n) * (y - value)
    elif method in (0, 7):
        old = value
        n += 1.0
        value += (1.0 / n) * (y - value)
        if method == 7:
            state[at + 2] += 1.0 * (y - old) * (y - value)
    elif method == 2:
        value = y if n == 0.0 else setting * y + (1.0 - setting) * value
        n = 1.0
    elif method == 3:
        value += 1.0
    elif method == 4:
        value += y
    elif (method == 5 and y < value) or (method == 6 and y > value):
        value = y
    state[at] = n
    state[at + 1] = value


def statistic_get(method: int, setting: float, state: Floats, at: int) -> float:
    """What `get` answers."""
    if method == 7:
        if state[at] > setting:
            return float(state[at + 2] / (state[at] - setting))
        return 0.0
    return float(state[at + 1])


def statistic_start(method: int) -> float:
    """The value before the first update."""
    if method == 5:
        return math.inf
    if method == 6:
        return -math.inf
    return 0.0


@dataclass(frozen=True, slots=True)
class Statistic:
    """A kind of statistic.

    Args:
        method: as in `statistic_update`.
        setting: its hyper-parameter; 0.0 where it has none.
    """

    method: int
    setting: float = 0.0

    @property
    def ring(self) -> int:
        """Observations that its window holds; 0 where it has none."""
        return int(self.setting) if self.method == ROLLING_MEAN else 0

    def same(self, statistic: Any) -> None:
        """Raises Unlowerable unless an object is of this kind."""
        if describe(statistic) != self:
            raise Unlowerable("the groups of a TargetAgg have different statistics")

    def read(self, statistic: Any, state: NDArray[Any], ring: NDArray[Any]) -> None:
        """Writes an object's state into a row; raises Unlowerable."""
        state[:] = 0.0
        if self.method == MEAN:
            state[:2] = finite(statistic.n), number(statistic._mean)
        elif self.method == ROLLING_MEAN:
            values = [_observation(entry) for entry in statistic.window]
            if statistic.obj.n != len(values):
                raise Unlowerable("a rolling mean has another count than observations")
            ring[: len(values)] = values
            state[:] = len(values), number(statistic.obj._mean), len(values)
        elif self.method == EW_MEAN:
            mean, alpha, rest, known = _ew_state(statistic._ewmean)
            if alpha != self.setting or rest != 1.0 - alpha:
                raise Unlowerable("a fading mean has another factor than it says")
            state[:2] = float(known), mean
        elif self.method == VAR:
            state[:] = finite(statistic.mean.n), number(statistic.mean._mean), number(statistic._S)
        elif self.method == COUNT:
            state[1] = count(statistic.n)
        else:
            state[1] = number(getattr(statistic, _VALUES[self.method]))

    def write(self, state: NDArray[Any], ring: NDArray[Any], statistic: Any) -> None:
        """Gives a fresh object the state of a row."""
        n, value, rest = state.tolist()
        if self.method == MEAN:
            statistic.n, statistic._mean = n, value
        elif self.method == ROLLING_MEAN:
            statistic.obj.n, statistic.obj._mean = n, value
            statistic.window.clear()
            for position in range(int(rest) - int(n), int(rest)):
                statistic.window.append(((float(ring[position % len(ring)]),), {}))
        elif self.method == EW_MEAN:
            alpha = self.setting
            packed = struct.pack(_EW_FORMAT, value, alpha, 1.0 - alpha, n > 0, alpha)
            statistic._ewmean.__setstate__(packed)
        elif self.method == VAR:
            statistic.mean.n, statistic.mean._mean, statistic._S = n, value, rest
        elif self.method == COUNT:
            statistic.n = int(value)
        else:
            setattr(statistic, _VALUES[self.method], value)

    def fresh(self) -> NDArray[np.float64]:
        """The state before the first update."""
        return np.array([0.0, statistic_start(self.method), 0.0])


_VALUES = {SUM: "sum", MIN: "min", MAX: "max"}

_EW_FORMAT = "<ddd?d"
"""River's Rust struct as bincode writes it: mean, alpha, 1 - alpha, initialized, alpha."""


def describe(statistic: Any) -> Statistic:
    """The kind of a statistic; raises Unlowerable where it is not known."""
    kind = type(statistic)
    if kind is utils.Rolling:
        only(statistic, {"obj", "_window_size", "window"})
        exactly(statistic.obj, stats.Mean, "what is rolled")
        size = window(statistic._window_size, "the window of Rolling")
        if statistic.window.maxlen != size:
            raise Unlowerable("a rolling mean has another window than it says")
        return Statistic(ROLLING_MEAN, float(size))
    if kind is stats.EWMean:
        only(statistic, {"fading_factor", "_ewmean"})
        return Statistic(EW_MEAN, setting(statistic.fading_factor, "fading_factor"))
    if kind is stats.Var:
        only(statistic, {"ddof", "mean", "_S"})
        exactly(statistic.mean, stats.Mean, "the mean of a variance")
        return Statistic(VAR, setting(statistic.ddof, "ddof"))
    if kind not in _SIMPLE:
        raise Unlowerable(f"the statistic {kind.__name__} is not known")
    method, attributes = _SIMPLE[kind]
    only(statistic, attributes)
    return Statistic(method)


_SIMPLE: dict[type, tuple[int, set[str]]] = {
    stats.Mean: (MEAN, {"n", "_mean"}),
    stats.Count: (COUNT, {"n"}),
    stats.Sum: (SUM, {"sum"}),
    stats.Min: (MIN, {"min"}),
    stats.Max: (MAX, {"max"}),
}


def _observation(entry: Any) -> float:
    arguments, named = entry
    if named or len(arguments) != 1:
        raise Unlowerable("a rolling mean has weighted observations")
    return finite(arguments[0])


def _ew_state(inner: Any) -> tuple[float, float, float, bool]:
    payload = inner.__getstate__()
    if len(payload) != struct.calcsize(_EW_FORMAT):
        raise Unlowerable("a fading mean has an unknown state")
    mean, alpha, rest, known, again = struct.unpack(_EW_FORMAT, payload)
    if again != alpha:
        raise Unlowerable("a fading mean has two factors")
    return mean, alpha, rest, known
