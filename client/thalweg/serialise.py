"""Estimators as bytes and back. dill is imported only where it is used."""

from __future__ import annotations

import hashlib
import platform
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from thalweg.errors import ChecksumMismatch, DataLoss, VersionMismatch
from thalweg.v1 import forecaster_pb2 as pb


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A downloaded estimator as bytes, and the versions that wrote them."""

    payload: bytes
    river_version: str
    python_version: str

    def load(self) -> Any:
        """Return the estimator.

        Loading runs code from the bytes: load only what a server you trust sent.

        Raises:
            VersionMismatch: written by another minor version of Python than this one.

        Warns:
            UserWarning: written by another version of River than the one installed here.
        """
        import dill  # noqa: PLC0415 - only who loads estimators needs it

        here = platform.python_version()
        if self.python_version.split(".")[:2] != here.split(".")[:2]:
            raise VersionMismatch(f"made by Python {self.python_version}, this is Python {here}")
        river = _installed_river()
        if river and river != self.river_version:
            message = f"made with River {self.river_version}, installed is River {river}"
            warnings.warn(message, UserWarning, stacklevel=3)
        return dill.loads(self.payload)


def dump(estimator: object) -> bytes:
    """Return the dill bytes of an estimator; bytes are returned as they are."""
    if isinstance(estimator, bytes | bytearray | memoryview):
        return bytes(estimator)
    import dill  # noqa: PLC0415 - only who uploads estimators needs it

    payload: bytes = dill.dumps(estimator, recurse=True)
    return payload


def assemble(chunks: Iterable[pb.DownloadModelResponse]) -> Download:
    """Return the whole of a DownloadModel stream.

    Raises:
        DataLoss: the stream ended early.
        ChecksumMismatch: the bytes are not those the server announced.
    """
    messages = list(chunks)
    if not messages:
        raise DataLoss("the server sent nothing")
    first, payload = messages[0], b"".join(message.chunk for message in messages)
    if len(payload) != first.total_bytes:
        raise DataLoss(f"{len(payload)} of {first.total_bytes} bytes arrived")
    if hashlib.sha256(payload).digest() != first.sha256:
        raise ChecksumMismatch("the downloaded bytes do not have the SHA-256 the server gave")
    return Download(
        payload=payload,
        river_version=first.river_version,
        python_version=first.python_version,
    )


def _installed_river() -> str:
    try:
        return version("river")
    except PackageNotFoundError:
        return ""
