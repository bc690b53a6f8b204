"""Opcodes that make and fill containers, and the memo.

Only exact types of Python's own are filled: nothing here runs a method of a caller's object.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from struct import Struct
from typing import Any

from thalweg_server.uploads.keys import check_keys
from thalweg_server.uploads.limits import NUMERIC_KEYS_MAX
from thalweg_server.uploads.machine import Machine
from thalweg_server.uploads.recipes import Recipe, name_of
from thalweg_server.uploads.refusals import Forbidden, Malformed
from thalweg_server.uploads.scalars import Handler

_uint32 = Struct("<I").unpack_from

_TUPLE, _LIST, _DICT, _SET = 64, 80, 128, 256
"""Bytes that an empty or small container takes, about."""

_SEQUENCES = frozenset({list, deque})
_MAPPINGS = frozenset({dict, OrderedDict, defaultdict, Counter})
_SHARED_FREELY = frozenset({str, float, int, bool, bytes, type(None), Recipe})
"""What a walk does not go into: a recipe stands for a class, and the audit lets none stay."""


def mark(m: Machine, at: int) -> int:
    m.charge(_TUPLE)
    m.marks.append(m.stack)
    m.stack = []
    return at


def pop(m: Machine, at: int) -> int:
    if m.stack:
        m.stack.pop()
    else:
        m.pop_mark()
    return at


def pop_mark(m: Machine, at: int) -> int:
    m.pop_mark()
    return at


def memoize(m: Machine, at: int) -> int:
    m.memo.append(m.stack[-1])
    return at


def put_1(m: Machine, at: int) -> int:
    _put(m, m.data[at])
    return at + 1


def put_4(m: Machine, at: int) -> int:
    _put(m, _uint32(m.data, at)[0])
    return at + 4


def get_1(m: Machine, at: int) -> int:
    value = m.memo[m.data[at]]
    if type(value) not in _SHARED_FREELY:
        m.shares += 1
    m.stack.append(value)
    return at + 1


def get_4(m: Machine, at: int) -> int:
    value = m.memo[_uint32(m.data, at)[0]]
    if type(value) not in _SHARED_FREELY:
        m.shares += 1
    m.stack.append(value)
    return at + 4


def tuple_0(m: Machine, at: int) -> int:
    m.stack.append(())
    return at


def tuple_1(m: Machine, at: int) -> int:
    m.charge(_TUPLE)
    stack = m.stack
    stack[-1] = (stack[-1],)
    return at


def tuple_2(m: Machine, at: int) -> int:
    m.charge(_TUPLE)
    stack = m.stack
    second = stack.pop()
    stack[-1] = (stack[-1], second)
    return at


def tuple_3(m: Machine, at: int) -> int:
    m.charge(_TUPLE)
    stack = m.stack
    third, second = stack.pop(), stack.pop()
    stack[-1] = (stack[-1], second, third)
    return at


def tuple_n(m: Machine, at: int) -> int:
    m.charge(_TUPLE)
    items = tuple(m.pop_mark())
    m.stack.append(items)
    return at


def empty_list(m: Machine, at: int) -> int:
    m.charge(_LIST)
    m.stack.append([])
    return at


def empty_dict(m: Machine, at: int) -> int:
    m.charge(_DICT)
    m.stack.append({})
    return at


def empty_set(m: Machine, at: int) -> int:
    m.charge(_SET)
    m.stack.append(set())
    return at


def frozen_set(m: Machine, at: int) -> int:
    m.charge(_SET)
    items = m.pop_mark()
    count_keys(m, items)
    m.stack.append(frozenset(items))
    return at


def append(m: Machine, at: int) -> int:
    value = m.stack.pop()
    _extend(m, [value])
    return at


def appends(m: Machine, at: int) -> int:
    _extend(m, m.pop_mark())
    return at


def set_item(m: Machine, at: int) -> int:
    value, key = m.stack.pop(), m.stack.pop()
    _update(m, [key, value])
    return at


def set_items(m: Machine, at: int) -> int:
    _update(m, m.pop_mark())
    return at


def add_items(m: Machine, at: int) -> int:
    items = m.pop_mark()
    target = m.stack[-1]
    if type(target) is not set:
        raise Forbidden(f"ADDITEMS to {name_of(target)}")
    count_keys(m, items)
    target.update(items)
    return at


def count_keys(m: Machine, keys: Any) -> None:
    """Counts the keys that a caller could make collide; raises Forbidden."""
    m.numeric_keys += check_keys(keys)
    if m.numeric_keys > NUMERIC_KEYS_MAX:
        raise Forbidden(f"more than {NUMERIC_KEYS_MAX} keys that are numbers and may collide")


def _put(m: Machine, index: int) -> None:
    # Picklers number what they keep one by one; a slot written twice has two readings.
    if index != len(m.memo):
        raise Forbidden(f"memo slot {index} where {len(m.memo)} is next")
    m.memo.append(m.stack[-1])


def _extend(m: Machine, items: list[Any]) -> None:
    target = m.stack[-1]
    if type(target) not in _SEQUENCES:
        raise Forbidden(f"APPEND to {name_of(target)}")
    target.extend(items)


def _update(m: Machine, items: list[Any]) -> None:
    target = m.stack[-1]
    if type(target) not in _MAPPINGS:
        raise Forbidden(f"SETITEM on {name_of(target)}")
    if len(items) % 2:
        raise Malformed("a key without a value")
    keys = items[::2]
    count_keys(m, keys)
    # A Counter's own update would add, an OrderedDict's keeps the order beside the table.
    update = OrderedDict.update if type(target) is OrderedDict else dict.update
    update(target, zip(keys, items[1::2], strict=True))


CONTAINERS: dict[int, Handler] = {
    ord("("): mark,
    ord("0"): pop,
    ord("1"): pop_mark,
    0x94: memoize,
    ord("q"): put_1,
    ord("r"): put_4,
    ord("h"): get_1,
    ord("j"): get_4,
    ord(")"): tuple_0,
    0x85: tuple_1,
    0x86: tuple_2,
    0x87: tuple_3,
    ord("t"): tuple_n,
    ord("]"): empty_list,
    ord("}"): empty_dict,
    0x8F: empty_set,
    0x91: frozen_set,
    ord("a"): append,
    ord("e"): appends,
    ord("s"): set_item,
    ord("u"): set_items,
    0x90: add_items,
}
"""Opcode to what it does."""
