"""What a process that enters the jail has open: one connected Unix socket, and nothing else."""

from __future__ import annotations

import contextlib
import os
import socket as sockets
import sys

from thalweg_server.jail.kernel import JailFailed

STANDARD = (0, 1, 2)
"""Input, output and errors."""


def check_socket(number: int) -> None:
    """Raises JailFailed unless the descriptor is a connected Unix socket and none of 0, 1, 2.

    Of a stream or of packets in order: a datagram socket can send to any address.
    """
    if number in STANDARD:
        raise JailFailed(f"the socket is descriptor {number}: pass one above 2")
    try:
        with sockets.socket(fileno=os.dup(number)) as copy:
            fits = copy.type in (sockets.SOCK_STREAM, sockets.SOCK_SEQPACKET)
            if copy.family != sockets.AF_UNIX or not fits:
                raise JailFailed(f"descriptor {number} is no Unix stream: pass one end of a pair")
            copy.getpeername()
    except OSError as error:
        raise JailFailed(
            f"descriptor {number} is no connected socket ({error}): pass one end of a pair"
        ) from error


def leave_only(socket: int) -> None:
    """Closes every other descriptor, whoever uses it, and has 0, 1 and 2 lead nowhere.

    Raises:
        OSError: /proc or /dev/null is missing.
        JailFailed: something was opened meanwhile.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or None
            stream.flush()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in STANDARD:
        os.dup2(nowhere, number)
    for number in _open() - {*STANDARD, socket}:
        with contextlib.suppress(OSError):  # the one that the list itself was read from
            os.close(number)
    left = _open()
    if left != {*STANDARD, socket}:
        raise JailFailed(f"descriptors {sorted(left)} are open, not just 0, 1, 2 and {socket}")


def _open() -> set[int]:
    listed = {int(name) for name in os.listdir("/proc/self/fd")}  # noqa: PTH208
    return {number for number in listed if _is_open(number)}


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
