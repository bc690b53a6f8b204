"""A page of memory that a worker shares with the server: which item it is at.

When a worker ends, that is what it ended over. Replies can then wait for each other, and go
together.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
from typing import IO

_NUMBER = struct.Struct("@Q")


def shared_page() -> IO[bytes]:
    """A file of one page, to be mapped by both sides; gone with the last of them."""
    if hasattr(os, "memfd_create"):
        file: IO[bytes] = os.fdopen(os.memfd_create("thalweg-progress"), "w+b")
    else:
        file = tempfile.TemporaryFile()  # noqa: SIM115 -- it is the caller's
    file.truncate(mmap.PAGESIZE)
    return file


class Progress:
    """A count of items begun.

    Args:
        file: number of the file to map; may be closed afterwards.
    """

    __slots__ = ("_page", "_put")

    def __init__(self, file: int) -> None:
        self._page = mmap.mmap(file, mmap.PAGESIZE)
        self._put = _NUMBER.pack_into

    def begin(self, item: int) -> None:
        """Notes that an item is begun."""
        self._put(self._page, 0, item)

    @property
    def item(self) -> int:
        """The item begun last."""
        number: int = _NUMBER.unpack_from(self._page)[0]
        return number

    def close(self) -> None:
        """Lets go of the page."""
        self._page.close()
