"""Estimators of the three flavors, and observations for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from river import (
    compose,
    dummy,
    ensemble,
    forest,
    linear_model,
    multiclass,
    naive_bayes,
    neighbors,
    preprocessing,
    stats,
    tree,
)

from tests.estimators import Labeller, linear

SEED = 7
NO_STATE = ("_rng", "rng", "max_depth")
"""Generators that River seeds from the clock, and a depth that it takes from the process's limit
of recursion, which hypothesis moves.
"""

REGRESSORS = {
    "linear": linear(),
    "tree": tree.HoeffdingTreeRegressor(grace_period=5),
    "forest": forest.ARFRegressor(n_models=3, seed=SEED),
    "neighbours": preprocessing.MinMaxScaler() | neighbors.KNNRegressor(),
    "bayesian": linear_model.BayesianLinearRegression(),
    "weights": ensemble.EWARegressor([linear(), dummy.StatisticRegressor(stats.Mean())]),
    "bagging": ensemble.BaggingRegressor(linear(), n_models=3, seed=SEED),
    "union": compose.TransformerUnion(
        compose.Select("a") | preprocessing.StandardScaler(), compose.Select("b")
    )
    | linear_model.PARegressor(),
}

BINARY = {
    "logistic": preprocessing.StandardScaler() | linear_model.LogisticRegression(),
    "bayes": naive_bayes.GaussianNB(),
    "tree": tree.HoeffdingTreeClassifier(grace_period=5),
    "forest": forest.ARFClassifier(n_models=3, seed=SEED),
    "labels only": linear_model.ALMAClassifier(),
}

MULTICLASS = {
    "softmax": preprocessing.StandardScaler() | linear_model.SoftmaxRegression(),
    "bayes": naive_bayes.GaussianNB(),
    "neighbours": neighbors.KNNClassifier(),
    "one against the rest": multiclass.OneVsRestClassifier(linear_model.LogisticRegression()),
    "labels only": Labeller(),
}


def rows(count: int, seed: int = SEED) -> list[dict[str, Any]]:
    """Observations with three numbers."""
    source = np.random.default_rng(seed)
    return [
        {"a": float(source.normal()), "b": float(source.integers(4)), "c": float(source.normal())}
        for _ in range(count)
    ]


def numbers(xs: Sequence[dict[str, Any]]) -> list[float]:
    """Targets that have to do with them."""
    return [round(3.0 * x["a"] + x["b"], 3) for x in xs]
