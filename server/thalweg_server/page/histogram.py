"""Bars of a distribution: few enough to draw, their bounds numbers that people read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BARS_MAX = 40
"""More are thinner than a phone can show."""

EVEN_BARS = 20
"""Bars of shares: one for each five per cent."""

Bars = dict[str, Sequence[float]]


def log_bars(values: NDArray[np.float64]) -> Bars:
    """Counts of positive numbers between powers of ten, as finely as goes into BARS_MAX bars.

    Args:
        values: at least one, all above 0.
    """
    logs = np.log10(values)
    low, high = float(logs.min()), float(logs.max())
    for per_decade in (10, 5, 2, 1, 0.1):
        first, last = int(np.floor(low * per_decade)), int(np.floor(high * per_decade))
        if last - first < BARS_MAX:
            break
    places = np.floor(logs * per_decade).astype(np.int64) - first
    counts = np.bincount(places, minlength=last - first + 1)
    edges = [float(f"{10 ** (place / per_decade):.6g}") for place in range(first, last + 2)]
    return {"edges": edges, "counts": counts.tolist()}


def even_bars(shares: NDArray[np.float64]) -> Bars:
    """Counts of shares from 0 to 1."""
    counts, edges = np.histogram(shares, EVEN_BARS, (0.0, 1.0))
    return {"edges": [round(edge, 2) for edge in edges.tolist()], "counts": counts.tolist()}
