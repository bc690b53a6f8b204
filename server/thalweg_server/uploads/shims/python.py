"""Stand-ins for callables of Python's own library."""

from __future__ import annotations

import random
from array import array
from collections import Counter, OrderedDict, defaultdict, deque
from copy import deepcopy
from datetime import date, datetime, timedelta
from numbers import Number
from operator import itemgetter
from statistics import NormalDist
from typing import Any

from thalweg_server.uploads.keys import check_keys
from thalweg_server.uploads.limits import WINDOW_MAX
from thalweg_server.uploads.recipes import Recipe
from thalweg_server.uploads.refusals import Forbidden
from thalweg_server.uploads.shims.callables import callable_of
from thalweg_server.uploads.shims.checks import expect, whole

_RANDOM_BYTES = 2_600
_ARRAY_CODES = "bBhHiIlLqQfd"


def _default_dict(arguments: tuple[Any, ...]) -> Any:
    if not arguments:
        return defaultdict()
    (factory,) = _exactly(arguments, 1)
    return defaultdict(None if factory is None else callable_of(factory))


def _counter(arguments: tuple[Any, ...]) -> Any:
    counter: Any = Counter()
    if arguments:
        expect(arguments, dict)
        dict.update(counter, arguments[0])
    return counter


def _ordered_dict(arguments: tuple[Any, ...]) -> Any:
    expect(arguments)
    return OrderedDict()


def _deque(arguments: tuple[Any, ...]) -> Any:
    if not arguments:
        return deque()
    if len(arguments) == 1:
        expect(arguments, (tuple, list))
        return deque(arguments[0])
    expect(arguments, (tuple, list), (int, type(None)))
    items, size = arguments
    return deque(items, None if size is None else whole(size, 0, WINDOW_MAX, "a deque"))


def _set(arguments: tuple[Any, ...]) -> Any:
    return set(_members(arguments))


def _frozen_set(arguments: tuple[Any, ...]) -> Any:
    return frozenset(_members(arguments))


def _members(arguments: tuple[Any, ...]) -> Any:
    if not arguments:
        return ()
    expect(arguments, (list, tuple))
    if check_keys(arguments[0]):
        raise Forbidden("numbers that may collide as members of a set made by a call")
    return arguments[0]


def _iterator(arguments: tuple[Any, ...]) -> Any:
    expect(arguments, (list, tuple))
    return iter(arguments[0])


def _range(arguments: tuple[Any, ...]) -> Any:
    expect(arguments, int, int, int)
    return range(*(whole(each, -WINDOW_MAX, WINDOW_MAX, "a range") for each in arguments))


def _item_getter(arguments: tuple[Any, ...]) -> Any:
    expect(arguments, (str, int))
    return itemgetter(arguments[0])


def _bytes_of_text(arguments: tuple[Any, ...]) -> Any:
    expect(arguments, str, str)
    if arguments[1] != "latin1":
        raise Forbidden("an encoding other than latin1")
    return arguments[0].encode("latin1")


def _bytearray(arguments: tuple[Any, ...]) -> Any:
    if not arguments:
        return bytearray()
    expect(arguments, bytes)
    return bytearray(arguments[0])


def _bytes(arguments: tuple[Any, ...]) -> Any:
    expect(arguments)
    return b""


def _array_of_list(arguments: tuple[Any, ...]) -> Any:
    # as protocol 2 has it
    expect(arguments, str, list)
    made = _empty_array(arguments[0])
    if not {int, float}.issuperset(map(type, arguments[1])):
        raise Forbidden("an array of other than numbers")
    made.fromlist(arguments[1])
    return made


def _empty_array(code: str) -> Any:
    if len(code) != 1 or code not in _ARRAY_CODES:
        raise Forbidden(f"an array of type {code[:8]!r}")
    return array(code)


def _array(arguments: tuple[Any, ...]) -> Any:
    # array._array_reconstructor(array, typecode, machine format, bytes)
    if len(arguments) != 4 or arguments[0] is not ARRAY:
        raise Forbidden("an array of another class")
    _, code, layout, data = arguments
    expect((code, layout, data), str, int, bytes)
    made = _empty_array(code)
    if layout != _layout_of(code):
        raise Forbidden(f"an array of type {code} in machine format {layout}")
    made.frombytes(data)
    return made


def _layout_of(code: str) -> Any:
    """The number that this machine writes for an array of a type."""
    return array(code).__reduce_ex__(3)[1][2]


