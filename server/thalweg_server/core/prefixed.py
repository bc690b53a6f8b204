"""A part of a snapshot for each part of the server, under names of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from thalweg_server.core.storing import Sink, Source


@dataclass(frozen=True, slots=True)
class PrefixedSink:
    """A sink that puts something in front of every name. See `Sink`."""

    sink: Sink
    prefix: str

    def array(self, name: str, values: NDArray[Any]) -> None:
        """See `Sink.array`."""
        self.sink.array(self.prefix + name, values)

    def data(self, name: str, payload: bytes) -> None:
        """See `Sink.data`."""
        self.sink.data(self.prefix + name, payload)

    def dump(self, name: str, version: int, make: Callable[[], bytes]) -> None:
        """See `Sink.dump`."""
        self.sink.dump(self.prefix + name, version, make)


@dataclass(frozen=True, slots=True)
class PrefixedSource:
    """What a `PrefixedSink` wrote. See `Source`."""

    source: Source
    prefix: str

    def array(self, name: str) -> NDArray[Any]:
        """See `Source.array`."""
        return self.source.array(self.prefix + name)

    def fill(self, name: str, room: Callable[[int], NDArray[Any]]) -> None:
        """See `Source.fill`."""
        self.source.fill(self.prefix + name, room)

    def data(self, name: str) -> bytes:
        """See `Source.data`."""
        return self.source.data(self.prefix + name)
