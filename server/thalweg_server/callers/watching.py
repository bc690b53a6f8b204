"""Files that are read anew when they change, and stay in force as they were when that fails."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from thalweg_server.callers.problems import Unusable
from thalweg_server.logs import log

T = TypeVar("T")

CHECK_SECONDS = 1.0
"""Pause between two looks: a revoked token works for no longer than this."""


class Watched(Generic[T]):
    """What some files say.

    Args:
        paths: the files.
        read: makes the value of them; raises `Unusable`.
        use: given the first value and every new one.

    Raises:
        Unusable: the files cannot be used.
    """

    def __init__(
        self, paths: Sequence[Path], read: Callable[[], T], use: Callable[[T], None]
    ) -> None:
        self._paths = paths
        self._read = read
        self._use = use
        # Looked at before it is read: what changes in between is read once more.
        self._seen = self._look()
        use(read())

    def refresh(self) -> None:
        """Reads the files again if they changed; a log line where they cannot be used."""
        now = self._look()
        if now == self._seen:
            return
        self._seen = now
        names = ", ".join(map(str, self._paths))
        try:
            self._use(self._read())
        except Unusable as problem:
            log().error("not reloaded, what was read before stays in force", reason=str(problem))
        else:
            log().info("reloaded", files=names)

    def _look(self) -> list[tuple[int, ...]]:
        return [_identity(path) for path in self._paths]


def _identity(path: Path) -> tuple[int, ...]:
    try:
        status = os.stat(path)  # noqa: PTH116 - of what a link points to
    except OSError as error:
        return (error.errno or 0,)
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_mode
