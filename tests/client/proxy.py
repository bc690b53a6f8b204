"""A TCP proxy that cuts connections: what a bad network does to a good server."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class Proxy:
    """Forwards connections from a free port to `address`.

    Args:
        address: "host:port" of the server.
        cut_after: for each connection in turn the bytes from the server after which it is reset;
            later connections live.
    """

    def __init__(self, address: str, cut_after: list[int]) -> None:
        host, _, port = address.rpartition(":")
        self._server = (host, int(port))
        self._cuts = list(cut_after)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.connections = 0
        self.target = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._open:
            _reset(each)
        self._thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._server)
                self._open += [near, far]
                self.connections += 1
                limit = self._cuts.pop(0) if self._cuts else None
                for pair in ((near, far, None), (far, near, limit)):
                    threading.Thread(target=self._pipe, args=pair, daemon=True).start()

    def _pipe(self, source: socket.socket, sink: socket.socket, limit: int | None) -> None:
        sent = 0
        with suppress(OSError):
            while data := source.recv(65536):
                sent += len(data)
                if limit is not None and sent > limit:
                    break
                sink.sendall(data)
        for each in (source, sink):
            _reset(each)


def _reset(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
