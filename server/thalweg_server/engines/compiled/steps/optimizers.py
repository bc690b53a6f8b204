"""River's optimizers that keep at most one number beside each weight, at a constant rate."""

# ruff: noqa: PLR0917 -- a kernel's functions are given each array by name

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from river import optim
from river.utils.vectordict import VectorDict

from thalweg_server.engines.compiled.arithmetic import power_half, sure_root
from thalweg_server.engines.compiled.errors import Unlowerable
from thalweg_server.engines.compiled.steps.base import Floats, Ints, exactly, only, setting


def look_ahead(weights: Floats, accumulators: Floats, rates: Floats, method: int) -> None:
    """`NesterovMomentum.look_ahead`; the others stay where they are."""
    if method == 4:
        for i in range(weights.size):
            weights[i] -= rates[4] * accumulators[i]


def descend_plain(x: Floats, gradient: float, weights: Floats, rates: Floats) -> None:
    """`SGD.step`."""
    rate, l2 = rates[0], rates[3]
    for i in range(x.size):
        slope = gradient * x[i]
        if l2 != 0.0:
            slope += l2 * weights[i]
        weights[i] -= rate * slope


def descend_scaled(
    x: Floats,
    gradient: float,
    counts: Ints,
    weights: Floats,
    accumulators: Floats,
    rates: Floats,
    method: int,
) -> int:
    """`step` of AdaGrad, which squares by `pow` and raises where that overflows, or of RMSProp,
    which multiplies."""
    l2, rho = rates[3], rates[4]
    for i in range(x.size):
        slope = gradient * x[i]
        if l2 != 0.0:
            slope += l2 * weights[i]
        if method == 1:
            square = slope ** rates[7]
            if math.isinf(square) and not math.isinf(slope):
                counts[1] = max(counts[1], i + 1)
                return 1
            accumulators[i] += square
        else:
            accumulators[i] = rho * accumulators[i] + (1.0 - rho) * (slope * slope)
        weights[i] -= rates[0] / power_half(accumulators[i] + rates[5], rates[6]) * slope
    return 0


def descend_heavy(
    x: Floats,
    gradient: float,
    weights: Floats,
    accumulators: Floats,
    rates: Floats,
    method: int,
) -> None:
    """`step` of Momentum, or of NesterovMomentum, which first takes back its look ahead."""
    rate, l2, rho = rates[0], rates[3], rates[4]
    for i in range(x.size):
        slope = gradient * x[i]
        if l2 != 0.0:
            slope += l2 * weights[i]
        if method == 4:
            weights[i] += rho * accumulators[i]
        accumulators[i] = rho * accumulators[i] + rate * slope
        weights[i] -= accumulators[i]


def descend(
    x: Floats,
    gradient: float,
    counts: Ints,
    weights: Floats,
    accumulators: Floats,
    rates: Floats,
    method: int,
) -> int:
    """One step of the optimizer along `gradient * x`, drawn to zero by the l2 penalty."""
    code = 0
    if method == 0:
        descend_plain(x, gradient, weights, rates)
    elif method <= 2:
        code = descend_scaled(x, gradient, counts, weights, accumulators, rates, method)
    else:
        descend_heavy(x, gradient, weights, accumulators, rates, method)
    if code == 0:
        counts[0] += 1
        if method > 0:
            counts[1] = x.size
    return code


HELPERS = (
    sure_root,
    power_half,
    look_ahead,
    descend_plain,
    descend_scaled,
    descend_heavy,
    descend,
)
"""What the kernel of a step that descends has to have, in this order."""


@dataclass(frozen=True, slots=True)
class Method:
    """An optimizer as the kernel knows it.

    Args:
        number: as in `descend`.
        rate: the learning rate.
        rho: how much of the past it keeps; 0.0 where it has none.
        eps: what it adds to a divisor; 0.0 where it has none.
    """

    number: int
    rate: float
    rho: float
    eps: float

    @property
    def accumulators(self) -> str:
        """The attribute that holds them; empty where there are none."""
        return _ACCUMULATORS[self.number]

    def read(self, optimizer: Any) -> dict[str, Any]:
        """The accumulators by feature; raises Unlowerable."""
        if not self.accumulators:
            return {}
        held = getattr(optimizer, self.accumulators)
        if self.number == _RMS_PROP:
            if held is None:
                return {}
            exactly(held, VectorDict, "the accumulators of RMSProp")
            plain(held, "the accumulators of RMSProp")
            return dict(held.to_dict())
        exactly(held, defaultdict, f"the accumulators of {type(optimizer).__name__}")
        if held.default_factory is not float:
            raise Unlowerable(f"the accumulators of {type(optimizer).__name__} do not begin at 0.0")
        return dict(held)

    def write(self, optimizer: Any, sums: dict[str, float]) -> None:
        """Gives a fresh optimizer its accumulators."""
        if self.number == _RMS_PROP:
            optimizer.g2 = VectorDict(sums)
        elif self.accumulators:
            getattr(optimizer, self.accumulators).update(sums)


_RMS_PROP = 2

_ACCUMULATORS = ("", "g2", "g2", "s", "s")

_ATTRIBUTES: dict[type, set[str]] = {
    optim.SGD: set(),
    optim.AdaGrad: {"eps", "g2"},
    optim.RMSProp: {"rho", "eps", "g2"},
    optim.Momentum: {"rho", "s"},
    optim.NesterovMomentum: {"rho", "s"},
}
"""In the order of their numbers."""


def method_of(optimizer: Any) -> Method:
    """How an optimizer goes about it; raises Unlowerable."""
    name = type(optimizer).__name__
    if type(optimizer) not in _ATTRIBUTES:
        raise Unlowerable(f"the optimizer {name} is not known")
    only(optimizer, {"lr", "n_iterations"} | _ATTRIBUTES[type(optimizer)])
    rate = constant_rate(optimizer.lr, "the learning rate")
    rho = setting(getattr(optimizer, "rho", 0.0), f"rho of {name}")
    eps = setting(getattr(optimizer, "eps", 0.0), f"eps of {name}")
    number = list(_ATTRIBUTES).index(type(optimizer))
    if number in (1, _RMS_PROP) and not eps > 0:
        raise Unlowerable(f"eps of {name} is {eps}")
    if number == _RMS_PROP and not 0 <= rho <= 1:
        raise Unlowerable(f"rho of {name} is {rho}")
    return Method(number, rate, rho, eps)


def constant_rate(scheduler: Any, what: str) -> float:
    """A learning rate that never changes; raises Unlowerable."""
    exactly(scheduler, optim.schedulers.Constant, what)
    return setting(scheduler.learning_rate, what)


def plain(vector: VectorDict[str, float], what: str) -> None:
    """Raises Unlowerable where a vector draws what it lacks, or shows a part of itself only."""
    if vector.__reduce__()[1][1:3] != (None, None):
        raise Unlowerable(f"{what} are masked")
