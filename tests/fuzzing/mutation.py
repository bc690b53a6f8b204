"""Changes messages by their structure: any field, set to what is hardest to bear."""

from __future__ import annotations

import math
import random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_ODD_UTF8 = {
    "\x02surrogate\x02": b"\xed\xa0\x80\xed\xb0\x80\xc0\xaf\xff\xfe\x80",
    "\x02cut off\x02": b"cut off\xf0\x9f",
}
"""Texts that protobuf does not let us set, and what stands for them until they are encoded."""

TEXTS = [
    *_ODD_UTF8,
    *("", " ", "*", "?", "**?*", "[a-z]*", "\0", "a\0b", "\n", 'a"b\\c\nd', "{}%s", "..", "/"),
    *("nan", "None", "true", "default", "canary ", "\u202eabc", "\ufeff", "\U0010ffff", "e\u0301"),
    *("x" * 256, "x" * 257, "\u00fc" * 129, "y" * 1_025, "z" * 70_000),
    *("0000-00-00", "2016-02-30", "0001-01-01", "9999-12-31", "2016-W01-1", "20160101"),
    *("2016-05-23", "2016-05-23T00:00", "\uff12\uff10\uff11\uff16-05-23", "-001-01-01"),
    *("name", "name desc", "mae", "mae desc", "learned desc", " desc"),
]
LONGEST = 1_100_000
"""Bytes of a text that is too long for anything."""

NUMBERS = [
    *(math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, -1.0, 0.5, 5e-324, -5e-324),
    *(1e15, -1e15, 1.0000000000000002e15, 1e16, 1e100, 1e101, 1e154, 1e308, -1.7e308),
]
INTEGERS = [
    *(0, 1, 2, -1, -2, 100, 366, 367, 1_000, 1_001, 16_801, 719_163, 2_932_896, 2_932_897),
    *(2**31 - 1, 2**31, -(2**31), 2**32 - 1, 2**53 + 1, 10**15 + 1, 2**63 - 1, -(2**63), 2**64 - 1),
]
MANY = (2, 3, 10, 101, 1_000)
"""How often what repeats is repeated."""

_RANGES = {
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_SINT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.TYPE_SINT64: (-(2**63), 2**63 - 1),
}


def mutate(message: Any, source: random.Random) -> None:
    """Change a message in one to four places."""
    for _ in range(source.choice((1, 1, 2, 4))):
        place = _somewhere(message, source)
        if place.DESCRIPTOR.fields:
            _change(place, source.choice(place.DESCRIPTOR.fields), source)


def encoded(message: Message) -> bytes:
    """The message's bytes, odd UTF-8 included."""
    data = message.SerializeToString(deterministic=True)
    for stand_in, odd in _ODD_UTF8.items():
        data = data.replace(stand_in.encode(), odd)
    return data


def _somewhere(message: Any, source: random.Random) -> Any:
    """The message itself or one within it."""
    while source.random() < 0.7:
        inner: list[Any] = []
        for field, value in message.ListFields():
            if field.message_type is None:
                continue
            if not field.is_repeated:
                inner.append(value)
            elif field.message_type.GetOptions().map_entry:
                inner += value.values()
            else:
                inner += value
        if not inner:
            break
        message = source.choice(inner)
    return message


def _change(message: Any, field: Any, source: random.Random) -> None:
    if source.random() < 0.1:
        message.ClearField(field.name)
    elif not field.is_repeated:
        if field.message_type is not None:
            getattr(message, field.name).SetInParent()  # of a oneof: in place of what was set
        else:
            setattr(message, field.name, _value(field, source))
    elif field.message_type is not None and field.message_type.GetOptions().map_entry:
        _change_map(getattr(message, field.name), source)
    else:
        _change_list(getattr(message, field.name), field, source)


def _change_map(entries: Any, source: random.Random) -> None:
    keys = sorted(entries)
    how = source.randrange(4)
    if how == 0 and keys:
        del entries[source.choice(keys)]
    elif how == 1:
        for number in range(source.choice(MANY)):
            _copy(entries, keys, f"{number}")
    else:
        _copy(entries, keys, _text(source))
        if keys:
            mutate(entries[source.choice(sorted(entries))], source)


def _copy(entries: Any, keys: list[str], name: str) -> None:
    if keys:
        entries[name].CopyFrom(entries[keys[0]])
    else:
        entries[name].SetInParent()


def _change_list(values: Any, field: Any, source: random.Random) -> None:
    kept = list(values)
    how = source.randrange(5)
    if how == 0:
        kept = kept * source.choice(MANY)
    elif how == 1:
        kept = kept[: source.randint(0, len(kept))]
    elif how == 2:
        source.shuffle(kept)
    elif field.message_type is not None:
        values.add()
        return
    elif kept and how == 3:
        kept[source.randrange(len(kept))] = _value(field, source)
    else:
        kept += [_value(field, source)] * source.choice((1, 1, *MANY))
    if sum(map(_size, kept)) < 4 * LONGEST:
        del values[:]
        values.extend(kept)


def _size(value: Any) -> int:
    if isinstance(value, Message):
        return value.ByteSize()
    return len(value) if isinstance(value, str | bytes) else 8


def _value(field: Any, source: random.Random) -> Any:
    kind = field.type
    if kind == FieldDescriptor.TYPE_DOUBLE:
        return source.choice(NUMBERS)
    if kind == FieldDescriptor.TYPE_BOOL:
        return source.random() < 0.5
    if kind == FieldDescriptor.TYPE_STRING:
        return _text(source)
    if kind == FieldDescriptor.TYPE_BYTES:
        return source.randbytes(source.choice((0, 1, 31, 32, 33, 1_000)))
    if kind == FieldDescriptor.TYPE_ENUM:
        return source.choice((0, 1, 2, 3, 4, 99, -1, 2**31 - 1))
    lowest, highest = _RANGES[kind]
    return min(max(source.choice(INTEGERS), lowest), highest)


def _text(source: random.Random) -> str:
    return source.choice(TEXTS) if source.random() < 0.99 else "w" * LONGEST
