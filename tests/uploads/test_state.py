"""State is data: nothing in it fires later, on a copy, on a predict or on a download."""

from __future__ import annotations

import copy
import pickle
import random
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import pytest
from river import compose, drift, linear_model, stats

from tests.uploads import pickles as p
from thalweg_server.core.errors import BadPayload, PayloadRefused
from thalweg_server.core.policy import Policy
from thalweg_server.uploads import load

LINEAR = ("river.linear_model.lin_reg", "LinearRegression")
NODE = ("river.tree.splitter.ebst_splitter", "EBSTNode")
SLOTS = p.NONE + p.attributes(att_val=b"K\x07") + p.TUPLE2
REDUCED: tuple[Any, ...] = (
    Counter({"a": 2}),
    OrderedDict([("b", 1), ("a", 2)]),
    defaultdict(float, {"a": 1.0}),
    defaultdict(partial(defaultdict, int), {"a": defaultdict(int, {"b": 2})}),
    deque([1, 2], 5),
    deque([1, 2]),
    datetime(2016, 5, 23, 12, 30, 1, 77),
    date(2016, 5, 23),
    timedelta(days=3, microseconds=1),
    range(1, 9, 2),
)


def test_plain_state_is_set() -> None:
    """Attributes of a plain instance, and slots of one that has them."""
    made: Any = p.safe(p.instance(*LINEAR, p.attributes(l2=b"K\x03")))
    assert type(made) is linear_model.LinearRegression
    assert vars(made) == {"l2": 3}
    node: Any = p.safe(p.instance(*NODE, SLOTS))
    assert node.att_val == 7


@pytest.mark.parametrize(
    "name",
    [
        "predict_one",
        "learn_one",
        "clone",
        "_get_params",
        "_tags",
        "__deepcopy__",
        "__reduce_ex__",
        "__class__",
        "__dict__",
        "__setstate__",
        "__anything",
    ],
)
def test_names_of_methods_and_dunders_are_no_attributes(name: str) -> None:
    """An instance attribute would stand before the method that River, copy or pickle calls."""
    with pytest.raises(PayloadRefused, match=f"the attribute '{name}'"):
        p.safe(p.instance(*LINEAR, p.attributes(**{name: p.name("math", "exp")})))


@pytest.mark.parametrize(
    "state",
    [
        p.EMPTY_LIST,
        p.EMPTY_DICT + p.NONE + p.NONE + p.SETITEM,
        p.NONE + p.attributes(l2=p.NONE) + p.TUPLE2,
        p.NONE + p.EMPTY_LIST + p.TUPLE2,
        p.several(p.NONE, p.NONE, p.NONE),
    ],
    ids=["list", "key is no text", "slot it has not", "slots no dict", "triple"],
)
def test_other_states_are_refused(state: bytes) -> None:
    """A state is a dictionary by text, and slots where the class has them."""
    with pytest.raises(PayloadRefused):
        p.safe(p.instance(*LINEAR, state))


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("value", REDUCED, ids=lambda value: type(value).__name__)
def test_values_that_are_made_by_calls_come_back(value: Any, protocol: int) -> None:
    """Containers, dates and ranges of Python's own."""
    loaded: Any = load(pickle.dumps(value, protocol), Policy.SAFE)
    assert (type(loaded), loaded, repr(loaded)) == (type(value), value, repr(value))


def _refused(*parts: bytes) -> None:
    with pytest.raises(PayloadRefused):
        p.safe(*parts)


def _call(module: str, qualified: str, *arguments: bytes) -> bytes:
    return p.name(module, qualified) + p.several(*arguments) + p.REDUCE


