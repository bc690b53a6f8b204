"""Small payloads that are large once they are loaded, copied, shown or hashed."""

from __future__ import annotations

import struct

from river import dummy, stats

from tests.hostile.assembly import (
    Fragment,
    call,
    emit,
    first,
    get,
    instance,
    named,
    new,
    partial,
    put,
    regressor,
)
from tests.hostile.attack import Attack, Family

_claim = Family(technique="sizes that are not there", harm="memory")
_deep = Family(technique="depth", harm="depth")
_shared = Family(technique="shared references", harm="hang")
_large = Family(technique="calls that allocate", harm="memory")
_slow = Family(technique="calls that compute", harm="hang")

DEPTH = 200_000
"""Levels of nesting: far more than any stack has."""

DOUBLINGS = 40
"""Levels of an object that holds the one below twice."""


def _u64(number: int) -> bytes:
    return struct.pack("<Q", number)


CLAIMS: tuple[Attack, ...] = (
    _claim("binbytes8", "1 TiB of bytes are said to follow", lambda c: Fragment(
        b"\x8e" + _u64(1 << 40) + b"x")),
    _claim("bytearray8", "1 TiB of bytes are said to follow", lambda c: Fragment(
        b"\x96" + _u64(1 << 40) + b"x")),
    _claim("long_binput", "a memo of 2^31 slots", lambda c: Fragment(
        b"Nr" + struct.pack("<I", (1 << 31) - 1))),
    _claim("put_in_text", "the same in decimals", lambda c: Fragment(b"Np2000000000\n")),
    _claim("object_array_claim", "an array of objects that are not there", lambda c: call(
        "numpy._core.multiarray", "_reconstruct", named("numpy", "ndarray"), (1 << 38,), b"O")),
)  # fmt: skip


def _lists() -> Fragment:
    return Fragment(b"]" * DEPTH + b"a" * (DEPTH - 1))


def _instances() -> Fragment:
    """Return statistics within statistics, each the attribute of the next."""
    empty = named("river.stats", "Mean") + b")\x81"
    return Fragment((empty + b"}X\x01\x00\x00\x00a") * 20_000 + b"N" + b"sb" * 20_000)


DEPTHS: tuple[Attack, ...] = (
    _deep("lists", "200,000 lists", lambda c: _lists(), fires="describe"),
    _deep("tuples", "200,000 tuples", lambda c: Fragment(b")" + b"\x85" * DEPTH),
          fires="describe"),
    _deep("dicts", "200,000 dicts", lambda c: Fragment(
        b"}K\x01" * DEPTH + b"N" + b"s" * DEPTH), fires="describe"),
    _deep("frozensets", "hashed one within the other while loading", lambda c: Fragment(
        b"(" * 2_000 + b"K\x01" + b"\x91" * 2_000), fires="describe"),
    _deep("key_of_tuples", "a key whose hash recurses, while it is loaded", lambda c: Fragment(
        b"})" + b"\x85" * DEPTH + b"Ns"), harm="crash"),
    _deep("instances", "objects within objects: deepcopy recurses", lambda c: _instances(),
          fires="copy"),
    _deep("weights", "a model whose attribute is as deep: dumping recurses", lambda c: regressor(
        note=_lists()), fires="copy"),
    _deep("marks", "a stack of marks", lambda c: first(
        Fragment(b"(" * DEPTH + b"N" + b"t" * DEPTH)), fires="describe"),
)  # fmt: skip


def _doubled(opening: bytes, closing: bytes) -> Fragment:
    """Return an object of 40 levels, each holding the one below twice.

    Args:
        opening: opcodes that begin a container.
        closing: those that end it.
    """
    made = emit("laugh")
    for i in range(DOUBLINGS):
        made = Fragment(put(made, i) + b"0" + opening + get(i) * 2 + closing)
    return made


def _doubled_lists() -> Fragment:
    return _doubled(b"](", b"e")


def _doubled_tuples() -> Fragment:
    return _doubled(b"(", b"t")


