"""Pickles written by hand, opcode by opcode."""

from __future__ import annotations

from thalweg_server.core.policy import Policy
from thalweg_server.uploads import load

EMPTY_TUPLE, EMPTY_DICT, EMPTY_LIST, EMPTY_SET, NONE, MARK = b")", b"}", b"]", b"\x8f", b"N", b"("
NEWOBJ, REDUCE, BUILD, MEMOIZE, STOP = b"\x81", b"R", b"b", b"\x94", b"."
TUPLE, TUPLE1, TUPLE2, TUPLE3, SETITEM, SETITEMS = b"t", b"\x85", b"\x86", b"\x87", b"s", b"u"


def pickle_of(*parts: bytes) -> bytes:
    """A whole pickle of protocol 4."""
    return b"\x80\x04" + b"".join(parts) + STOP


def text(value: str) -> bytes:
    """A text."""
    data = value.encode()
    return b"X" + len(data).to_bytes(4, "little") + data


def data(value: bytes) -> bytes:
    """Bytes."""
    return b"B" + len(value).to_bytes(4, "little") + value


def integer(value: int) -> bytes:
    """An integer of up to 255 bytes."""
    size = value.bit_length() // 8 + 1
    return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)


def name(module: str, qualified: str) -> bytes:
    """A global."""
    return text(module) + text(qualified) + b"\x93"


def get(slot: int) -> bytes:
    """What is in a slot of the memo."""
    return b"j" + slot.to_bytes(4, "little")


def several(*parts: bytes) -> bytes:
    """A tuple."""
    return MARK + b"".join(parts) + TUPLE


def instance(module: str, qualified: str, state: bytes = b"") -> bytes:
    """A new object, with a state where one is given."""
    return name(module, qualified) + EMPTY_TUPLE + NEWOBJ + (state + BUILD if state else b"")


def attributes(**values: bytes) -> bytes:
    """A dictionary with texts for keys."""
    return EMPTY_DICT + MARK + b"".join(text(k) + v for k, v in values.items()) + SETITEMS


def safe(*parts: bytes) -> object:
    """What the policy `safe` makes of a pickle."""
    return load(pickle_of(*parts), Policy.SAFE)