CALLS: dict[str, bytes] = {
    "factory that is a class of River's": _call("collections", "defaultdict", p.name(*LINEAR)),
    "factory that is no callable": _call("collections", "defaultdict", p.text("x")),
    "counter of a list": _call("collections", "Counter", p.EMPTY_LIST),
    "endless window": _call("collections", "deque", p.EMPTY_TUPLE, p.integer(2**35)),
    "bytes by size": _call("builtins", "bytearray", p.integer(2**40)),
    "huge range": _call("builtins", "range", p.integer(0), p.integer(2**40), p.integer(1)),
    "set of a list of lists": _call("builtins", "set", p.EMPTY_LIST + p.EMPTY_LIST + b"a"),
    "iterator of a text": _call("builtins", "iter", p.text("abc")),
    "another encoding": _call("_codecs", "encode", p.text("a"), p.text("zip")),
    "array of objects": _call("array", "array", p.text("O"), p.EMPTY_LIST),
    "array of an odd class": _call(
        "array",
        "_array_reconstructor",
        p.name("builtins", "float"),
        p.text("d"),
        p.integer(16),
        p.data(b""),
    ),
    "seeded generator": _call("random", "Random", p.integer(1)),
    "state of no generator": _call("random", "Random")
    + p.several(p.integer(3), p.several(*[p.integer(1)] * 624, p.integer(999)), p.NONE)
    + p.BUILD,
    "date of other bytes": _call("datetime", "date", p.data(b"abc")),
    "day that is none": _call("datetime", "date", p.data(bytes([7, 224, 2, 31]))),
    "attribute of a module": _call("builtins", "getattr", p.name("math", "exp"), p.text("x")),
    "method that is not listed": _call(
        "builtins", "getattr", p.instance(*LINEAR), p.text("predict_one")
    ),
    "attribute of a class": _call("builtins", "getattr", p.name(*LINEAR), p.text("__init__")),
    "method of another class": _call(
        "types",
        "MethodType",
        p.name("river.linear_model.pa", "BasePA._calc_tau_1"),
        p.instance(*LINEAR),
    ),
    "partial with arguments": _call("functools", "partial", p.name("math", "exp"), p.integer(1)),
    "partial of a class of River's": _call("functools", "partial", p.name(*LINEAR)),
    "type of functions": _call("dill._dill", "_load_type", p.text("FunctionType")),
    "type of code": _call("dill._dill", "_load_type", p.text("CodeType")),
    "type of files": _call("dill._dill", "_load_type", p.text("FileType")),
    "evaluation": _call("dill._dill", "_eval_repr", p.text("__import__('os')")),
    "dtype of objects": _call("numpy", "dtype", p.text("O8"), b"\x89", b"\x88"),
    "dtype with fields": _call("numpy", "dtype", p.text("f8,i4"), b"\x89", b"\x88"),
    "array by shape": _call("numpy", "ndarray", p.several(p.integer(2**40))),
    "other bit generator": _call("numpy.random._pickle", "__bit_generator_ctor", p.text("Philox")),
    "vector of lists": _call(
        "river._river_rust.vectordict",
        "VectorDict",
        p.attributes(a=p.EMPTY_LIST),
        p.NONE,
        p.NONE,
        b"\x88",
    ),
    "garbage for Rust": p.instance("river._river_rust.stats", "RsQuantile", p.data(b"\xff" * 40)),
    "buckets by the billion": p.name("river._river_rust.drift", "AdaptiveWindowing")
    + p.several(b"G?\xf0\x00\x00\x00\x00\x00\x00", *[p.integer(2**40)] * 4)
    + p.NEWOBJ,
}


DAMAGED = ("day that is none", "garbage for Rust")


@pytest.mark.parametrize("what", DAMAGED)
def test_what_a_constructor_cannot_read_is_a_bad_payload(what: str) -> None:
    """A panic of Rust's included, which is no Exception."""
    with pytest.raises(BadPayload):
        p.safe(CALLS[what])


@pytest.mark.parametrize("what", sorted(CALLS.keys() - set(DAMAGED)))
def test_callables_take_the_arguments_of_a_pickler_and_no_others(what: str) -> None:
    """Each stand-in checks types, sizes and names before it does anything."""
    _refused(CALLS[what])


def _partial_state(*arguments: bytes, keywords: bytes = p.NONE, function: bytes = b"") -> bytes:
    function = function or p.name("collections", "defaultdict")
    return (
        p.name("functools", "partial")
        + p.several(p.name("collections", "defaultdict"))
        + p.REDUCE
        + p.several(function, p.several(*arguments), keywords, p.NONE)
        + p.BUILD
    )


def test_a_partial_stays_what_it_was_made_for() -> None:
    """Its state names the same callable again, with arguments that this one may be given."""
    made: Any = p.safe(_partial_state(p.name("builtins", "float")))
    assert made()["a"] == 0.0
    _refused(_partial_state(function=p.name("math", "exp")))
    _refused(_partial_state(p.name(*LINEAR)))
    _refused(_partial_state(keywords=p.attributes(a=p.EMPTY_LIST)))


