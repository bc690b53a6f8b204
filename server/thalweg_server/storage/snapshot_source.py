"""Reading a snapshot: a part is given away only when its checksum is right.

Parts are read straight into their own memory: `zipfile` finds them, and would copy them twice.
"""

from __future__ import annotations

import contextlib
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.errors import CorruptStorage
from thalweg_server.storage.manifest import MANIFEST, Manifest

PIECE_BYTES = 1 << 20
"""Read at once: still in the processor's cache when its checksum is taken."""

HEADER_BYTES_MAX = 1_024
"""Of an array's description, which says its type and shape."""

_LOCAL = b"PK\x03\x04"
"""How a member begins: 30 bytes, its name, then what else is noted of it."""


def array_member(name: str) -> str:
    """The member that an array is in."""
    return f"arrays/{name}.npy"


def data_member(name: str) -> str:
    """The member that bytes are in."""
    return f"data/{name}"


def chunk_member(number: int) -> str:
    """The member that some of the dumps are in."""
    return f"dumps/{number:08}"


class SnapshotSource:
    """Reads a snapshot's parts. See `core.ports.Source`.

    Every method raises CorruptStorage where what it needs is damaged. Holds no file open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._guarded("its directory"):
            with zipfile.ZipFile(path) as archive:
                self._members = {info.filename: info for info in archive.infolist()}
            self.manifest = Manifest.from_json(bytes(self._read(MANIFEST)), path)
            self._check_members()
            dumps = self.manifest.dumps
            self._dumps = {name: place for place, name in enumerate(dumps.names)}
        self._chunk: tuple[int, bytearray] = (-1, bytearray())

    def array(self, name: str) -> NDArray[Any]:
        """See `Source.array`."""
        return self._array(name, np.empty)

    def fill(self, name: str, room: Callable[[int], NDArray[Any]]) -> None:
        """See `Source.fill`."""

        def memory(shape: tuple[int, ...], kind: np.dtype[Any]) -> NDArray[Any]:
            there = room(shape[0])
            if there.shape != shape or there.dtype != kind:
                raise ValueError(f"it is {shape} of {kind}, not {there.shape} of {there.dtype}")
            return there

        self._array(name, memory)

    def _array(
        self, name: str, memory: Callable[[tuple[int, ...], np.dtype[Any]], NDArray[Any]]
    ) -> NDArray[Any]:
        member = array_member(name)
        size = self._size(member)
        with self._guarded(member), self.path.open("rb", buffering=0) as file:
            start = self._start(file, member)
            head = io.BytesIO(file.read(min(size, HEADER_BYTES_MAX)))
            values = memory(*_described(head, size))
            header = head.getvalue()[: head.tell()]
            file.seek(start + len(header))
            crc = _fill(file, values.reshape(-1).view(np.uint8), zlib.crc32(header))
            self._check(member, crc)
        return values

    def data(self, name: str) -> bytes:
        """See `Source.data`."""
        if name in self._dumps:
            return self._dump(self._dumps[name])
        member = data_member(name)
        self._size(member)
        with self._guarded(member):
            return bytes(self._read(member))

    def dumped(self, name: str, version: int) -> bytes | None:
        """A dump, where there is one of that name and version."""
        place = self._dumps.get(name)
        if place is None or self.manifest.dumps.versions[place] != version:
            return None
        return self._dump(place)

    def verify(self) -> None:
        """Reads every member."""
        memory = np.empty(PIECE_BYTES, np.uint8)
        for member, info in self._members.items():
            with self._guarded(member), self.path.open("rb", buffering=0) as file:
                self._start(file, member)
                crc = 0
                for left in range(info.file_size, 0, -PIECE_BYTES):
                    crc = _fill(file, memory[: min(left, PIECE_BYTES)], crc)
                self._check(member, crc)

    def _dump(self, place: int) -> bytes:
        dumps = self.manifest.dumps
        number, start = dumps.chunks[place], dumps.starts[place]
        if self._chunk[0] != number:  # asked for in the order in which they were written
            with self._guarded(chunk_member(number)):
                self._chunk = number, self._read(chunk_member(number))
        return bytes(self._chunk[1][start : start + dumps.lengths[place]])

    def _check_members(self) -> None:
        sizes = {name: info.file_size for name, info in self._members.items() if name != MANIFEST}
        if odd := sorted(dict(sizes.items() ^ self.manifest.members.items())):
            raise ValueError(f"{odd[0]} is missing or of another size")
        dumps = self.manifest.dumps
        if len({*map(len, (getattr(dumps, each) for each in dumps.__slots__))}) != 1:
            raise ValueError("its list of dumps is broken")

    def _size(self, member: str) -> int:
        return self._members[member].file_size

    def _read(self, member: str) -> bytearray:
        payload = bytearray(self._size(member))
        with self.path.open("rb", buffering=0) as file:
            self._start(file, member)
            self._check(member, _fill(file, np.frombuffer(payload, np.uint8), 0))
        return payload

    def _start(self, file: BinaryIO, member: str) -> int:
        """Goes to where a member's bytes begin."""
        info = self._members[member]
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise ValueError("it is compressed")
        file.seek(info.header_offset)
        local = file.read(30)
        if not local.startswith(_LOCAL):
            raise ValueError("it does not begin where it should")
        noted = int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
        return file.seek(noted, io.SEEK_CUR)

    def _check(self, member: str, crc: int) -> None:
        if crc != self._members[member].CRC:
            raise ValueError("it does not match its checksum")

    @contextlib.contextmanager
    def _guarded(self, part: str) -> Iterator[None]:
        """Says where the damage is. Damaged bytes make `zipfile` raise almost anything."""
        try:
            yield
        except CorruptStorage:
            raise
        except Exception as error:
            raise CorruptStorage(
                f"snapshot {self.path} is damaged: {part}: {error}. Delete it to start from the "
                "snapshot before it, or from the log if that is whole"
            ) from error


def _described(head: io.BytesIO, size: int) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """An array's shape and type, by its description, behind which it leaves `head`."""
    if np.lib.format.read_magic(head) != (1, 0):
        raise ValueError("it is of another format")
    shape, fortran, kind = np.lib.format.read_array_header_1_0(head)
    count = 1
    for length in shape:
        count *= length
    if fortran or kind.hasobject or head.tell() + count * kind.itemsize != size:
        raise ValueError("its description does not fit its size")
    return shape, kind


def _fill(file: BinaryIO, memory: NDArray[np.uint8], crc: int) -> int:
    """Reads as much as the memory holds; returns the checksum, continued from another."""
    whole, done = memory.data, 0
    while done < len(whole):
        count = file.readinto(whole[done : done + PIECE_BYTES])  # type: ignore[attr-defined]
        if not count:
            raise ValueError("the file ends in it")
        crc = zlib.crc32(whole[done : done + count], crc)
        done += count
    return crc