def _random(arguments: tuple[Any, ...]) -> Any:
    expect(arguments)
    return random.Random(0)


def set_random(target: random.Random, state: Any) -> None:
    """The state of `random.Random`: its version, 624 words and a position, a number kept."""
    expect((state,), tuple)
    expect(state, int, tuple, (float, type(None)))
    version, words, _ = state
    if version != 3 or len(words) != 625 or set(map(type, words)) != {int}:
        raise Forbidden("a state that no random.Random has")
    whole(min(words), 0, (1 << 32) - 1, "a word of a random state")
    whole(max(words), 0, (1 << 32) - 1, "a word of a random state")
    whole(words[-1], 0, 624, "the position in a random state")
    target.setstate(state)


def set_iterator(target: Any, state: Any) -> None:
    """The position of a list's iterator."""
    target.__setstate__(whole(state, 0, WINDOW_MAX, "the position of an iterator"))


def _normal(arguments: tuple[Any, ...]) -> Any:
    expect(arguments)
    return NormalDist.__new__(NormalDist)


def set_normal(target: NormalDist, state: Any) -> None:
    """Mean and deviation of `statistics.NormalDist`."""
    expect((state,), tuple)
    expect(state, (float, int), (float, int))
    target.__setstate__(state)  # type: ignore[attr-defined]


def _datetime(arguments: tuple[Any, ...]) -> Any:
    expect(arguments, bytes)
    data = arguments[0]
    if len(data) != 10:
        raise Forbidden("a datetime of another length")
    year, (month, day, hour, minute, second) = data[0] << 8 | data[1], data[2:7]
    return datetime(
        year, month & 127, day, hour, minute, second, int.from_bytes(data[7:]), fold=month >> 7
    )


def _date(arguments: tuple[Any, ...]) -> Any:
    expect(arguments, bytes)
    data = arguments[0]
    if len(data) != 4:
        raise Forbidden("a date of another length")
    return date(data[0] << 8 | data[1], data[2], data[3])


def _timedelta(arguments: tuple[Any, ...]) -> Any:
    expect(arguments, int, int, int)
    return timedelta(*arguments)


def _exactly(arguments: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    if len(arguments) != count:
        raise Forbidden(f"{len(arguments)} arguments where {count} are written")
    return arguments


ARRAY = Recipe(name="array.array", call=_array_of_list)
PYTHON: tuple[Recipe, ...] = (
    ARRAY,
    Recipe(name="array._array_reconstructor", call=_array),
    Recipe(name="builtins.float", factory=float, value=float),
    Recipe(name="builtins.int", factory=int, value=int),
    Recipe(name="builtins.bool", factory=bool, value=bool),
    Recipe(name="builtins.str", factory=str, value=str),
    Recipe(name="builtins.list", factory=list),
    Recipe(name="builtins.tuple", factory=tuple),
    Recipe(name="builtins.dict", factory=dict),
    Recipe(name="builtins.set", call=_set, factory=set, cost=256),
    Recipe(name="builtins.frozenset", call=_frozen_set, factory=frozenset, cost=256),
    Recipe(name="builtins.bytes", call=_bytes),
    Recipe(name="builtins.bytearray", call=_bytearray),
    Recipe(name="builtins.range", call=_range),
    Recipe(name="builtins.iter", call=_iterator),
    Recipe(name="_codecs.encode", call=_bytes_of_text),
    Recipe(name="collections.Counter", call=_counter, factory=Counter, cost=256),
    Recipe(name="collections.OrderedDict", call=_ordered_dict, factory=OrderedDict, cost=256),
    Recipe(name="collections.defaultdict", call=_default_dict, factory=defaultdict, cost=256),
    Recipe(name="collections.deque", call=_deque, factory=deque, cost=760),
    Recipe(name="copy.deepcopy", factory=deepcopy),
    Recipe(name="datetime.datetime", call=_datetime),
    Recipe(name="datetime.date", call=_date),
    Recipe(name="datetime.timedelta", call=_timedelta),
    Recipe(name="numbers.Number", value=Number),
    Recipe(name="operator.itemgetter", call=_item_getter),
    Recipe(name="random.Random", call=_random, cost=_RANDOM_BYTES),
    Recipe(name="statistics.NormalDist", new=_normal),
)
"""Recipes for names of Python's own library."""
