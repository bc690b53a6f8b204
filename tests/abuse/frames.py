"""HTTP/2 by hand, for what no well-behaved library sends: frames as bytes, and a peer on a socket.

Header blocks are plain literals: no tables, no Huffman coding, so that a block's size on the wire
is the size that was asked for.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0,
    1,
    3,
    4,
    6,
    7,
    8,
    9,
)
END_STREAM, END_HEADERS, ACK = 1, 4, 1
CANCEL = 8
INITIAL_WINDOW_SIZE = 4
FRAME_BYTES_MAX = 16_384

STRANGER = "127.0.0.2"
"""Where hostile clients come from: on loopback, too, an address other than everybody's."""

Header = tuple[bytes, bytes]


def frame(kind: int, stream: int, payload: bytes = b"", flags: int = 0) -> bytes:
    """One frame."""
    length = struct.pack(">I", len(payload))[1:]
    return length + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def block(headers: Iterable[Header]) -> bytes:
    """A header block of literals that enter no table."""
    return b"".join(b"\x00" + _text(name) + _text(value) for name, value in headers)


def call_headers(path: str, *more: Header) -> bytes:
    """The header block of a gRPC call."""
    usual = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path.encode()),
        (b":authority", b"localhost"),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
    ]
    return block([*usual, *more])


def message(payload: bytes) -> bytes:
    """A gRPC message with its prefix."""
    return b"\x00" + struct.pack(">I", len(payload)) + payload


def call(stream: int, path: str, *more: Header, end: bool = False) -> bytes:
    """The frames that begin a call, in as many as its headers need."""
    rest = call_headers(path, *more)
    parts = [rest[i : i + FRAME_BYTES_MAX] for i in range(0, len(rest), FRAME_BYTES_MAX)]
    sent = b""
    for number, part in enumerate(parts):
        last = END_HEADERS if number == len(parts) - 1 else 0
        kind, flags = (CONTINUATION, 0) if number else (HEADERS, END_STREAM if end else 0)
        sent += frame(kind, stream, part, flags | last)
    return sent


def data(stream: int, payload: bytes, *, end: bool = False) -> bytes:
    """Bytes of a call in as many frames as they need; flow control is up to the caller."""
    parts = [payload[i : i + FRAME_BYTES_MAX] for i in range(0, len(payload), FRAME_BYTES_MAX)]
    sent = [frame(DATA, stream, part) for part in parts[:-1]]
    return b"".join(sent) + frame(DATA, stream, parts[-1], END_STREAM if end else 0)


def reset(stream: int) -> bytes:
    """The frame that cancels a call."""
    return frame(RST_STREAM, stream, struct.pack(">I", CANCEL))


def settings(*pairs: tuple[int, int]) -> bytes:
    """A SETTINGS frame."""
    return frame(SETTINGS, 0, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def window(stream: int, size: int) -> bytes:
    """A WINDOW_UPDATE frame."""
    return frame(WINDOW_UPDATE, stream, struct.pack(">I", size))


def _text(value: bytes) -> bytes:
    size = len(value)
    if size < 127:
        return bytes((size,)) + value
    number, size = b"\x7f", size - 127
    while size >= 128:
        number, size = number + bytes((size % 128 + 128,)), size // 128
    return number + bytes((size,)) + value


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame that came."""

    kind: int
    flags: int
    stream: int
    payload: bytes


class Closed(Exception):
    """The server has ended the connection."""


class Peer:
    """A client's end of a connection, which sends whatever it is told to.

    Args:
        address: host:port of the server.
        hello: settings to open with; None = nothing at all is sent.
    """

    def __init__(self, address: str, hello: Sequence[tuple[int, int]] | None = ()) -> None:
        host, port = address.rsplit(":", 1)
        source = (STRANGER, 0) if host == "127.0.0.1" else None
        self.socket = socket.create_connection((host, int(port)), timeout=20, source_address=source)
        self._buffer = b""
        self.closed = False
        if hello is not None:
            self.send(PREFACE + settings(*hello) + frame(SETTINGS, 0, b"", ACK))

    def send(self, sent: bytes) -> Self:
        """Sends bytes; raises Closed where the server does not take them."""
        try:
            self.socket.sendall(sent)
        except TimeoutError:
            raise
        except OSError as error:
            self.closed = True
            raise Closed(str(error)) from error
        return self

    def poll(self) -> list[Frame]:
        """The frames that have come by now; raises Closed after the last one."""
        frames: list[Frame] = []
        try:
            while not self.closed and self._readable(0.0):
                self._read()
        except OSError:
            self.closed = True
        frames += self._frames()
        if self.closed and not frames:
            raise Closed("the server closed the connection")
        return frames

    def frames(self, seconds: float) -> Iterator[Frame]:
        """Frames as they come, until the connection or the time is over."""
        end = time.monotonic() + seconds
        with contextlib.suppress(Closed):
            while time.monotonic() < end:
                found = self.poll()
                yield from found
                if not found:
                    self._readable(max(0.0, end - time.monotonic()))

    def wait_closed(self, seconds: float) -> bool:
        """Whether the server ends the connection within this time."""
        for _ in self.frames(seconds):
            pass
        return self.closed

    def close(self) -> None:
        """Lets go of the connection."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _readable(self, seconds: float) -> bool:
        # Unlike select(), poll() takes descriptors above 1,023.
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def _read(self) -> None:
        came = self.socket.recv(1 << 20)
        self._buffer += came
        self.closed = not came

    def _frames(self) -> Iterator[Frame]:
        while len(self._buffer) >= 9:
            size = int.from_bytes(self._buffer[:3], "big")
            if len(self._buffer) < 9 + size:
                return
            kind, flags = self._buffer[3], self._buffer[4]
            stream = int.from_bytes(self._buffer[5:9], "big") & 0x7FFFFFFF
            yield Frame(kind, flags, stream, self._buffer[9 : 9 + size])
            self._buffer = self._buffer[9 + size :]
