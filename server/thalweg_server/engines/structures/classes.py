"""The exact table: every class that the compiled engine lowers, with all of its attributes.

What is not in it stays in its worker. No name of it comes from an upload.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Mapping
from typing import Any

from river import (
    compose,
    dummy,
    feature_extraction,
    linear_model,
    neighbors,
    optim,
    preprocessing,
    stats,
    utils,
)
from river._river_rust.stats import RsEWMean, RsEWVar
from river.neighbors.base import _euclidean_tuple_distance

from thalweg import features
from thalweg.m5.features import RollingMeans
from thalweg_server.engines.structures.containers import (
    Doubles,
    Features,
    Listed,
    Optional,
    Scalar,
    ScalarDict,
    ScalarList,
    ScalarSet,
    ScalarTuple,
    Windowed,
)
from thalweg_server.engines.structures.field import ABSENT, Field, Kind
from thalweg_server.engines.structures.objects import ByFeature, Groups, Instance, Steps
from thalweg_server.engines.structures.river_fields import (
    Fading,
    Function,
    Method,
    Observation,
    Point,
    Vector,
)

_STATISTICS = ("Count", "EWMean", "Max", "Mean", "Min", "Rolling", "Sum", "Var")
_OPTIMIZERS = ("SGD", "AdaGrad", "RMSProp", "Momentum", "NesterovMomentum")
_COMPOSITIONS = ("Pipeline", "TransformerUnion", "TargetStandardScaler")
_STEPS = (
    *("Select", "Discard", "Renamer", "FuncTransformer", "RollingMeans", "TargetAgg"),
    *("StandardScaler", "MinMaxScaler", "AdaptiveStandardScaler", "StatisticRegressor"),
    *("KNNRegressor", "LinearRegression", "LogisticRegression", "PARegressor"),
)

ESTIMATOR = Instance(*_COMPOSITIONS, *_STEPS)
"""What may be packed by itself, or be a step."""

_SCALAR = Scalar()
_SUMS = Features(defaultdict)
_VECTOR = Vector()
_STATISTIC = Instance(*_STATISTICS)
_RATE = Instance("Constant")
_SEARCH = Instance("LazySearch")
_ROWS = Listed(Doubles())
_OWN_FUNCTIONS = {
    each.__name__: each
    for each in (features.weekday, features.month, features.day_of_month, features.calendar)
}

_UNPLANNED: Mapping[str, Any] = {
    "_plan": None,
    "_inference_transformers": (),
    "_last_step_cached": None,
    "_last_step_params": ABSENT,
}
"""A pipeline makes its plan anew where it has none, from its steps."""


def _scalars(*names: str) -> dict[str, Field]:
    return dict.fromkeys(names, _SCALAR)


def _glm(made: type, loss: str) -> Kind:
    return Kind(
        made,
        {
            "optimizer": Instance(*_OPTIMIZERS),
            "loss": Instance(loss),
            **_scalars("l2", "l1", "intercept_init", "intercept"),
            "intercept_lr": _RATE,
            "clip_gradient": _SCALAR,
            "initializer": Instance("Zeros"),
            "_weights": _VECTOR,
            "_y_name": _SCALAR,
        },
    )


def _optimizer(made: type, **rest: Field) -> Kind:
    return Kind(made, {"lr": _RATE, "n_iterations": _SCALAR, **rest})


_COMPOSED = (
    Kind(compose.Pipeline, {"steps": Steps(OrderedDict, ESTIMATOR)}, _UNPLANNED),
    Kind(compose.TransformerUnion, {"transformers": Steps(dict, ESTIMATOR)}),
    Kind(
        preprocessing.TargetStandardScaler,
        {
            "var": Instance("Var"),
            "regressor": ESTIMATOR,
            "func": Method("_scale"),
            "inverse_func": Method("_unscale"),
        },
    ),
)

_TRANSFORMERS = (
    Kind(compose.Select, {"keys": ScalarSet(ordered=True)}),
    Kind(compose.Discard, {"keys": ScalarSet(ordered=False)}),
    Kind(compose.Renamer, {"mapping": ScalarDict()}),
    Kind(compose.FuncTransformer, {"func": Function(_OWN_FUNCTIONS)}),
    Kind(
        RollingMeans,
        {
            **dict.fromkeys(("windows", "weekday_windows"), ScalarTuple()),
            "_counts": ScalarList(),
            **dict.fromkeys(("_targets", "_means"), _ROWS),
        },
    ),
    Kind(
        feature_extraction.TargetAgg,
        {
            "on": _SCALAR,
            "by": Optional(ScalarList()),
            "how": _STATISTIC,
            "_groups": Groups(_STATISTIC),
            "_feature_name": _SCALAR,
        },
    ),
    Kind(
        preprocessing.StandardScaler,
        {
            **_scalars("with_std", "window_size"),
            "counts": Features(Counter),
            **dict.fromkeys(("means", "vars"), _SUMS),
        },
    ),
    Kind(
        preprocessing.MinMaxScaler,
        {"window_size": _SCALAR, "min": ByFeature(stats.Min), "max": ByFeature(stats.Max)},
    ),
    Kind(
        preprocessing.AdaptiveStandardScaler,
        {
            "fading_factor": _SCALAR,
            "vars": ByFeature(stats.EWVar, faded=True),
            "means": ByFeature(stats.EWMean, faded=True),
        },
    ),
)

_MODELS = (
    Kind(dummy.StatisticRegressor, {"statistic": _STATISTIC}),
    Kind(
        neighbors.KNNRegressor,
        {"n_neighbors": _SCALAR, "engine": _SEARCH, "_nn": _SEARCH, "aggregation_method": _SCALAR},
    ),
    Kind(
        neighbors.LazySearch,
        {
            **_scalars("window_size", "min_distance_keep"),
            "dist_func": Function({"euclidean": _euclidean_tuple_distance}),
            "window": Windowed(Point(Features(dict))),
        },
    ),
    _glm(linear_model.LinearRegression, "Squared"),
    _glm(linear_model.LogisticRegression, "Log"),
    Kind(
        linear_model.PARegressor,
        {
            **_scalars("C", "mode"),
            "calc_tau": Method("_calc_tau_0", "_calc_tau_1", "_calc_tau_2"),
            "learn_intercept": _SCALAR,
            "weights": _SUMS,
            **_scalars("intercept", "eps"),
            "loss": Instance("EpsilonInsensitiveHinge"),
        },
    ),
)

_PARTS = (
    _optimizer(optim.SGD),
    _optimizer(optim.AdaGrad, eps=_SCALAR, g2=_SUMS),
    _optimizer(optim.RMSProp, rho=_SCALAR, eps=_SCALAR, g2=Optional(_VECTOR)),
    _optimizer(optim.Momentum, rho=_SCALAR, s=_SUMS),
    _optimizer(optim.NesterovMomentum, rho=_SCALAR, s=_SUMS),
    Kind(optim.schedulers.Constant, _scalars("learning_rate")),
    Kind(optim.initializers.Zeros, _scalars("value")),
    Kind(optim.losses.Squared, {}),
    Kind(optim.losses.Log, _scalars("weight_pos", "weight_neg")),
    Kind(optim.losses.EpsilonInsensitiveHinge, _scalars("eps")),
    Kind(stats.Mean, _scalars("n", "_mean")),
    Kind(stats.Count, _scalars("n")),
    Kind(stats.Sum, _scalars("sum")),
    Kind(stats.Min, _scalars("min")),
    Kind(stats.Max, _scalars("max")),
    Kind(stats.Var, {"ddof": _SCALAR, "mean": Instance("Mean"), "_S": _SCALAR}),
    Kind(stats.EWMean, {"fading_factor": _SCALAR, "_ewmean": Fading(RsEWMean)}),
    Kind(stats.EWVar, {"fading_factor": _SCALAR, "_ewvar": Fading(RsEWVar)}),
    Kind(
        utils.Rolling,
        {
            "obj": Instance("Mean"),
            "_window_size": _SCALAR,
            "window": Windowed(Observation()),
        },
    ),
)

KINDS: Mapping[type, Kind] = {
    kind.made: kind for kind in (*_COMPOSED, *_TRANSFORMERS, *_MODELS, *_PARTS)
}
"""By class."""

NAMES: Mapping[str, Kind] = {kind.made.__name__: kind for kind in KINDS.values()}
"""By name; no two classes have the same."""
