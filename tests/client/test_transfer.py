"""Estimators on their way: checksums and versions."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import version
from typing import Any

import dill
import pytest

from tests.client.conftest import AConnect, Connect, StartFake
from thalweg.errors import ChecksumMismatch, DataLoss, VersionMismatch
from thalweg.v1 import forecaster_pb2 as pb


def chunks(payload: bytes, **first: Any) -> list[pb.DownloadModelResponse]:
    """Return a download in two messages; `first` overrides what the first one says."""
    half = len(payload) // 2
    head = {
        "total_bytes": len(payload),
        "sha256": hashlib.sha256(payload).digest(),
        "river_version": version("river"),
        "python_version": platform.python_version(),
    } | first
    return [
        pb.DownloadModelResponse(chunk=payload[:half], **head),
        pb.DownloadModelResponse(chunk=payload[half:]),
    ]


PAYLOAD = dill.dumps({"learned": 3})


def test_an_upload_carries_its_checksum(fake_server: StartFake, connect: Connect) -> None:
    """SHA-256 of exactly what is sent, bytes and estimators alike."""
    server = fake_server()
    client = connect(server)
    client.upload_model("m", PAYLOAD)
    client.upload_model("m", {"any": "object"})
    first, second = server.fake.requests
    assert first.payload == PAYLOAD
    assert dill.loads(second.payload) == {"any": "object"}
    for request in (first, second):
        assert request.sha256 == hashlib.sha256(request.payload).digest()


def test_a_download_is_put_together(fake_server: StartFake, connect: Connect) -> None:
    """Bytes, or what they hold."""
    client = connect(fake_server(download=chunks(PAYLOAD)))
    assert client.download_model("m") == PAYLOAD
    assert client.download_model("m", load=True) == {"learned": 3}


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (chunks(PAYLOAD)[:1], DataLoss),
        ([], DataLoss),
        (chunks(PAYLOAD, sha256=b"0" * 32), ChecksumMismatch),
    ],
)
async def test_a_damaged_download_is_an_error(
    fake_server: StartFake, connect: Connect, aconnect: AConnect, answer: Any, error: Any
) -> None:
    """Never half an estimator."""
    server = fake_server(download=answer)
    with pytest.raises(error):
        connect(server).download_model("m")
    with pytest.raises(error):
        await aconnect(server).download_model("m")


def test_another_python_is_refused_another_river_is_named(
    fake_server: StartFake, connect: Connect
) -> None:
    """Bytecode of another Python may crash; another River mostly works. Bytes are bytes."""
    client = connect(fake_server(download=chunks(PAYLOAD, python_version="2.7.18")))
    assert client.download_model("m") == PAYLOAD
    with pytest.raises(VersionMismatch, match=r"2\.7\.18"):
        client.download_model("m", load=True)
    client = connect(fake_server(download=chunks(PAYLOAD, river_version="0.1.0")))
    with pytest.warns(UserWarning, match=r"River 0\.1\.0"):
        client.download_model("m", load=True)
