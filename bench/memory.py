"""How many bytes a learned estimator holds, by allocating many of them."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

from bench import reference
from thalweg import m5


def report(history: Sequence[tuple[str, float]]) -> dict[str, int]:
    """Return the bytes per model of the features and the pipelines, shipped and reference."""
    return {
        "days_learned": len(history),
        "features_bytes_per_model": per_model(m5.RollingMeans, history, 100),
        "reference_features_bytes_per_model": per_model(reference.features, history, 10),
        "knn_bytes_per_model": per_model(m5.knn, history, 20),
        "reference_knn_bytes_per_model": per_model(reference.knn, history, 5),
        "lm_bytes_per_model": per_model(m5.lm, history, 20),
        "reference_lm_bytes_per_model": per_model(reference.lm, history, 5),
    }


def per_model(make: Callable[[], Any], history: Sequence[tuple[str, float]], models: int) -> int:
    """Return the bytes that one more learned model takes, on average.

    Args:
        make: makes an estimator.
        history: (`YYYY-MM-DD`, target) pairs that each model learns.
        models: how many are made. One more is made first and not counted, so that what all
            models share, such as names, is not.
    """
    first = _learned(make, history)
    tracemalloc.start()
    try:
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        learned = [_learned(make, history) for _ in range(models)]
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    del first, learned
    return (after - before) // models


def _learned(make: Callable[[], Any], history: Sequence[tuple[str, float]]) -> Any:
    estimator = make()
    for day, target in history:
        x = {"id": "item", "date": day}
        # A fresh float per target, as each row that arrives brings its own.
        estimator.learn_one(x, target + 0.0)
    return estimator
