"""What goes between the server and a worker: MessagePack, each message behind its length.

The server does not trust what comes from a worker: a message is bounded, and says nothing but
plain values.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgpack

LENGTH = struct.Struct(">I")

MESSAGE_BYTES_MAX = 1 << 30
"""Of one message: the largest estimator, with room for its state to grow."""

READ_BYTES = 1 << 16

KEPT_BYTES_MAX = 1 << 20
"""Of a message whose packer is used again: its buffer stays as large as the longest was."""

PLAIN_BYTES_MAX = 1 << 20
"""Of what a wary side takes apart: each byte may become an object of eighty. No reply to a caller
is longer."""

PARTS_MAX = 8
"""Of a longer message, to a wary side: byte strings, and little beside."""

BYTES_HEAD = struct.Struct(">BI")
"""MessagePack's, of byte strings of more than 64 KiB: a type and a length."""

BYTES_TYPE = 0xC6


class Ended(Exception):
    """The other side is gone, or has sent what is no message; goes on after "its worker"."""


class Closed(Ended):
    """The other side is gone."""


def packed(message: Any) -> bytes:
    """Bytes of a plain value. What else an estimator answers goes as its text."""
    body: bytes = _OWN.packer.pack(message)
    if len(body) > KEPT_BYTES_MAX:
        _OWN.packer = _packer()
    return body


def unpacked(body: bytes | memoryview) -> Any:
    """The plain value of bytes; raises Ended where they are none."""
    try:
        return msgpack.unpackb(
            body, strict_map_key=False, unicode_errors="surrogatepass", max_ext_len=0
        )
    except Exception as error:  # msgpack lets through whatever it meets
        raise Ended(f"sent what is no message: {error}") from error


def unpacked_warily(body: memoryview) -> Any:
    """As `unpacked`; a long message is a list of byte strings, with little beside."""
    if len(body) <= PLAIN_BYTES_MAX:
        return unpacked(body)
    try:
        parts = _parts(body)
    except Exception as error:  # msgpack lets through whatever it meets
        raise Ended(f"sent what is no message: {error}") from error
    plain = [None if _is_long(part) else part for part in parts]
    if sum(len(part) for part in plain if part is not None) > PLAIN_BYTES_MAX:
        raise Ended(f"sent a message of {len(body):,} bytes that is more than bytes")
    return [
        bytes(part[BYTES_HEAD.size :]) if short is None else unpacked(short)
        for part, short in zip(parts, plain, strict=True)
    ]


def _parts(body: memoryview) -> list[memoryview]:
    """The elements of a list, each as it was sent; raises whatever msgpack does."""
    unpacker = msgpack.Unpacker(max_buffer_size=len(body), strict_map_key=False)
    unpacker.feed(body)
    count = unpacker.read_array_header()
    if count > PARTS_MAX:
        raise ValueError(f"it has {count:,} parts")
    places = [unpacker.tell()]
    for _ in range(count):
        unpacker.skip()
        places.append(unpacker.tell())
    if places[-1] != len(body):
        raise ValueError("there is more behind it")
    return [body[begin:end] for begin, end in pairwise(places)]


def _is_long(part: memoryview) -> bool:
    return part[0] == BYTES_TYPE


class Channel:
    """One end of a connection. One thread at a time.

    Args:
        connection: a Unix socket, which is the channel's from now on.
        wait: called where nothing has come or gone for some milliseconds, and between the pieces
            of a long message; what it raises ends the waiting. None = nobody is.
        wary: whether the other side may mean harm.
    """

    def __init__(
        self,
        connection: socket.socket,
        wait: Callable[[], None] | None = None,
        *,
        wary: bool = False,
    ) -> None:
        connection.setblocking(True)
        self._socket = connection
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)
        self._unpacked = unpacked_warily if wary else unpacked
        self._left = b""
        self.wait = wait
        if wait is not None:
            for direction in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                connection.setsockopt(socket.SOL_SOCKET, direction, WAIT)

    def send(self, message: Any) -> None:
        """Sends a plain value; raises Ended."""
        self.send_packed(packed(message))

    def send_packed(self, *bodies: bytes) -> None:
        """Sends what `packed` has made, in one go; raises Ended."""
        left = memoryview(b"".join(part for body in bodies for part in (_head(body), body)))
        while left:
            try:
                left = left[self._socket.send(left) :]
                if not left:
                    return
            except BlockingIOError:
                pass
            except OSError as error:
                raise Closed(f"is gone: {error}") from error
            self._wait()

    def receive(self) -> Any:
        """The next message; raises Ended."""
        data = self._left or self._read()
        while len(data) < LENGTH.size:
            data += self._read()
        (length,) = LENGTH.unpack_from(data)
        if length > MESSAGE_BYTES_MAX:
            raise Ended(f"sent a message of {length:,} bytes, and {MESSAGE_BYTES_MAX:,} may be")
        end = LENGTH.size + length
        if len(data) < end:
            data = self._rest(data, end)
        self._left = data[end:]
        return self._unpacked(memoryview(data)[LENGTH.size : end])

    @property
    def is_quiet(self) -> bool:
        """Whether the other side is there and has sent nothing that was not asked for."""
        return not self._left and not self._poll.poll(0)

    def close(self) -> None:
        """Closes the socket; idempotent."""
        self._socket.close()

    def _rest(self, data: bytes, end: int) -> bytes:
        pieces, missing = [data], end - len(data)
        while missing > 0:
            pieces.append(self._read())
            missing -= len(pieces[-1])
            self._wait()  # or what comes byte by byte could take for ever
        return b"".join(pieces)

    def _read(self) -> bytes:
        while True:
            try:
                piece = self._socket.recv(READ_BYTES)
            except BlockingIOError:
                self._wait()
                continue
            except OSError as error:
                raise Closed(f"is gone: {error}") from error
            if not piece:
                raise Closed("has closed its end")
            return piece

    def _wait(self) -> None:
        if self.wait is not None:
            self.wait()


WAIT = struct.pack("@ll", 0, 2_000)
"""Seconds and microseconds of a wait: others' calls are answered in between."""


def _head(body: bytes) -> bytes:
    if len(body) > MESSAGE_BYTES_MAX:
        raise ValueError(f"a message of {len(body)} bytes is over {MESSAGE_BYTES_MAX}")
    return LENGTH.pack(len(body))


def _plain(value: Any) -> str:
    return str(value)


def _packer() -> msgpack.Packer:
    return msgpack.Packer(default=_plain, unicode_errors="surrogatepass")


class _Own(threading.local):
    """Each thread's packer: to make one, with its buffer, takes longer than most messages do."""

    def __init__(self) -> None:
        self.packer = _packer()


_OWN = _Own()
