"""The M5 example's pipelines in plain River: 29 genuine `TargetAgg`s under names of their own.

What `thalweg.m5.knn()` and `thalweg.m5.lm()` are compared with. Here `x` also needs its `id`.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from river import (
    base,
    compose,
    feature_extraction,
    linear_model,
    neighbors,
    optim,
    preprocessing,
    stats,
    utils,
)

ITEM_WINDOWS = range(1, 8)
WEEKDAY_WINDOWS = (*range(1, 21), 25, 30)


def knn() -> compose.Pipeline:
    """Make the reference of `thalweg.m5.knn()`."""
    return compose.Pipeline(
        *_features(),
        preprocessing.StandardScaler(),
        neighbors.KNNRegressor(n_neighbors=15, engine=neighbors.LazySearch(window_size=30)),
    )


def lm() -> compose.Pipeline:
    """Make the reference of `thalweg.m5.lm()`."""
    return compose.Pipeline(
        *_features(),
        preprocessing.MinMaxScaler(),
        linear_model.LinearRegression(optimizer=optim.SGD(0.005), intercept_lr=0.001),
    )


def features() -> compose.Pipeline:
    """Make the reference of `thalweg.m5.RollingMeans()`, which needs its `id` in `x` too."""
    return compose.Pipeline(*_features())


def extract_features(x: dict[str, Any]) -> dict[str, Any]:
    """Return the id and the weekday (0 = Monday) of an observation."""
    return {"id": x["id"], "weekday": date.fromisoformat(x["date"]).weekday()}


def _features() -> tuple[base.Transformer, base.Transformer]:
    aggregates = [
        *(_mean("id", size) for size in ITEM_WINDOWS),
        *(_mean("weekday", size) for size in WEEKDAY_WINDOWS),
    ]
    return (
        compose.FuncTransformer(extract_features),
        compose.TransformerUnion(compose.Select("weekday"), *aggregates),
    )


def _mean(by: str, size: int) -> feature_extraction.TargetAgg:
    # Without a target name of its own every window would give the feature `y_mean_by_…`.
    rolling = utils.Rolling(stats.Mean, window_size=size)
    return feature_extraction.TargetAgg(by=by, how=rolling, target_name=f"last{size}")
