"""Writing a snapshot: a ZIP64 file of arrays, data and dumps, nothing of it compressed.

A ZIP file has a CRC-32 per member, and any tool can look into it. `numpy.load` reads its arrays.
"""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.errors import CorruptStorage
from thalweg_server.core.events import Progress
from thalweg_server.storage.manifest import MANIFEST, Dumps, Manifest
from thalweg_server.storage.snapshot_source import (
    SnapshotSource,
    array_member,
    chunk_member,
    data_member,
)

PIECE_BYTES = 1 << 22
"""Written at once: what is read for the checksum is still in the processor's cache."""

CHUNK_BYTES = 1 << 23
"""Dumps that share a member: thousands of small ones take no longer than their bytes."""


class SnapshotSink:
    """Writes a snapshot's parts into a file. See `core.ports.Sink`.

    Args:
        file: where to; empty, and can be searched.
        previous: an older snapshot of the same run of the server, whose dumps may be copied.
    """

    def __init__(self, file: BinaryIO, previous: SnapshotSource | None) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True)
        self._previous = previous
        self._dumps = Dumps()
        self._chunk = io.BytesIO()
        self._chunks = 0

    def array(self, name: str, values: NDArray[Any]) -> None:
        """See `Sink.array`."""
        header = io.BytesIO()
        whole = np.asarray(values, order="C")
        np.lib.format.write_array_header_1_0(
            header, np.lib.format.header_data_from_array_1_0(whole)
        )
        self._member(array_member(name), header.getvalue(), whole.reshape(-1).view(np.uint8).data)

    def data(self, name: str, payload: bytes) -> None:
        """See `Sink.data`."""
        self._member(data_member(name), payload)

    def dump(self, name: str, version: int, make: Callable[[], bytes]) -> None:
        """See `Sink.dump`."""
        payload = self._copied(name, version)
        if payload is None:
            payload = make()
        dumps = self._dumps
        dumps.names.append(name)
        dumps.versions.append(version)
        dumps.chunks.append(self._chunks)
        dumps.starts.append(self._chunk.tell())
        dumps.lengths.append(len(payload))
        self._chunk.write(payload)
        if self._chunk.tell() >= CHUNK_BYTES:
            self._end_chunk()

    def finish(self, progress: Progress, versions: Mapping[str, str], created: float) -> None:
        """Writes what there is to say of it all, and closes."""
        self._end_chunk()
        members = {info.filename: info.file_size for info in self._zip.infolist()}
        manifest = Manifest(progress, dict(versions), created, members, self._dumps)
        self._member(MANIFEST, manifest.to_json())
        self._zip.close()

    def close(self) -> None:
        """Gives up what is not finished; idempotent."""
        with contextlib.suppress(Exception):  # the file is of no use, whatever is written now
            self._zip.close()

    def _copied(self, name: str, version: int) -> bytes | None:
        if self._previous is None:
            return None
        try:
            return self._previous.dumped(name, version)
        except CorruptStorage:
            return None

    def _end_chunk(self) -> None:
        self._member(chunk_member(self._chunks), self._chunk.getbuffer())
        self._chunk, self._chunks = io.BytesIO(), self._chunks + 1

    def _member(self, name: str, *parts: bytes | memoryview) -> None:
        with self._zip.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
            for part in parts:
                whole = memoryview(part)
                for start in range(0, len(whole), PIECE_BYTES):
                    member.write(whole[start : start + PIECE_BYTES])
