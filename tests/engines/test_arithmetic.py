"""Sums and powers round as Python's own."""

from __future__ import annotations

import math
import statistics

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from thalweg_server.engines.compiled.arithmetic import (
    COMPENSATED,
    EXACT_TERMS_MAX,
    compensated_sum,
    exact_mean,
    power_half,
)

sizes = st.floats(1e-150, 1e150) | st.floats(-1e150, -1e-150) | st.just(0.0)
ordinary = st.integers(-99, 99).map(float) | st.floats(0.1, 1e3) | st.just(2.0**53)


def mean(values: list[float]) -> tuple[float, int]:
    """The mean, and whether it is unsure."""
    note = np.zeros(1, np.int64)
    partials = np.empty(2 * EXACT_TERMS_MAX)
    return exact_mean(np.array(values), len(values), partials, note), int(note[0])


@settings(max_examples=400)
@given(st.lists(sizes | ordinary, min_size=1, max_size=30))
@example([2.0**53, 1.0])
@example([0.1] * 10)
@example([1e16, 1.0, -1e16])
@example([1.0, 2.0**-53])
@example([1.0 + 2.0**-52, 1.0])
def test_means_are_those_of_statistics(values: list[float]) -> None:
    """Rounded once, ties to even, whatever cancels."""
    assert mean(values) == (statistics.mean(values), 0)


def test_means_of_numbers_too_small_or_large_are_left_alone() -> None:
    """Their rest could be rounded itself."""
    assert mean([1e-300, 0.1])[1] == 1
    assert mean([1e300, 0.1])[1] == 1


@given(st.lists(ordinary | sizes, max_size=20))
def test_sums_are_those_of_this_python(values: list[float]) -> None:
    """Since 3.12 `sum` carries its rounding error along."""
    assert compensated_sum(np.array(values, np.float64), COMPENSATED) == sum(values)


@settings(max_examples=2_000)
@given(st.floats(0, 1e300) | st.floats(0, 100))
def test_the_root_is_pythons_power(value: float) -> None:
    """The square root differs from it in the last bit, now and then."""
    assert power_half(value, 0.5) == value**0.5


@settings(max_examples=2_000)
@given(st.integers(2**52, 2**53 - 1), st.integers(-150, 150), st.integers(-6, 6))
def test_the_root_is_pythons_power_where_it_is_hardest_to_round(
    mantissa: int, exponent: int, off: int
) -> None:
    """Squares of what lies half-way between two floats, and their neighbours."""
    halfway = (2 * mantissa + 1) ** 2
    value = math.ldexp(float(halfway // 2**54 + off), exponent)
    assert power_half(value, 0.5) == value**0.5


def test_the_root_is_pythons_power_on_many_numbers() -> None:
    """Among these are hundreds whose square root is another float."""
    values = np.random.default_rng(1).gamma(0.5, 2, 200_000).tolist()
    assert sum(value**0.5 != np.sqrt(value) for value in values) > 50
    assert [power_half(value, 0.5) for value in values] == [value**0.5 for value in values]
