"""Messages between the server and its workers arrive as they were, or end the connection."""

from __future__ import annotations

import math
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thalweg_server.workers import wire
from thalweg_server.workers.wire import (
    LENGTH,
    MESSAGE_BYTES_MAX,
    PARTS_MAX,
    PLAIN_BYTES_MAX,
    Channel,
    Closed,
    Ended,
    packed,
    unpacked,
    unpacked_warily,
)

ATOMS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters())  # lone surrogates as well
    | st.binary()
)
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.booleans() | st.integers(-9, 9), inner, max_size=4)
    ),
    max_leaves=20,
)


@contextmanager
def pair(**options: Any) -> Iterator[tuple[Channel, socket.socket]]:
    """A channel, and the bare other end."""
    ours, theirs = socket.socketpair()
    channel = Channel(ours, **options)
    try:
        yield channel, theirs
    finally:
        channel.close()
        theirs.close()


def framed(body: bytes) -> bytes:
    """A message as it is sent."""
    return LENGTH.pack(len(body)) + body


def exactly(left: Any, right: Any) -> bool:
    """Whether two values are the same, types and signs of zero included."""
    return repr(left) == repr(right)


@settings(max_examples=80, deadline=None)
@given(value=VALUES)
def test_plain_values_come_back(value: Any) -> None:
    """With their types, keys and order."""
    assert exactly(unpacked(packed(value)), value)
    assert exactly(unpacked_warily(memoryview(packed(value))), value)


def test_nan_and_infinity_come_back() -> None:
    """Bit by bit."""
    given = struct.pack("<3d", math.nan, math.inf, -math.inf)
    came = unpacked(packed(list(struct.unpack("<3d", given))))
    assert struct.pack("<3d", *came) == given


@settings(max_examples=60, deadline=None)
@given(messages=st.lists(VALUES, min_size=1, max_size=4), cuts=st.lists(st.integers(1, 40)))
def test_messages_arrive_however_they_are_cut(messages: list[Any], cuts: list[int]) -> None:
    """In order, each one whole, with whatever comes right behind it."""
    sent = b"".join(framed(packed(message)) for message in messages)
    with pair() as (channel, theirs):

        def send() -> None:
            at = 0
            for cut in cuts:
                theirs.sendall(sent[at : at + cut])
                at += cut
            theirs.sendall(sent[at:])

        sender = threading.Thread(target=send)
        sender.start()
        try:
            for message in messages:
                assert exactly(channel.receive(), message)
        finally:
            sender.join()
        assert channel.is_quiet


def test_large_messages_go_both_ways() -> None:
    """Many times what a socket holds."""
    message = [b"x" * 5_000_000, "y" * 100]
    with pair() as (channel, theirs):
        other = Channel(theirs)
        sender = threading.Thread(target=lambda: channel.send(message))
        sender.start()
        assert other.receive() == message
        sender.join()


@settings(max_examples=150, deadline=None)
@given(garbage=st.binary(max_size=400))
def test_garbage_only_ever_ends(garbage: bytes) -> None:
    """Whatever the bytes, they are a plain value or the end; no other error comes of them."""
    with pair(wary=True) as (channel, theirs):
        theirs.sendall(garbage)
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(Ended):
            while True:
                channel.receive()
    for take in (unpacked, lambda body: unpacked_warily(memoryview(body))):
        try:
            value = take(garbage)
        except Ended:
            continue
        assert _is_plain(value)


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(_is_plain(key) and _is_plain(each) for key, each in value.items())
    return value is None or type(value) in (bool, int, float, str, bytes)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        msgpack.packb(1) + b"more",
        msgpack.packb(msgpack.ExtType(5, b"x")),
        msgpack.packb(msgpack.Timestamp(1)),
        msgpack.packb({"a": 1})[:-1],
        b"\x81\x90\x01",
        b"\x91" * 5_000 + b"\x01",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xa2\xff\xfe",
    ],
    ids=[
        *("nothing", "no type", "two values", "an extension", "a time", "half of it"),
        *("a list as key", "too deep", "a list too long", "a map too long", "bytes too long"),
        "no UTF-8",
    ],
)
def test_what_is_no_message_ends(body: bytes) -> None:
    """Never anything but Ended."""
    with pytest.raises(Ended, match="sent what is no message"):
        unpacked(body)


def test_a_length_beyond_the_most_ends_at_once() -> None:
    """Before a byte of it is waited for."""
    with pair() as (channel, theirs):
        theirs.sendall(LENGTH.pack(MESSAGE_BYTES_MAX + 1))
        with pytest.raises(Ended, match="sent a message of 1,073,741,825 bytes"):
            channel.receive()


