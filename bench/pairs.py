"""Comparing measurements within one run, as ratios: machines drift, pairs do not."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median


def spread(values: list[float], digits: int = 3) -> dict[str, float]:
    """Median, minimum and maximum."""
    return {
        "median": round(median(values), digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
    }


def in_turn(rounds: int, *measures: Callable[[], float]) -> list[list[float]]:
    """Measures each in turn, so many times; returns what each of them found."""
    found: list[list[float]] = [[] for _ in measures]
    for _ in range(rounds):
        for values, measure in zip(found, measures, strict=True):
            values.append(measure())
    return found


def alternate(
    one: Callable[[], float], other: Callable[[], float], pairs: int
) -> tuple[list[float], list[float]]:
    """Measures the two in turn, `pairs` times each."""
    ones, others = in_turn(pairs, one, other)
    return ones, others


def ratios(ones: list[float], others: list[float], digits: int = 3) -> dict[str, float]:
    """The spread of one / other, pair by pair."""
    return spread([a / b for a, b in zip(ones, others, strict=True)], digits)
