"""State below Python: NumPy's arrays, types and generators, and River's parts written in Rust."""

from __future__ import annotations

from typing import Any

from numpy.random import MT19937
from river import compose

from tests.hostile.assembly import (
    Fragment,
    build,
    call,
    called,
    emit,
    instance,
    named,
    new,
    partial,
    pipeline,
    regressor,
    touching,
    writing,
)
from tests.hostile.attack import Attack, Family

_array = Family(technique="NumPy arrays of objects", harm="crash")
_dtype = Family(technique="NumPy types and shapes", harm="crash")
_random = Family(technique="random state", harm="crash")
_rust = Family(technique="Rust state", harm="escape")
_std = Family(technique="standard library state", harm="file")

_POINTERS = b"\x41" * 64
"""Eight pointers to nowhere."""


def _dt(code: str) -> Fragment:
    return call("numpy", "dtype", code, False, True)


def _array_of(state: Any) -> Fragment:
    """Return an array with this state, as NumPy pickles it."""
    made = call("numpy._core.multiarray", "_reconstruct", named("numpy", "ndarray"), (0,), b"b")
    return build(made, state)


def _get(fragment: Fragment, name: str) -> Fragment:
    return call("builtins", "getattr", fragment, name)


def _list(array: Fragment) -> Fragment:
    return called(_get(array, "tolist"))


ARRAYS: tuple[Attack, ...] = (
    _array("object_from_buffer", "bytes become pointers", lambda c: _list(call(
        "numpy", "ndarray", (8,), _dt("O8"), _POINTERS))),
    _array("newobj_of_objects", "without REDUCE", lambda c: _list(new(
        named("numpy", "ndarray"), (8,), _dt("O8"), _POINTERS))),
    _array("strided_out_of_bounds", "a view of everybody's memory", lambda c: _list(call(
        "numpy.lib.stride_tricks", "as_strided", call("numpy", "zeros", 1), (1 << 20,),
        (1 << 20,)))),
    _array("interface_address", "an array at any address", lambda c: _list(call(
        "numpy", "asarray", build(call("types", "SimpleNamespace"), {
            "__array_interface__": {"shape": (8,), "typestr": "<u8", "data": (4096, False),
                                    "version": 3}})))),
    _array("objects_that_act", "an array of callables, hidden from a walk over attributes",
           lambda c: pipeline(instance(compose.FuncTransformer(dict), func=called(_get(_array_of(
               (1, (1,), _dt("O8"), False, [partial(named("builtins", "exec"), writing(c))])),
               "item"))), regressor()), fires="predict", harm="file"),
)  # fmt: skip

DTYPES: tuple[Attack, ...] = (
    _dtype("type_with_metadata", "a type's metadata hold a callable", lambda c: called(
        call("operator", "getitem", _get(build(_dt("V8"), (
            4, "|", None, None, None, 8, 1, 0, {"f": named("os", "system")})), "metadata"), "f"),
        touching(c)), harm="file"),
    _dtype("type_from_text", "a type of 2^31 bytes an item", lambda c: call(
        "numpy", "zeros", 8, _dt("V2147483647")), harm="memory"),
    _dtype("shape_of_2_38", "an array of 2^38 numbers", lambda c: call(
        "numpy._core.multiarray", "_reconstruct", named("numpy", "ndarray"), (1 << 38,), b"d"),
        harm="memory"),
    _dtype("fields_beyond_the_item", "a field behind the end of its item", lambda c: _list(call(
        "numpy", "ndarray", (8,), build(_dt("V8"), (
            3, "|", None, ("f",), {"f": (_dt("i8"), 1 << 40)}, 8, 1, 0)),
        call("builtins", "bytearray", _POINTERS)))),
)  # fmt: skip