@pytest.mark.parametrize(
    "array",
    [np.arange(6.0).reshape(2, 3), np.array([], np.uint32), np.array(True), np.float64(1.5)],
    ids=["matrix", "empty", "scalar array", "number"],
)
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_arrays_come_back_and_own_their_memory(array: Any, protocol: int) -> None:
    """Values, type, shape and layout; and they can be learned into."""
    for value in (array, np.asfortranarray(array)) if array.ndim else (array,):
        loaded: Any = load(pickle.dumps(value, protocol), Policy.SAFE)
        assert (loaded.dtype, loaded.shape, loaded.flags.f_contiguous) == (
            value.dtype,
            value.shape,
            value.flags.f_contiguous,
        )
        assert loaded.tobytes() == value.tobytes()
        assert isinstance(loaded, np.generic) or loaded.flags.writeable


def test_an_array_of_bytes_that_others_hold_is_a_copy() -> None:
    """A model that learns in place would write into them, or could not write at all."""
    dtype = _call("numpy", "dtype", p.text("u1"), b"\x89", b"\x88")
    shape = p.several(p.integer(3))
    made: Any = p.safe(
        _call("numpy._core.numeric", "_frombuffer", p.data(b"abc"), dtype, shape, p.text("C"))
    )
    made += 1
    assert made.tolist() == [98, 99, 100]


def _array_state(shape: bytes, code: str, content: bytes) -> bytes:
    made = _call(
        "numpy._core.multiarray",
        "_reconstruct",
        p.name("numpy", "ndarray"),
        p.several(p.integer(0)),
        p.data(b"b"),
    )
    dtype = _call("numpy", "dtype", p.text(code), b"\x89", b"\x88")
    return made + p.several(p.integer(1), shape, dtype, b"\x89", p.data(content)) + p.BUILD


def test_the_bytes_of_an_array_are_those_of_its_shape() -> None:
    """NumPy would read what is not there, or make pointers of bytes."""
    assert p.safe(_array_state(p.several(p.integer(2)), "u2", b"abcd")).tolist() == [25185, 25699]
    _refused(_array_state(p.several(p.integer(3)), "u2", b"abcd"))
    _refused(_array_state(p.several(p.integer(-2), p.integer(-1)), "u2", b"abcd"))
    _refused(_array_state(p.several(p.integer(2**62), p.integer(4)), "u2", b""))
    _refused(_array_state(p.several(*[p.integer(1)] * 40), "u1", b"a"))


def test_a_type_of_numpy_is_not_changed_by_an_upload() -> None:
    """Types are shared by all arrays of the process."""
    dtype = _call("numpy", "dtype", p.text("f8"), b"\x89", b"\x88")
    state = [p.integer(3), p.text(">"), *[p.NONE] * 3, *[p.integer(-1)] * 2, p.integer(0)]
    _refused(dtype + p.several(*state) + p.BUILD)


def test_generators_of_random_numbers_go_on_where_they_were() -> None:
    """Python's and NumPy's."""
    ours, theirs = random.Random(5), np.random.RandomState(5)
    ours.gauss(0, 1)
    theirs.normal()
    for protocol in (2, 4, 5):
        again: Any = load(pickle.dumps((ours, theirs), protocol), Policy.SAFE)
        assert again[0].getstate() == ours.getstate()
        expected = copy.deepcopy(theirs)  # the first number is one that it had kept
        assert again[1].normal(size=3).tolist() == expected.normal(size=3).tolist()


def test_statistics_written_in_rust_go_on_where_they_were() -> None:
    """Their state is bytes."""
    for made in (stats.RollingQuantile(0.5, 5), stats.EWVar(0.3), stats.Skew(), drift.ADWIN()):
        for number in range(50):
            made.update(float(number % 7))
        again: Any = load(pickle.dumps(made), Policy.SAFE)
        assert pickle.dumps(again) == pickle.dumps(made)


def test_classes_stand_in_attributes_where_estimators_keep_them() -> None:
    """Types to select by are classes; River's own are not to be had."""
    loaded: Any = load(pickle.dumps(compose.SelectType(int, float)), Policy.SAFE)
    assert loaded.types == (int, float)
    _refused(p.instance(*LINEAR, p.attributes(loss=p.name(*LINEAR))))
    _refused(p.instance(*LINEAR, p.attributes(loss=p.name(*LINEAR) + p.TUPLE1)))
