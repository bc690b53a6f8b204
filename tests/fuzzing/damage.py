"""Changes bytes: of messages, with an eye for protobuf's lengths, and of pickles, opcode by opcode.

Both are pure functions of their arguments and the state of the source of chance.
"""

from __future__ import annotations

import pickletools
import random
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise

LENGTHS = (0, 1, 2, 127, 128, 2**14, 2**31 - 1, 2**32 - 1, 2**63)
_DEEP = (b"\x0b", b"\x0a\x02", b"\x1b", b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x7f")
"""Groups that are never closed, fields within fields, a field number that is too large."""

_NUMBERS = (
    *(b"K\x00", b"M\xff\xff", b"J\xff\xff\xff\xff", b"J\xff\xff\xff\x7f"),
    b"\x8a\x08" + b"\xff" * 8,
    *(b"\x8a\x09" + bytes(8) + b"\x01", b"\x88", b"\x89", b"N", b"\x8c\x00", b"]", b"}", b")"),
    *(b"G" + bytes.fromhex(bits) for bits in ("7ff8000000000000", "7ff0000000000000")),
    *(b"G" + bytes.fromhex(bits) for bits in ("7fe1ccf385ebc8a0", "8000000000000000")),
)
"""Opcodes that push an extreme value: what stands in for a number of an estimator's state."""
_PUSHED = {"BININT", "BININT1", "BININT2", "BINFLOAT", "LONG1", "NEWTRUE", "NEWFALSE", "NONE"}


def damaged(data: bytes, others: Sequence[bytes], source: random.Random) -> bytes:
    """A message's bytes, changed in one to six places.

    Args:
        data: what to change.
        others: messages to take pieces from.
        source: of chance.
    """
    ways: tuple[Callable[[bytes], bytes], ...] = (
        lambda given: _edited(given, source),
        lambda given: _length_lie(given, source),
        lambda given: given[: source.randint(0, len(given))],
        lambda given: given + source.choice(others),  # merges: fields twice, both of a oneof
        lambda given: _spliced(given, source.choice(others), source),
        lambda given: given + source.choice(_DEEP) * source.choice((1, 50, 150, 20_000)),
    )
    for _ in range(source.choice((1, 1, 2, 6))):
        data = source.choices(ways, (8, 4, 1, 2, 2, 1))[0](data)
    return data


def damaged_pickle(payload: bytes, others: Sequence[bytes], source: random.Random) -> bytes:
    """A pickle with one to five changes, most of them of whole opcodes, so that it goes on."""
    for _ in range(source.choice((1, 1, 1, 2, 5))):
        if source.random() < 0.25:
            payload = _edited(payload, source)
            continue
        ops = _ops(payload)
        if len(ops) < 2:
            return payload
        payload = _changed_op(payload, ops, others, source)
    return payload


Op = tuple[str, int, int]
"""An opcode's name, where it begins, and where it ends."""


@lru_cache(maxsize=128)  # good payloads come again and again
def _ops(payload: bytes) -> tuple[Op, ...]:
    """The opcodes up to the first one that is none."""
    found: list[tuple[str, int]] = []
    try:
        for opcode, _, position in pickletools.genops(payload):
            found.append((opcode.name, position or 0))
    except (ValueError, KeyError, IndexError, OverflowError):
        pass
    return tuple((name, start, end) for (name, start), (_, end) in pairwise(found))


def _changed_op(
    payload: bytes, ops: Sequence[Op], others: Sequence[bytes], source: random.Random
) -> bytes:
    how = source.random()
    if how < 0.6:  # a number of the state: what is most likely to be accepted
        numbers = [op for op in ops if op[0] in _PUSHED]
        if numbers:
            _, start, end = source.choice(numbers)
            return payload[:start] + source.choice(_NUMBERS) + payload[end:]
    _, start, end = source.choice(ops)
    if how < 0.7:
        return payload[:start] + payload[end:]
    if how < 0.8:
        return payload[:end] + payload[start:end] + payload[end:]
    if how < 0.9:  # another opcode of its own
        _, first, last = source.choice(ops)
        return payload[:start] + payload[first:last] + payload[end:]
    other = source.choice(others)
    strange = _ops(other)
    if not strange:
        return payload
    _, first, last = source.choice(strange)
    return payload[:start] + other[first:last] + payload[end:]


def _edited(data: bytes, source: random.Random) -> bytes:
    """Bytes flipped, replaced, dropped, put in or doubled."""
    if not data:
        return source.randbytes(source.randint(0, 8))
    at = source.randrange(len(data))
    size = source.choice((1, 1, 2, 8, 40))
    how = source.randrange(5)
    if how == 0:
        return data[:at] + bytes([data[at] ^ 1 << source.randrange(8)]) + data[at + 1 :]
    if how == 1:
        return data[:at] + source.randbytes(size) + data[at + size :]
    if how == 2:
        return data[:at] + data[at + size :]
    if how == 3:
        return data[:at] + source.randbytes(size) + data[at:]
    return data[: at + size] + data[at:]


def _spliced(data: bytes, other: bytes, source: random.Random) -> bytes:
    first, second = source.randint(0, len(data)), source.randint(0, len(other))
    return data[:first] + other[second:]


def _length_lie(data: bytes, source: random.Random) -> bytes:
    """A field's length that is not its own."""
    fields = _lengths(data)
    if not fields:
        return data
    start, end, length = source.choice(fields)
    lie = source.choice((*LENGTHS, max(0, length - 1), length + 1))
    return data[:start] + _varint(lie) + data[end:]


def _lengths(data: bytes) -> list[tuple[int, int, int]]:
    """Where fields' lengths begin and end, and what they say, on the outermost two levels."""
    found: list[tuple[int, int, int]] = []
    for start, end, length in _level(data, 0, len(data)):
        found.append((start, end, length))
        found += _level(data, end, min(end + length, len(data)))
    return found


def _level(data: bytes, at: int, end: int) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = []
    while at < end and len(found) < 100:
        tag, at = _read_varint(data, at)
        kind = tag & 7
        if kind == 0:
            _, at = _read_varint(data, at)
        elif kind == 1:
            at += 8
        elif kind == 5:
            at += 4
        elif kind == 2:
            start = at
            length, at = _read_varint(data, at)
            if at > end:
                break
            found.append((start, at, length))
            at += length
        else:
            break
    return found


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    return value, at


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
