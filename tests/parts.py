"""A snapshot in memory, to look into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray


class Parts:
    """A sink, and the source of what went into it.

    Args:
        previous: an older snapshot, whose dumps are copied where they are of the same version.

    Attributes:
        made: names of the dumps that were not copied.
    """

    def __init__(self, previous: Parts | None = None) -> None:
        self.arrays: dict[str, NDArray[Any]] = {}
        self.bytes: dict[str, bytes] = {}
        self.dumps: dict[str, tuple[int, bytes]] = {}
        self.made: list[str] = []
        self._previous = previous.dumps if previous else {}

    def array(self, name: str, values: NDArray[Any] | None = None) -> NDArray[Any]:
        """Keeps a copy, or gives one."""
        if values is not None:
            self.arrays[name] = values.copy()
        return self.arrays[name].copy()

    def fill(self, name: str, room: Callable[[int], NDArray[Any]]) -> None:
        """Copies into the room."""
        room(len(self.arrays[name]))[:] = self.arrays[name]

    def data(self, name: str, payload: bytes | None = None) -> bytes:
        """Keeps bytes, or gives them."""
        if payload is not None:
            self.bytes[name] = payload
        return self.bytes[name] if name in self.bytes else self.dumps[name][1]

    def dump(self, name: str, version: int, make: Callable[[], bytes]) -> None:
        """Keeps bytes."""
        if self._previous.get(name, (None,))[0] == version:
            self.dumps[name] = self._previous[name]
        else:
            self.made.append(name)
            self.dumps[name] = version, make()