SHARED: tuple[Attack, ...] = (
    _shared("lists_that_double", "2^40 items once they are shown", lambda c: _doubled_lists(),
            fires="describe"),
    _shared("tuples_that_double", "2^40 items once they are shown", lambda c: _doubled_tuples(),
            fires="describe"),
    _shared("tuples_that_are_copied", "deepcopy keeps no memo of tuples that do not change",
            lambda c: regressor(note=_doubled_tuples()), fires="copy"),
    _shared("tuples_as_a_key", "the hash of a tuple is computed each time, while it is loaded",
            lambda c: Fragment(b"}" + _doubled_tuples() + b"Ns")),
    _shared("tuples_in_a_set", "the same in ADDITEMS", lambda c: Fragment(
        b"\x8f(" + _doubled_tuples() + b"\x90")),
    _shared("tuples_in_a_frozenset", "the same in FROZENSET", lambda c: Fragment(
        b"(" + _doubled_tuples() + b"\x91")),
    _shared("parameters_that_double", "River's repr shows them all", lambda c: regressor(
        l2=_doubled_lists()), fires="describe"),
    _shared("equal_but_not_the_same", "two of them in one set are compared in 2^40 steps",
            lambda c: call("operator", "eq", _doubled_lists(), _doubled_lists())),
)  # fmt: skip

_RANGE = call("builtins", "range", 1 << 40)

LARGE: tuple[Attack, ...] = (
    _large("string_times", "a billion laughs", lambda c: call(
        "operator", "mul", "ha" * 16, 1 << 36)),
    _large("bytes_of_a_size", "1 TiB of zeros", lambda c: call("builtins", "bytes", 1 << 40)),
    _large("bytearray_of_a_size", "1 TiB of zeros", lambda c: call(
        "builtins", "bytearray", 1 << 40)),
    _large("newobj_bytearray", "without REDUCE", lambda c: new(
        named("builtins", "bytes"), 1 << 40)),
    _large("list_of_a_range", "2^40 numbers", lambda c: call("builtins", "list", _RANGE)),
    _large("text_of_a_width", "a format with a width", lambda c: call(
        "builtins", "format", "x", ">100000000000")),
    _large("numpy_zeros", "1 TiB of zeros", lambda c: call("numpy", "zeros", 1 << 37)),
    _large("numpy_shape", "a shape of NumPy's own constructor", lambda c: call(
        "numpy", "ndarray", (1 << 37,))),
    _large("shift", "a number of 2^36 bits", lambda c: call("operator", "lshift", 1, 1 << 36)),
    _large("decompressed", "256 MB of zeros in 1 MB", lambda c: call(
        "zlib", "decompress", _zipped())),
)  # fmt: skip


def _zipped() -> bytes:
    import zlib

    return zlib.compress(bytes(1 << 28), 1)


SLOW: tuple[Attack, ...] = (
    _slow("deque_of_a_range", "iterates for ever, keeping one", lambda c: call(
        "collections", "deque", _RANGE, 1)),
    _slow("sum_of_a_range", "iterates for ever", lambda c: call("builtins", "sum", _RANGE)),
    _slow("power", "a number of 10^9 digits", lambda c: call("operator", "pow", 7, 10**9)),
    _slow("factorial", "of a million", lambda c: call("math", "factorial", 10**7)),
    _slow("slow_pattern", "a pattern that backtracks 2^40 times", lambda c: call(
        "re", "match", "(a+)+$", "a" * 40 + "!")),
    _slow("endless_iterator", "counts", lambda c: call(
        "collections", "deque", call("itertools", "count"), 1)),
    _slow("counter_of_cycle", "counts", lambda c: call(
        "collections", "Counter", call("itertools", "repeat", 1))),
    _slow("partial_of_a_statistic", "a default factory that never ends", lambda c: instance(
        dummy.StatisticRegressor(stats.Mean()), statistic=instance(
            stats.Mean(), get=partial(named("builtins", "sum"), _RANGE))), fires="predict"),
)  # fmt: skip

ATTACKS = (*CLAIMS, *DEPTHS, *SHARED, *LARGE, *SLOW)