def test_a_message_beyond_the_most_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one who would send it is told."""
    monkeypatch.setattr(wire, "MESSAGE_BYTES_MAX", 10)
    with pair() as (channel, _), pytest.raises(ValueError, match="a message of 12 bytes is over"):
        channel.send(b"x" * 10)


def test_the_end_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """At rest, within a length, within a message, and when it is sent to."""
    for sent in (b"", b"\x00\x00", LENGTH.pack(100) + b"x"):
        with pair() as (channel, theirs):
            theirs.sendall(sent)
            theirs.close()
            with pytest.raises(Closed, match="has closed its end"):
                channel.receive()
            with pytest.raises(Closed, match="is gone: "):
                channel.send("anybody?")
            assert not channel.is_quiet


def test_who_talks_unasked_is_not_quiet() -> None:
    """Whether it was read already or not."""
    with pair() as (channel, theirs):
        assert channel.is_quiet
        theirs.sendall(framed(packed(1)))
        assert not channel.is_quiet
        theirs.sendall(framed(packed(2)))
        assert channel.receive() == 1
        assert not channel.is_quiet
        assert channel.receive() == 2
        assert channel.is_quiet


# --- Waiting ----------------------------------------------------------------------------------


class Enough(Exception):
    """Ends a wait."""


def test_waiting_is_filled() -> None:
    """Every few milliseconds, until what it raises ends it; then it goes on where it was."""
    calls: list[float] = []

    def wait() -> None:
        calls.append(time.monotonic())
        if len(calls) == 5:
            raise Enough

    with pair(wait=wait) as (channel, theirs):
        theirs.sendall(framed(packed("late"))[:3])
        with pytest.raises(Enough):
            channel.receive()
    assert calls[-1] - calls[0] < 5.0


def test_sending_waits_as_well() -> None:
    """For whoever does not read."""

    def wait() -> None:
        raise Enough

    with pair(wait=wait) as (channel, _), pytest.raises(Enough):
        channel.send(b"x" * 50_000_000)


@pytest.mark.parametrize("way", ["sends", "reads"])
def test_who_goes_byte_by_byte_does_not_escape_the_wait(way: str) -> None:
    """There is always something to read, and yet it is looked at the clock."""
    end = time.monotonic() + 0.05

    def wait() -> None:
        if time.monotonic() > end:
            raise Enough

    with pair(wait=wait) as (channel, theirs):
        stop = threading.Event()
        trickle = threading.Thread(target=_trickle, args=(theirs, way, stop))
        trickle.start()
        try:
            with pytest.raises(Enough):
                channel.receive() if way == "sends" else channel.send(bytes(1 << 24))
        finally:
            stop.set()
            channel.close()
            trickle.join()


def _trickle(end: socket.socket, way: str, stop: threading.Event) -> None:
    try:
        if way == "sends":
            end.sendall(LENGTH.pack(MESSAGE_BYTES_MAX))
        while not stop.is_set():
            end.send(b"x") if way == "sends" else end.recv(1)
    except OSError:
        pass


# --- Wariness ---------------------------------------------------------------------------------


def test_long_replies_of_bytes_are_taken() -> None:
    """As dumps and bases are."""
    reply = ["made", b"x" * (2 * PLAIN_BYTES_MAX), True]
    assert unpacked_warily(memoryview(packed(reply))) == reply
    assert unpacked_warily(memoryview(packed([b"y" * (1 << 21), b"z" * (1 << 21)])))[1][:1] == b"z"


@pytest.mark.parametrize(
    "message",
    [
        ["made", [[]] * PLAIN_BYTES_MAX],
        ["made", {"a": [0] * PLAIN_BYTES_MAX}],
        ["made", "x" * PLAIN_BYTES_MAX],
        ["made", b"x" * PLAIN_BYTES_MAX, [[]] * (PLAIN_BYTES_MAX + 1)],
        [b"x" * PLAIN_BYTES_MAX] * (PARTS_MAX + 1),
        b"x" * PLAIN_BYTES_MAX,
        {"made": b"x" * PLAIN_BYTES_MAX},
    ],
    ids=["lists", "a map", "a text", "lists behind bytes", "many parts", "no list", "no list but"],
)
def test_long_replies_of_anything_else_end(message: Any) -> None:
    """Each byte of them might become an object of eighty."""
    body = packed(message)
    assert unpacked(body) == message
    with pytest.raises(Ended, match=r"sent what is no message|that is more than bytes"):
        unpacked_warily(memoryview(body))


def test_a_long_message_that_lies_about_its_parts_ends() -> None:
    """Lengths beyond the end, lists without one."""
    for head in (b"\x92\xc6\xff\xff\xff\xff", b"\x98", b"\xdd\xff\xff\xff\xff", b"\xc1"):
        with pytest.raises(Ended, match="sent what is no message"):
            unpacked_warily(memoryview(head + b"\x90" * PLAIN_BYTES_MAX))
