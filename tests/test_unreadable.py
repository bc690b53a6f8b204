"""Bytes that are no message, and paths that are no rpc: the client is told, in either case."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from tests.wire import SECONDS, Wire, opening, refused
from thalweg.v1 import forecaster_pb2 as pb

BROKEN = [
    pytest.param(b"\xff\xff\xff", id="no message"),
    pytest.param(b"\x0a\x7fm", id="a length beyond the end"),
    pytest.param(b"\x0a\x02\xed\xa0", id="a text that is no UTF-8"),
]


@pytest.mark.parametrize("data", BROKEN)
def test_a_call_with_bytes_that_are_no_message_is_a_bad_request(
    regression: Wire, data: bytes
) -> None:
    """The mistake is the caller's: INVALID_ARGUMENT, not UNKNOWN."""
    call: Any = regression.channel.unary_unary(_path("Predict"))
    with refused("BAD_REQUEST") as seen:
        call(data, timeout=SECONDS)
    assert seen[0].code is grpc.StatusCode.INVALID_ARGUMENT
    assert "could not be decoded" in seen[0].message


@pytest.mark.parametrize("data", BROKEN)
def test_so_it_is_where_the_answer_is_a_stream(regression: Wire, data: bytes) -> None:
    """Before anything is answered."""
    call: Any = regression.channel.unary_stream(_path("PredictMany"))
    with refused("BAD_REQUEST"):
        list(call(data, timeout=SECONDS))


def test_a_stream_ends_with_the_first_message_that_is_none(regression: Wire) -> None:
    """What came before it is answered."""

    def messages() -> Iterator[bytes]:
        yield opening().SerializeToString()
        yield b"\xff\xff\xff"

    call: Any = regression.channel.stream_stream(_path("StreamLearn"))
    answers = call(messages(), timeout=SECONDS)
    assert pb.StreamLearnResponse.FromString(next(answers)).opened.max_batch_rows
    with refused("BAD_REQUEST"):
        next(answers)


@pytest.mark.parametrize("path", ["/x", "/", "/thalweg.v1.Forecaster/Guess", "//"])
def test_a_path_that_is_no_rpc_is_unimplemented(regression: Wire, path: str) -> None:
    """One without a service as well as one without such a method."""
    call: Any = regression.channel.unary_unary(path)
    with pytest.raises(grpc.RpcError) as raised:
        call(b"", timeout=SECONDS)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def _path(method: str) -> str:
    return f"/thalweg.v1.Forecaster/{method}"
