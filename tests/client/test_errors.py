"""Typed errors."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.client.conftest import Connect, StartFake
from thalweg import errors
from thalweg.errors import ThalwegError, class_of
from thalweg.v1 import forecaster_pb2 as pb

PROTO = Path(__file__).parents[2] / "proto/thalweg/v1/forecaster.proto"
REASONS = [
    name for name in pb.ErrorReason.DESCRIPTOR.values_by_name if name != "ERROR_REASON_UNSPECIFIED"
]


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_of_the_contract_has_a_class(reason: Any) -> None:
    """A class of its own, below the class of the status code that the contract names."""
    comment = _comment_of(reason)
    code = grpc.StatusCode[comment.partition(":")[0].split()[0]]
    found = class_of(code, reason)
    assert found.__name__.upper() == reason.removeprefix("ERROR_REASON_").replace("_", "")
    assert found.default_code is code
    assert found is not class_of(code)
    assert issubclass(found, class_of(code))


def _comment_of(reason: str) -> str:
    lines = PROTO.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.strip().startswith(f"{reason} ="))
    return lines[at - 1].strip().removeprefix("// ")


@pytest.mark.parametrize(
    "code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]
)
def test_every_status_code_has_a_class(code: Any) -> None:
    """Errors of the transport are typed too."""
    assert class_of(code) is not ThalwegError
    assert class_of(code).default_code is code


def test_a_reason_newer_than_this_client_falls_back_to_its_code() -> None:
    """A newer server is still understood."""
    assert class_of(grpc.StatusCode.NOT_FOUND, "ERROR_REASON_UNKNOWN_PLANET") is errors.NotFound


def test_an_error_survives_pickling() -> None:
    """So that it can leave a worker process."""
    error = errors.SequenceGap(
        "a gap", reason="ERROR_REASON_SEQUENCE_GAP", metadata={"expected": "7"}
    )
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is errors.SequenceGap
    assert (str(copy), copy.code, copy.reason, copy.metadata) == (
        "a gap",
        grpc.StatusCode.FAILED_PRECONDITION,
        error.reason,
        {"expected": "7"},
    )


def test_all_that_the_server_said_is_there(fake_server: StartFake, connect: Connect) -> None:
    """Code, reason and the time to wait come out of the status details."""
    failure = (grpc.StatusCode.RESOURCE_EXHAUSTED, "ERROR_REASON_LIMIT_REACHED", 1.5)
    with pytest.raises(errors.LimitReached, match="scripted") as caught:
        connect(fake_server(failures=[failure])).predict("m")
    assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert caught.value.reason == "ERROR_REASON_LIMIT_REACHED"
    assert caught.value.retry_after == 1.5


def test_an_rpc_the_server_does_not_have_is_unimplemented(
    fake_server: StartFake, connect: Connect
) -> None:
    """Another server than ours answers with a typed error, too."""
    with pytest.raises(errors.Unimplemented):
        connect(fake_server()).get_model("m")
