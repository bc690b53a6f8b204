"""A network between a client and a server that breaks at a message, and loses what was said.

It reads along: gRPC's messages travel in HTTP/2 frames, and one frame may carry several. Frames and
messages each have a head that says how long they are.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

PREFACE_BYTES, FRAME_HEAD_BYTES, MESSAGE_HEAD_BYTES = 24, 9, 5
DATA, HEADERS = 0, 1
END_STREAM = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """How the first connection breaks.

    Args:
        towards: who does not get something.
        messages: whether that is a message, or else one of the frames that carry none,
        passed: after so many of that kind,
        part: and this part of it.
        lossy: the connection stays, and loses all that follows, until a message is among it or
            the end of a call.
    """

    towards: Literal["server", "client"]
    messages: bool
    passed: int = 0
    part: float = 0.0
    lossy: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A message, with the head of its frame where it is the first in there, or another frame.

    Args:
        data: its bytes.
        message: whether it is a message.
        last: whether it ends a call.
    """

    data: bytes
    message: bool
    last: bool


@dataclass(slots=True)
class Network:
    """Forwards connections from a free port to `address`. A context manager.

    Args:
        address: "host:port" of the server.
        first: how the first connection breaks; the others live.

    Attributes:
        target: where clients connect.
        broken: whether it came to that.
    """

    address: str
    first: Break
    target: str = ""
    broken: bool = False
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _sockets: list[socket.socket] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.target = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._run(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _reset(self._listener)
        for each in self._sockets:
            _reset(each)
        for thread in self._threads:
            thread.join()

    def _run(self, function: object, *args: object) -> None:
        thread = threading.Thread(target=function, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        host, _, port = self.address.rpartition(":")
        first = True
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection((host, int(port)))
                self._sockets += [near, far]
                self._run(self._forward, near, far, first and self.first.towards == "server")
                self._run(self._forward, far, near, first and self.first.towards == "client")
                first = False

    def _forward(self, source: socket.socket, sink: socket.socket, breaks: bool) -> None:
        with suppress(OSError):
            if breaks:
                self._break(source, sink)
            else:
                while data := source.recv(65_536):
                    sink.sendall(data)
        for each in (source, sink):
            _reset(each)

    def _break(self, source: socket.socket, sink: socket.socket) -> None:
        first, passed = self.first, 0
        for piece in _pieces(source, preface=first.towards == "server"):
            if not self.broken and (piece.message != first.messages or passed < first.passed):
                passed += piece.message == first.messages
                sink.sendall(piece.data)
                continue
            self.broken = True
            if not first.lossy:
                sink.sendall(piece.data[: int(len(piece.data) * first.part)])
            if not first.lossy or piece.message or piece.last:
                return


def _pieces(source: socket.socket, *, preface: bool) -> Iterator[Piece]:
    """What comes, piece by piece; a client says what it speaks before the first."""
    with source.makefile("rb") as file:
        begin = file.read(PREFACE_BYTES) if preface else b""
        while head := file.read(FRAME_HEAD_BYTES):
            body = file.read(int.from_bytes(head[:3], "big"))
            kind, flags = head[3], head[4]
            if kind == DATA and body:
                yield from _messages(head, body)
            else:
                last = kind == HEADERS and bool(flags & END_STREAM)
                yield Piece(begin + head + body, message=False, last=last)
            begin = b""


def _messages(head: bytes, body: bytes) -> Iterator[Piece]:
    while body:
        size = MESSAGE_HEAD_BYTES + int.from_bytes(body[1:MESSAGE_HEAD_BYTES], "big")
        assert size <= len(body), "tests send no messages that need several frames"
        yield Piece(head + body[:size], message=True, last=False)
        head, body = b"", body[size:]


def _reset(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
