"""Opcodes that push plain values, and those that frame the pickle."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from thalweg_server.uploads.limits import INTEGER_BYTES_MAX, PROTOCOL_MAX, PROTOCOL_MIN
from thalweg_server.uploads.machine import Machine
from thalweg_server.uploads.refusals import Forbidden, Malformed

Handler = Callable[[Machine, int], int]

_uint16 = Struct("<H").unpack_from
_int32 = Struct("<i").unpack_from
_uint32 = Struct("<I").unpack_from
_uint64 = Struct("<Q").unpack_from
_float64 = Struct(">d").unpack_from


def proto(m: Machine, at: int) -> int:
    version = m.data[at]
    if not PROTOCOL_MIN <= version <= PROTOCOL_MAX:
        raise Malformed(f"pickle protocol {version}")
    return at + 1


def frame(m: Machine, at: int) -> int:
    if _uint64(m.data, at)[0] > m.end - at - 8:
        raise Malformed("a frame goes beyond the end")
    return at + 8


def none(m: Machine, at: int) -> int:
    m.stack.append(None)
    return at


def true(m: Machine, at: int) -> int:
    m.stack.append(True)
    return at


def false(m: Machine, at: int) -> int:
    m.stack.append(False)
    return at


def int_1(m: Machine, at: int) -> int:
    m.stack.append(m.data[at])
    return at + 1


def int_2(m: Machine, at: int) -> int:
    m.stack.append(_uint16(m.data, at)[0])
    return at + 2


def int_4(m: Machine, at: int) -> int:
    m.stack.append(_int32(m.data, at)[0])
    return at + 4


def long_1(m: Machine, at: int) -> int:
    return _integer(m, at + 1, m.data[at])


def long_4(m: Machine, at: int) -> int:
    return _integer(m, at + 4, _int32(m.data, at)[0])


def float_8(m: Machine, at: int) -> int:
    m.stack.append(_float64(m.data, at)[0])
    return at + 8


def text_1(m: Machine, at: int) -> int:
    start = at + 1
    stop = start + m.data[at]
    if stop > m.end:
        raise Malformed("a text goes beyond the end")
    m.stack.append(str(m.data[start:stop], "utf-8", "surrogatepass"))
    return stop


def text_4(m: Machine, at: int) -> int:
    return _text(m, at + 4, _uint32(m.data, at)[0])


def text_8(m: Machine, at: int) -> int:
    return _text(m, at + 8, _uint64(m.data, at)[0])


def bytes_1(m: Machine, at: int) -> int:
    m.stack.append(_slice(m, at + 1, m.data[at]))
    return at + 1 + m.data[at]


def bytes_4(m: Machine, at: int) -> int:
    (size,) = _uint32(m.data, at)
    m.stack.append(_slice(m, at + 4, size))
    return at + 4 + int(size)


def bytes_8(m: Machine, at: int) -> int:
    (size,) = _uint64(m.data, at)
    m.stack.append(_slice(m, at + 8, size))
    return at + 8 + int(size)


def bytearray_8(m: Machine, at: int) -> int:
    (size,) = _uint64(m.data, at)
    m.stack.append(bytearray(_slice(m, at + 8, size)))
    return at + 8 + int(size)


def stop(m: Machine, at: int) -> int:
    return -1


def _integer(m: Machine, start: int, size: int) -> int:
    if not 0 <= size <= INTEGER_BYTES_MAX:
        raise Forbidden(f"an integer of {size} bytes; the limit is {INTEGER_BYTES_MAX}")
    m.stack.append(int.from_bytes(_slice(m, start, size), "little", signed=True))
    return start + size


def _text(m: Machine, start: int, size: int) -> int:
    m.stack.append(str(_slice(m, start, size), "utf-8", "surrogatepass"))
    return start + size


def _slice(m: Machine, start: int, size: int) -> bytes:
    if size > m.end - start:
        raise Malformed(f"{size} bytes are announced, {m.end - start} are left")
    return m.data[start : start + size]


SCALARS: dict[int, Handler] = {
    0x80: proto,
    0x95: frame,
    ord("N"): none,
    0x88: true,
    0x89: false,
    ord("K"): int_1,
    ord("M"): int_2,
    ord("J"): int_4,
    0x8A: long_1,
    0x8B: long_4,
    ord("G"): float_8,
    0x8C: text_1,
    ord("X"): text_4,
    0x8D: text_8,
    ord("C"): bytes_1,
    ord("B"): bytes_4,
    0x8E: bytes_8,
    0x96: bytearray_8,
    ord("."): stop,
}
"""Opcode to what it does."""
