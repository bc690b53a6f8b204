"""Stand-ins for NumPy: arrays and scalars of plain numbers, and its random states.

An array's state is a shape, a type and bytes; a wrong combination makes NumPy read memory that
is not its own. So the bytes are exactly those that shape and type need, and objects are no type.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.random import MT19937, RandomState

from thalweg_server.uploads.limits import DIMENSIONS_MAX
from thalweg_server.uploads.recipes import Recipe, name_of
from thalweg_server.uploads.refusals import Forbidden
from thalweg_server.uploads.shims.checks import expect, whole

_CODES = frozenset(
    {"b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"}
)
_DTYPES = frozenset(np.dtype(code) for code in _CODES)
DTYPE_KINDS = frozenset(type(dtype) for dtype in _DTYPES)
"""NumPy's classes of the types allowed: what BUILD meets."""

_ORDERS = ("<", "|", "=")
_SIZE_MAX = 1 << 48


def _dtype(arguments: tuple[Any, ...]) -> Any:
    expect(arguments, str, bool, bool)
    if arguments[0] not in _CODES:
        raise Forbidden(f"arrays of type {arguments[0][:20]!r}")
    return np.dtype(arguments[0])


def check_dtype_state(target: Any, state: Any) -> None:
    """A type is shared by all arrays and not changed: its state must be what it is already."""
    expect((state,), tuple)
    order = state[1] if len(state) > 1 else None
    if state != (3, order, None, None, None, -1, -1, 0) or order not in _ORDERS:
        raise Forbidden("a NumPy type of another byte order, with fields or metadata")


def _empty(arguments: tuple[Any, ...]) -> Any:
    expect(arguments, Recipe, tuple, bytes)
    if arguments[0] is not NDARRAY or arguments[1] != (0,) or arguments[2] != b"b":
        raise Forbidden("an array of another class or size before its state")
    return np.empty(0, np.int8)


def _size(shape: Any, dtype: Any) -> int:
    """Bytes of an array; raises Forbidden for what is no shape or no type of numbers."""
    if type(dtype) not in DTYPE_KINDS or dtype not in _DTYPES:
        raise Forbidden(f"an array of {name_of(dtype)}")
    expect((shape,), tuple)
    if len(shape) > DIMENSIONS_MAX:
        raise Forbidden(f"an array of {len(shape)} dimensions")
    for length in shape:
        whole(length, 0, _SIZE_MAX, "an array's length")
    size: int = prod(shape) * dtype.itemsize
    return size


def set_array(target: Any, state: Any) -> None:
    """The shape, type and bytes of an array; raises Forbidden."""
    expect((state,), tuple)
    expect(state, int, tuple, tuple(DTYPE_KINDS), bool, bytes)
    version, shape, dtype, _, data = state
    if version != 1 or _size(shape, dtype) != len(data):
        raise Forbidden("an array whose bytes are not those of its shape")
    target.__setstate__(state)


def _array(arguments: tuple[Any, ...]) -> Any:
    # dill._dill._create_array(_reconstruct, its arguments, state, attributes)
    expect(arguments, Recipe, tuple, tuple, type(None))
    if arguments[0] is not RECONSTRUCT:
        raise Forbidden(f"an array made by {arguments[0].name}")
    made = _empty(arguments[1])
    set_array(made, arguments[2])
    return made


def _from_buffer(arguments: tuple[Any, ...]) -> Any:
    expect(arguments, (bytes, bytearray), tuple(DTYPE_KINDS), tuple, str)
    data, dtype, shape, order = arguments
    if order not in ("C", "F") or _size(shape, dtype) != len(data):
        raise Forbidden("an array whose bytes are not those of its shape")
    # A copy, which owns its memory and can be written, whatever else refers to the bytes.
    return np.frombuffer(data, dtype=dtype).reshape(shape, order=order).copy(order=order)


def _scalar(arguments: tuple[Any, ...]) -> Any:
    expect(arguments, tuple(DTYPE_KINDS), bytes)
    dtype, data = arguments
    if _size((), dtype) != len(data):
        raise Forbidden("a NumPy number of another size")
    return np.frombuffer(data, dtype=dtype)[0]


def _generator(arguments: tuple[Any, ...]) -> Any:
    if arguments not in ((MT,), ("MT19937",)):
        raise Forbidden("a random generator other than MT19937")
    return MT19937(0)


def set_generator(target: MT19937, state: Any) -> None:
    """The words and position of a Mersenne twister; raises Forbidden."""
    if type(state) is tuple and len(state) == 2 and state[1] is None:
        state = state[0]
    expect((state,), dict)
    if set(state) != {"bit_generator", "state"} or state["bit_generator"] != "MT19937":
        raise Forbidden("a state that no MT19937 has")
    _check_words(state["state"])
    target.state = state


def _check_words(words: Any) -> None:
    expect((words,), dict)
    if set(words) != {"key", "pos"}:
        raise Forbidden("a state that no MT19937 has")
    key = words["key"]
    if type(key) is not np.ndarray or key.dtype != np.uint32 or key.shape != (624,):
        raise Forbidden("a random state of other than 624 words")
    whole(words["pos"], 0, 624, "the position in a random state")


def _random_state(arguments: tuple[Any, ...]) -> Any:
    expect(arguments, MT19937)
    return RandomState(arguments[0])


def set_random_state(target: RandomState, state: Any) -> None:
    """The state of a `numpy.random.RandomState`; raises Forbidden."""
    expect((state,), dict)
    if set(state) != {"bit_generator", "state", "has_gauss", "gauss"}:
        raise Forbidden("a state that no RandomState has")
    if state["bit_generator"] != "MT19937":
        raise Forbidden("a random generator other than MT19937")
    _check_words(state["state"])
    whole(state["has_gauss"], 0, 1, "has_gauss")
    expect((state["gauss"],), float)
    target.set_state(state)


NDARRAY = Recipe(name="numpy.ndarray")
MT = Recipe(name="numpy.random._mt19937.MT19937")
RECONSTRUCT = Recipe(name="numpy._core.multiarray._reconstruct", call=_empty, cost=160)
_STATE_BYTES = 2_800
ARRAYS: tuple[Recipe, ...] = (
    NDARRAY,
    MT,
    RECONSTRUCT,
    Recipe(name="numpy.dtype", call=_dtype),
    Recipe(name="numpy._core.multiarray.scalar", call=_scalar),
    Recipe(name="numpy._core.numeric._frombuffer", call=_from_buffer, cost=160),
    Recipe(name="dill._dill._create_array", call=_array, cost=160),
    Recipe(name="numpy.random._pickle.__bit_generator_ctor", call=_generator, cost=_STATE_BYTES),
    Recipe(name="numpy.random._pickle.__randomstate_ctor", call=_random_state, cost=_STATE_BYTES),
)
"""Recipes for names of NumPy."""
