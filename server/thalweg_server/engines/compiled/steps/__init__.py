"""The steps that can be lowered: River's class, exactly, to what it becomes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from river import (
    compose,
    dummy,
    feature_extraction,
    linear_model,
    neighbors,
    preprocessing,
)

from thalweg.m5.features import RollingMeans
from thalweg_server.engines.compiled.steps.adaptive_scaler import LoweredAdaptiveStandardScaler
from thalweg_server.engines.compiled.steps.base import Inputs, Step
from thalweg_server.engines.compiled.steps.functions import LoweredFunction
from thalweg_server.engines.compiled.steps.knn import LoweredKNNRegressor
from thalweg_server.engines.compiled.steps.linear import LoweredLinearRegression
from thalweg_server.engines.compiled.steps.logistic import LoweredLogisticRegression
from thalweg_server.engines.compiled.steps.passive_aggressive import LoweredPARegressor
from thalweg_server.engines.compiled.steps.rolling_means import LoweredRollingMeans
from thalweg_server.engines.compiled.steps.routing import (
    lower_discard,
    lower_renamer,
    lower_select,
)
from thalweg_server.engines.compiled.steps.scalers import (
    LoweredMinMaxScaler,
    LoweredStandardScaler,
)
from thalweg_server.engines.compiled.steps.statistic_regressor import LoweredStatisticRegressor
from thalweg_server.engines.compiled.steps.target_agg import LoweredTargetAgg
from thalweg_server.engines.compiled.steps.target_scaler import LoweredTargetStandardScaler

STEPS: dict[type, Callable[[Any, Inputs], Step]] = {
    RollingMeans: LoweredRollingMeans,
    preprocessing.StandardScaler: LoweredStandardScaler,
    preprocessing.MinMaxScaler: LoweredMinMaxScaler,
    preprocessing.AdaptiveStandardScaler: LoweredAdaptiveStandardScaler,
    feature_extraction.TargetAgg: LoweredTargetAgg,
    neighbors.KNNRegressor: LoweredKNNRegressor,
    linear_model.LinearRegression: LoweredLinearRegression,
    linear_model.LogisticRegression: LoweredLogisticRegression,
    linear_model.PARegressor: LoweredPARegressor,
    dummy.StatisticRegressor: LoweredStatisticRegressor,
    preprocessing.TargetStandardScaler: LoweredTargetStandardScaler,
    compose.FuncTransformer: LoweredFunction,
    compose.Select: lower_select,
    compose.Discard: lower_discard,
    compose.Renamer: lower_renamer,
}
"""A subclass is not its parent: it may do anything."""
