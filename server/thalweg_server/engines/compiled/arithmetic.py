"""Sums that round as Python's own: exact ones, and `sum()` of the running Python.

Plain functions that numba compiles; each generated kernel gets a copy of those it calls.
"""

from __future__ import annotations

import math
import sys
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

COMPENSATED = sys.version_info >= (3, 12)
"""Since Python 3.12 `sum()` of floats carries its rounding error along."""

EXACT_TERMS_MAX = 64
"""Floats between 1e-200 and 1e200 span 1,330 bits and 12 more for 4,096 terms: partial sums
that do not overlap have at least 53 bits each, so there are at most 26."""


def compensated_sum(terms: Floats, compensated: bool) -> float:
    """`sum(terms)`; since 3.12 by Neumaier's method (CPython, Python/bltinmodule.c)."""
    total = 0.0
    rest = 0.0
    for i in range(terms.size):
        term = terms[i]
        if not compensated:
            total += term
            continue
        together = total + term
        if abs(total) >= abs(term):
            rest += (total - together) + term
        else:
            rest += (term - together) + total
        total = together
    if compensated and rest != 0.0 and math.isfinite(rest):
        total += rest
    return total


def grow_expansion(partials: Floats, used: int, term: float) -> int:
    """Adds a term exactly to partial sums that do not overlap; returns how many are used.

    Shewchuk, "Adaptive Precision Floating-Point Arithmetic", 1997, GROW-EXPANSION, without the
    zeros; as `math.fsum` does it.
    """
    kept = 0
    for i in range(used):
        part = partials[i]
        if abs(term) < abs(part):
            term, part = part, term
        high = term + part
        low = part - (high - term)
        if low != 0.0:
            partials[kept] = low
            kept += 1
        term = high
    partials[kept] = term
    return kept + 1


def expansion_sign(partials: Floats, used: int) -> int:
    """The sign of the exact sum: that of its largest part which is not zero."""
    for i in range(used - 1, -1, -1):
        if partials[i] > 0.0:
            return 1
        if partials[i] < 0.0:
            return -1
    return 0


def split_product(a: float, count: float) -> float:
    """The rounding error of `a * count`, exactly (Dekker 1971). `count` has few bits."""
    product = a * count
    scaled = 134217729.0 * a
    high = scaled - (scaled - a)
    return ((high * count) - product) + (a - high) * count


def rounded_mean(values: Floats, found: int, partials: Floats, note: Ints) -> float:
    """The mean of any numbers that are neither too small nor too large.

    A first guess is moved by one float at a time until the exact rest says that it is nearest.
    """
    n = float(found)
    # Not 0: numba would compile what is given a constant once more.
    used = min(found, 1)
    partials[0] = values[0]
    for i in range(1, found):
        used = grow_expansion(partials, used, values[i])
    guess = 0.0
    for i in range(used):
        guess += partials[i]
    guess /= n
    if guess == 0.0:
        if expansion_sign(partials, used) != 0:
            note[0] = 1
        return 0.0
    return nearest_quotient(partials, used, guess, n, note)


def exact_mean(values: Floats, found: int, partials: Floats, note: Ints) -> float:
    """`statistics.mean`: the exact sum divided once and rounded to even.

    Whole numbers with a sum up to 2**53 divide exactly as they are. Sets `note[0]` for numbers
    so large or small that the rest of an exact sum could be rounded itself.
    """
    n = float(found)
    whole = True
    total = 0.0
    magnitude = 0.0
    smallest = math.inf
    for i in range(found):
        size = abs(values[i])
        whole = whole and size <= 1e12 and math.floor(size) == size
        total += values[i]
        magnitude += size
        if size != 0.0:
            smallest = min(smallest, size)
    if whole and magnitude <= 9007199254740992.0:
        return total / n
    if not magnitude <= 1e200 or smallest < 1e-200:
        note[0] = 1
        return 0.0
    return rounded_mean(values, found, partials, note)


def even_of(one: float, other: float) -> float:
    """That of two neighbouring floats whose last bit is zero: half their sum rounds to it."""
    return one / 2.0 + other / 2.0


def nearest_quotient(partials: Floats, used: int, guess: float, n: float, note: Ints) -> float:
    """The float nearest to the exact sum of `partials`, over n, ties to even.

    The second half of `partials` is for its work.
    """
    work = partials[partials.size // 2 :]
    for _ in range(8):
        below = np.nextafter(guess, -math.inf)
        above = np.nextafter(guess, math.inf)
        # Twice the sum against n times (guess + neighbour): no midpoint has to be a float.
        sign_below = sign_above = 0
        for side in range(2):
            other = above if side else below
            for i in range(used):
                work[i] = 2.0 * partials[i]
            kept = used
            for each in (guess, other):
                kept = grow_expansion(work, kept, -each * n)
                kept = grow_expansion(work, kept, -split_product(each, n))
            sign = expansion_sign(work, kept)
            if side:
                sign_above = sign
            else:
                sign_below = sign
        if sign_below < 0:
            guess = below
        elif sign_above > 0:
            guess = above
        elif sign_below == 0 or sign_above == 0:
            return even_of(guess, below if sign_below == 0 else above)
        else:
            return guess
    note[0] = 1
    return guess


def sure_root(value: float) -> float:
    """The square root of a value where it is `value ** 0.5`, too; NaN where that may differ.

    Python's power is libm's `pow`, which differs from the square root in the last bit for 1
    value in 1,000. For these values it is off by up to 0.517 units in the last place (glibc and
    musl, pow.c), so it answers the correctly rounded root wherever the true root is within 0.48
    of that. The exact rest of the root's square (Dekker 1971) says where: 24 times in 25.
    Without a branch, so that a compiler can make vectors of it.
    """
    root = math.sqrt(value)
    scaled = 134217729.0 * root
    high = scaled - (scaled - root)
    low = root - high
    square = root * root
    rest = (value - square) - (((high * high - square) + 2.0 * high * low) + low * low)
    unit = (root + root * 1.1102230246251565e-16) - root
    sure = (value > 1e-100) & (value < 1e100) & (abs(rest) < 0.96 * root * unit)
    return root if sure | (value == 0.0) else math.nan


def power_half(value: float, half: float) -> float:
    """`value ** 0.5` as Python answers it; several times faster than always asking `pow`.

    `half` is no constant of the program: a compiler would make a square root of it.
    """
    root = math.nan
    if value > 0.0:
        root = sure_root(value)
    return root if root == root else float(value**half)  # noqa: PLR0124
