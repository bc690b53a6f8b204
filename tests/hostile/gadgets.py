"""River's own gadgets: its constructors and methods that evaluate, import, read, write, fetch.

Every name here begins with `river.`: a rule by prefix takes them all. Found by reading
River 0.26.1.
"""

from __future__ import annotations

from pathlib import Path

from river import linear_model

from tests.hostile.assembly import (
    Fragment,
    appended,
    build,
    call,
    called,
    finish,
    first,
    get,
    instance,
    named,
    new,
    put,
    regressor,
    set_items,
    slots,
    touching,
    writing,
)
from tests.hostile.attack import SECRET, Attack, Family

_eval = Family(technique="River's gadgets: text that is evaluated")
_files = Family(technique="River's gadgets: files")
_makes = Family(technique="River's gadgets: classes that are called")


def _next(iterable: Fragment) -> Fragment:
    return call("builtins", "next", call("builtins", "iter", iterable))


def _expression(canary: Path) -> str:
    return f"__import__('os').system({touching(canary)!r})"


def _agrawal(canary: Path) -> Fragment:
    """Return a data set whose names of features are expressions, as its generator reads them."""
    made = call("river.datasets.synth", "Agrawal", 0, 1)
    return build(made, {"feature_names": [_expression(canary)]})


EVALUATED: tuple[Attack, ...] = (
    _eval("agrawal_features", "synth.Agrawal evaluates its features' names", lambda c: _next(
        _agrawal(c))),
    _eval("agrawal_newobj", "the same without its constructor", lambda c: _next(build(
        new(named("river.datasets.synth.agrawal", "Agrawal")), {
            "seed": 1, "feature_names": [_expression(c)], "balance_classes": False,
            "perturbation": 0.0, "classification_function": 0, "n_classes": 2,
            "_classification_functions": [named("builtins", "max")]}))),
    _eval("overview_of_synth", "a helper for the documentation evaluates `__all__`",
          lambda c: first(
              appended(named("river.datasets.synth", "__all__"), _expression(c)),
              call("river.datasets.synth", "_docs_overview", named("builtins", "len")))),
    _eval("overview_of_datasets", "the other one", lambda c: first(
        build(named("river", "datasets"), {"__all__": [_expression(c)]}),
        call("river.datasets", "_docs_overview", named("builtins", "len")))),
)  # fmt: skip


def _cached(canary: Path) -> Fragment:
    """Return a cache of streams in a folder with a pickle that runs a command."""
    folder = canary.parent.parent / "cache"
    folder.mkdir(exist_ok=True)
    (folder / "k.river_cache.pkl").write_bytes(finish(call("os", "system", touching(canary))))
    return call("river.stream", "Cache", str(folder))


def _remote(canary: Path) -> Fragment:
    """Return a remote data set whose address is a file and whose place is the canary."""
    state = {"url": f"file://{canary.parent.parent / SECRET}", "size": 1, "unpack": False,
             "filename": str(canary), "directory": None}  # fmt: skip
    return build(new(named("river.datasets", "Bikes")), state)


FILES: tuple[Attack, ...] = (
    _files("cache_load", "stream.Cache unpickles a file", lambda c: _next(call(
        "river.stream", "Cache.__getitem__", _cached(c), "k"))),
    _files("cache_store", "stream.Cache writes a file", lambda c: call(
        "builtins", "list", called(call("river.stream", "Cache", str(c.parent)), ["x"], "canary"))),
    _files("cache_clear", "stream.Cache deletes a file of its naming", lambda c: first(
        put(call("river.stream", "Cache", str(c.parent)), 0),
        call("builtins", "list", called(get(0), ["x"], "canary")))),
    _files("remote_download", "a data set fetches any URL into any file", lambda c: call(
        "river.datasets.base", "RemoteDataset.download", _remote(c), True, False)),
    _files("remote_reads", "and reads local files by it", lambda c: call(
        "river.datasets.base", "RemoteDataset.download", _remote(c), True, False), harm="read"),
    _files("iter_csv", "a stream of any file", lambda c: _next(call(
        "river.stream", "iter_csv", str(c.parent.parent / SECRET))), harm="read"),
    _files("iter_libsvm", "a stream of any file", lambda c: _next(call(
        "river.stream", "iter_libsvm", str(c.parent.parent / SECRET))), harm="read"),
    _files("open_filepath", "opens any file", lambda c: call(
        "river.stream.utils", "open_filepath", str(c.parent.parent / SECRET), None), harm="read"),
    _files("iter_arff", "a stream of any file", lambda c: _next(call(
        "river.stream", "iter_arff", str(c.parent.parent / SECRET))), harm="read"),
    _files("data_home", "makes folders where the environment says", lambda c: first(
        set_items(named("os", "environ"), {"RIVER_DATA": str(c)}),
        call("river.datasets.base", "get_data_home"))),
)  # fmt: skip


MAKERS: tuple[Attack, ...] = (
    _makes("expand_param_grid", "a grid's tuples are classes that are called", lambda c: call(
        "river.utils", "expand_param_grid", regressor(),
        {"optimizer": [(named("io", "FileIO"), {"file": [str(c)], "mode": ["w"]})]})),
    _makes("rolling_of_a_class", "Rolling calls the class it is given", lambda c: called(
        build_partial(named("river.utils", "Rolling"), window_size=1, file=str(c), mode="w"),
        named("io", "FileIO"))),
    _makes("func_transformer_method", "a transformer's method called at once", lambda c: call(
        "river.compose", "FuncTransformer.transform_one", call(
            "river.compose", "FuncTransformer", named("os", "system")), touching(c))),
    _makes("mutate", "sets attributes where they are named mutable", lambda c: first(
        slots(named("river.linear_model", "LinearRegression"), _mutable_attributes={"l2"}),
        call("river.base", "Base.mutate", regressor(), {"l2": 1.0})), harm="world"),
    _makes("poison_pipeline_add", "a dunder of River's as a function", lambda c: call(
        "river.compose", "FuncTransformer.transform_many", instance(
            linear_model.LinearRegression(), func=named("builtins", "exec")), writing(c))),
)  # fmt: skip


def build_partial(function: Fragment, **keywords: object) -> Fragment:
    """Return a partial with keywords alone."""
    made = call("functools", "partial", function)
    return build(made, (function, (), keywords, None))


ATTACKS = (*EVALUATED, *FILES, *MAKERS)
