"""State that strikes later: good classes whose attributes are callables, by name and not by value.

The object loads without a call; the harm is done when it predicts, learns, is copied or dumped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from river import (
    compose,
    dummy,
    feature_extraction,
    forest,
    linear_model,
    naive_bayes,
    neighbors,
    optim,
    preprocessing,
    stats,
    utils,
)

from tests.hostile.assembly import (
    Fragment,
    call,
    emit,
    instance,
    named,
    partial,
    pipeline,
    regressor,
    touching,
    writing,
)
from tests.hostile.attack import Attack, Family

_predict = Family(technique="attributes that fire on predict", fires="predict")
_learn = Family(technique="attributes that fire on learn", fires="learn")
_copy = Family(technique="state that fires on copy", fires="copy")
_download = Family(technique="state that fires on download", fires="download")
_describe = Family(technique="state that fires on describe", fires="describe")


def _any(canary: Path) -> Fragment:
    """Return a callable that strikes with no argument or one, whatever it is.

    `next(map(os.system, [...]), default)`: the argument is the default.
    """
    lazy = call("builtins", "map", named("os", "system"), [touching(canary)])
    return partial(named("builtins", "next"), lazy)


def _exec(canary: Path) -> Fragment:
    """Return a callable that strikes where its one argument is a dict: exec's globals."""
    return partial(named("builtins", "exec"), writing(canary))


def _with(estimator: Any, **attributes: Fragment) -> Fragment:
    """Return a pipeline of one step with other attributes, and a linear model."""
    return pipeline(instance(estimator, **attributes), regressor())


def _getter(canary: Path, name: str) -> Fragment:
    """Return a statistic one of whose methods is hidden by an attribute."""
    return instance(stats.Mean(), **{name: _any(canary)})


PREDICT: tuple[Attack, ...] = (
    _predict("system_by_name", "FuncTransformer calls what it holds; the text is the caller's",
             lambda c: _with(compose.FuncTransformer(dict), func=_any(c))),
    _predict("exec_by_name", "FuncTransformer with exec: x is its globals", lambda c: _with(
        compose.FuncTransformer(dict), func=_exec(c))),
    _predict("predict_one_shadowed", "an attribute hides the method", lambda c: regressor(
        predict_one=_exec(c))),
    _predict("statistic_get", "a statistic whose get is another", lambda c: instance(
        dummy.StatisticRegressor(stats.Mean()), statistic=_getter(c, "get"))),
    _predict("loss_mean_func", "a loss whose link function is another", lambda c: regressor(
        loss=instance(optim.losses.Squared(), mean_func=_any(c)))),
    _predict("transform_one_shadowed", "in a step of a pipeline", lambda c: _with(
        preprocessing.StandardScaler(), transform_one=_any(c))),
    _predict("target_transform_inverse", "the way back from the target's scale",
             lambda c: instance(compose.TargetTransformRegressor(
                 linear_model.LinearRegression(), len, len), inverse_func=_any(c))),
    _predict("bag_of_words_steps", "each text goes through a list of callables", lambda c: _with(
        feature_extraction.BagOfWords(on="text"), processing_steps=emit([_any(c)]))),
    _predict("rolling_getattr", "Rolling asks what it wraps for anything", lambda c: instance(
        dummy.StatisticRegressor(stats.Mean()), statistic=instance(
            utils.Rolling(stats.Mean, window_size=2), obj=_getter(c, "get")))),
    _predict("union_of_transformers", "a step beside another", lambda c: pipeline(
        instance(compose.TransformerUnion(preprocessing.StandardScaler()), transformers={
            "a": instance(preprocessing.StandardScaler(), transform_one=_any(c))}),
        regressor())),
    _predict("keys_that_iterate", "Select iterates its keys", lambda c: _with(
        compose.Select("a"), keys=call("builtins", "map", named("os", "system"),
                                       [touching(c)])), fires="describe"),
)  # fmt: skip

LEARN: tuple[Attack, ...] = (
    _learn("intercept_lr_get", "a schedule that is called for each row", lambda c: regressor(
        intercept_lr=instance(optim.schedulers.Constant(0.1), get=_any(c)))),
    _learn("default_factory", "TargetAgg makes a statistic for each group", lambda c: _with(
        feature_extraction.TargetAgg(by="a", how=stats.Mean()),
        _groups=call("collections", "defaultdict", _any(c))), fires="predict"),
    _learn("target_transform", "the target's function", lambda c: instance(
        compose.TargetTransformRegressor(linear_model.LinearRegression(), len, len),
        func=_any(c))),
    _learn("statistic_update", "a statistic whose update is another", lambda c: instance(
        dummy.StatisticRegressor(stats.Mean()), statistic=_getter(c, "update"))),
    _learn("nearest_engine", "how neighbours are kept", lambda c: instance(
        neighbors.KNNRegressor(), _nn=instance(
            neighbors.LazySearch(), append=_any(c)))),
    _learn("forest_factory", "how a forest makes its trees", lambda c: instance(
        forest.ARFRegressor(n_models=2, seed=1), _init_ensemble=_any(c)), fires="predict"),
    _learn("gaussians", "a class's first row makes its counts", lambda c: instance(
        naive_bayes.GaussianNB(), gaussians=call("collections", "defaultdict", _any(c)))),
)  # fmt: skip


def _rebuilt(canary: Path) -> Fragment:
    """Return what a __reduce_ex__ may answer: a callable and its arguments."""
    return emit((named("os", "system"), (touching(canary),)))


COPY: tuple[Attack, ...] = (
    _copy("deepcopy_shadowed", "copy looks on the instance first", lambda c: regressor(
        __deepcopy__=_exec(c))),
    _copy("reduce_ex_shadowed", "copy and pickle look on the instance first",
          lambda c: regressor(__reduce_ex__=_any(c))),
    _copy("getstate_shadowed", "object.__reduce_ex__ asks the instance", lambda c: regressor(
        __getstate__=_any(c))),
    _copy("deepcopy_of_an_attribute", "deep inside", lambda c: regressor(
        optimizer=instance(optim.SGD(0.1), __deepcopy__=_exec(c)))),
    _copy("setstate_of_the_copy", "the copy is given its state by the original's attribute",
          lambda c: regressor(__reduce_ex__=partial(
              named("builtins", "next"), call("builtins", "iter", [_rebuilt(c)])))),
)  # fmt: skip


def _copied() -> Fragment:
    """Return a __deepcopy__ that does no harm: it answers the memo's size."""
    return named("builtins", "len")


DOWNLOAD: tuple[Attack, ...] = (
    _download("reduce_ex_on_download", "copies are harmless, dumps are not",
              lambda c: regressor(__deepcopy__=_copied(), __reduce_ex__=_any(c))),
    _download("getstate_on_download", "copies are harmless, dumps are not", lambda c: regressor(
        __deepcopy__=_copied(), __getstate__=_any(c))),
    _download("state_of_a_step", "deep inside", lambda c: pipeline(
        instance(preprocessing.StandardScaler(), __deepcopy__=_copied(), __getstate__=_any(c)),
        regressor())),
)  # fmt: skip

DESCRIBE: tuple[Attack, ...] = (
    _describe("steps_that_iterate", "a pipeline's steps are iterated", lambda c: instance(
        compose.Pipeline(), steps=instance(stats.Mean(), values=_any(c)))),
)  # fmt: skip

ATTACKS = (*PREDICT, *LEARN, *COPY, *DOWNLOAD, *DESCRIBE)