def _generator(pos: int) -> Fragment:
    """Return a Mersenne Twister that reads at this place of its 624 words."""
    state: Any = MT19937(1).state
    words = emit(state["state"]["key"])
    made = call("numpy.random._pickle", "__bit_generator_ctor", "MT19937")
    return build(made, {"bit_generator": "MT19937", "state": {"key": words, "pos": pos}})


RANDOM: tuple[Attack, ...] = (
    _random("twister_out_of_bounds", "the place in its words is no place in them", lambda c: called(
        _get(call("numpy.random", "Generator", _generator(-(1 << 30))), "random"))),
    _random("twister_beyond", "the same at the other end", lambda c: called(
        _get(call("numpy.random", "Generator", _generator(1 << 30)), "random"))),
    _random("generator_of_a_function", "a constructor that calls what it is given", lambda c: call(
        "numpy.random._pickle", "__generator_ctor", touching(c), named("os", "system")),
        harm="file"),
)  # fmt: skip


_STATISTICS: dict[str, tuple[Any, ...]] = {
    "RsQuantile": (0.5,),
    "RsEWMean": (0.5,),
    "RsEWVar": (0.5,),
    "RsIQR": (0.25, 0.75),
    "RsKurtosis": (False,),
    "RsSkew": (False,),
    "RsPeakToPeak": (),
    "RsRollingQuantile": (0.5, 10),
}
"""Classes written in Rust, and what they are made with."""


def _garbage(name: str) -> Attack:
    return _rust(
        f"garbage_for_{name}",
        "its state is unwrapped: a panic is no Exception",
        lambda canary: build(
            new(named("river._river_rust.stats", name), *_STATISTICS[name]), b"\xff" * 7
        ),
    )


RUST: tuple[Attack, ...] = (
    *map(_garbage, _STATISTICS),
    _rust("garbage_for_adwin", "the same", lambda c: build(
        new(named("river._river_rust.drift", "AdaptiveWindowing")), b"\xff" * 64)),
    _rust("quantile_beyond_one", "a constructor that panics", lambda c: new(
        named("river._river_rust.stats", "RsRollingQuantile"), 5.0, 0)),
    _rust("window_of_a_quantile", "a window of 2^60 values, reserved at once", lambda c: new(
        named("river._river_rust.stats", "RsRollingQuantile"), 0.5, 1 << 60)),
)  # fmt: skip

STANDARD: tuple[Attack, ...] = (
    _std("partial_in_counter", "a Counter's own update", lambda c: call(
        "collections", "Counter.update", call("collections", "Counter"),
        call("builtins", "map", named("os", "system"), [touching(c)]))),
    _std("partial_setstate", "a partial given another function", lambda c: called(build(
        call("functools", "partial", named("builtins", "len")),
        (named("os", "system"), (touching(c),), {}, None)))),
    _std("timezone_that_acts", "a date whose zone is an object", lambda c: call(
        "datetime", "datetime.fromtimestamp", 0, called(call(
            "builtins", "type", "Zone", (named("datetime", "tzinfo"),),
            {"fromutc": partial(named("builtins", "next"), call(
                "builtins", "map", named("os", "system"), [touching(c)]))})))),
    _std("array_from_iterable", "array.array iterates", lambda c: call(
        "array", "array", "d", call("builtins", "map", named("os", "system"), [touching(c)]))),
    _std("normal_dist_samples", "statistics iterates", lambda c: call(
        "statistics", "NormalDist.from_samples", call(
            "builtins", "map", named("os", "system"), [touching(c)]))),
    _std("random_choices", "a generator's method with a callable", lambda c: called(call(
        "random", "Random.choice", call("random", "Random", 1), [named("os", "system")]),
        touching(c))),
    _std("ordered_dict_of_items", "an OrderedDict iterates", lambda c: call(
        "collections", "OrderedDict.fromkeys", call(
            "builtins", "map", named("os", "system"), [touching(c)]))),
)  # fmt: skip

ATTACKS = (*ARRAYS, *DTYPES, *RANDOM, *RUST, *STANDARD)
