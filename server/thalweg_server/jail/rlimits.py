"""Resource limits of a jailed process."""

from __future__ import annotations

import os
import resource
from pathlib import Path

DESCRIPTORS_MAX = 5
"""Numbers that a new descriptor could have: those of 0 to 2 and the socket. Not fewer, because
`poll` takes no more sockets than this."""

NOTHING = (
    "RLIMIT_CORE",  # a core file would hold other models
    "RLIMIT_FSIZE",
    "RLIMIT_NPROC",  # for root it is seccomp alone that refuses new processes
    "RLIMIT_MEMLOCK",
    "RLIMIT_MSGQUEUE",
    "RLIMIT_NICE",
    "RLIMIT_RTPRIO",
)
"""What the process gets none of, by name: other systems lack some."""


def mapped_bytes() -> int:
    """The size of this process's address space.

    Raises:
        OSError: /proc is not mounted.
    """
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")


def restrict(memory_bytes: int) -> None:
    """Sets the limits of this process, soft and hard; what is stricter already stays.

    Args:
        memory_bytes: how far its address space may grow from now on.

    Raises:
        OSError: /proc is not mounted, or the kernel did not take a limit.
    """
    _limit(resource.RLIMIT_AS, mapped_bytes() + memory_bytes)
    _limit(resource.RLIMIT_NOFILE, DESCRIPTORS_MAX)
    for kind in NOTHING:
        _limit(getattr(resource, kind), 0)


def _limit(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(kind, (most, most))
