"""Every rpc x every role, over a real server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FileDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from tests.callers.conftest import Guarded
from tests.wire import SECONDS
from thalweg.v1 import forecaster_pb2 as pb
from thalweg.v1 import forecaster_pb2_grpc as rpc
from thalweg_server.callers.identity import Role
from thalweg_server.callers.roles import RIGHTS, needed

P, L, U, C, A = Role.PREDICT, Role.LEARN, Role.UPLOAD, Role.UPLOAD_CODE, Role.ADMIN

# Who may call what: written out once more, for a table that is compared with itself is never wrong.
MAY = {
    "Init": {P, L, U, C, A},
    "UploadModel": {U, C, A},
    "Predict": {P, A},
    "Learn": {L, A},
    "StreamLearn": {L, A},
    "PredictMany": {P, A},
    "ListModels": {P, A},
    "GetModel": {P, A},
    "DownloadModel": {U, C, A},
    "DeleteModel": {U, C, A},
    "WatchScores": {P, A},
}
# Requests that do not end with their first message would keep a stream open.
REQUESTS: dict[str, Any] = {"WatchScores": pb.WatchScoresRequest(models=["nix"])}


def methods(*files: FileDescriptor) -> Iterator[str]:
    """Yield the full name of every rpc of every service of some files."""
    for each in files:
        for service in each.services_by_name.values():
            yield from (f"/{service.full_name}/{method.name}" for method in service.methods)


OURS = list(methods(pb.DESCRIPTOR))
OPEN = list(methods(health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR))


def test_every_rpc_has_a_row() -> None:
    """A new rpc without a row in either table fails here."""
    assert set(RIGHTS) == {*OURS, *OPEN}
    assert {f"/thalweg.v1.Forecaster/{name}" for name in MAY} == set(OURS)


def test_an_rpc_without_a_row_asks_for_admin() -> None:
    """What somebody forgot is shut, not open."""
    assert needed("/thalweg.v1.Forecaster/Forgotten") is Role.ADMIN


@pytest.mark.parametrize("method", OURS)
def test_a_caller_may_what_its_role_says_and_no_more(method: str, guarded: Guarded) -> None:
    """Each role alone: let in, or PERMISSION_DENIED that names the role to ask for."""
    name = method.rpartition("/")[2]
    for role in Role:
        seen = guarded.ask(method, REQUESTS.get(name, b""), guarded.file.tokens[role.value])
        if role in MAY[name]:
            assert seen is None or seen.reason not in ("BAD_TOKEN", "ROLE_MISSING"), (role, seen)
        else:
            assert seen is not None
            assert (seen.reason, seen.code) == (
                "ROLE_MISSING",
                grpc.StatusCode.PERMISSION_DENIED,
            ), role
            assert seen.metadata == {"role": str(needed(method))}
            assert repr(role.value) in seen.message and f"--role {needed(method)}" in seen.message


@pytest.mark.parametrize("method", OURS)
@pytest.mark.parametrize("which", ["none", "wrong", "empty", "expired", "revoked"])
def test_without_a_good_token_nobody_may_anything(
    method: str, which: str, guarded: Guarded
) -> None:
    """UNAUTHENTICATED, with how to send one and without the one that was sent."""
    given = {"none": None, "wrong": "thl_wrong", "empty": ""}
    token = given[which] if which in given else guarded.file.tokens[which]
    seen = guarded.ask(method, b"", token)
    assert seen is not None
    assert (seen.reason, seen.code) == ("BAD_TOKEN", grpc.StatusCode.UNAUTHENTICATED)
    assert "authorization: Bearer" in seen.message and "thalweg token new" in seen.message
    assert not token or token not in seen.message


@pytest.mark.parametrize("method", OPEN)
def test_health_and_reflection_ask_for_no_token(method: str, guarded: Guarded) -> None:
    """Nor do they look at a wrong one. (gRPC's own health service does not implement List.)"""
    for token in (None, "thl_wrong"):
        seen = guarded.ask(method, b"", token)
        assert seen is None or seen.code is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(
    ("request_", "changes"),
    [
        (pb.InitRequest(), False),
        (pb.InitRequest(flavor=pb.FLAVOR_REGRESSION), False),
        (pb.InitRequest(flavor=pb.FLAVOR_REGRESSION, reset=True), True),
        (pb.InitRequest(reset=True), True),
        (pb.InitRequest(flavor=pb.FLAVOR_BINARY), True),
    ],
    ids=["report", "the same flavor", "reset", "reset alone", "another flavor"],
)
def test_only_an_admin_changes_the_server(
    role: Role, request_: pb.InitRequest, changes: bool, guarded: Guarded
) -> None:
    """Every caller may ask what the server is, and say what it is already."""
    init, tokens = "/thalweg.v1.Forecaster/Init", guarded.file.tokens
    seen = guarded.ask(init, request_, tokens[role.value])
    if changes and role is not Role.ADMIN:
        assert seen is not None and seen.metadata == {"role": "admin"}
    else:
        assert seen is None
    back = pb.InitRequest(flavor=pb.FLAVOR_REGRESSION, reset=True)
    assert guarded.ask(init, back, tokens["admin"]) is None


@pytest.mark.parametrize("method", OURS)
def test_a_request_is_not_read_before_its_caller_is_known(method: str, guarded: Guarded) -> None:
    """Bytes that are no message get a stranger the same refusal, not an error of decoding."""
    seen = guarded.ask(method, b"\xff" * 100_000, None)
    assert seen is not None and seen.reason == "BAD_TOKEN"


@pytest.mark.parametrize("sent", ["Basic dGhsXzp0aGxf", "thl_naked", "", "Bearer", "bearer "])
def test_what_is_no_bearer_token_is_refused(sent: str, guarded: Guarded) -> None:
    """Whatever else `authorization` may hold."""
    stub = rpc.ForecasterStub(guarded.channel)
    with pytest.raises(grpc.RpcError) as raised:
        stub.Init(pb.InitRequest(), timeout=SECONDS, metadata=[("authorization", sent)])
    assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_the_scheme_is_read_without_case(guarded: Guarded) -> None:
    """As HTTP says: bearer, Bearer, BEARER."""
    token = guarded.file.tokens["predict"]
    stub = rpc.ForecasterStub(guarded.channel)
    for scheme in ("bearer", "Bearer", "BEARER"):
        metadata = [("authorization", f"{scheme} {token}")]
        assert stub.Init(pb.InitRequest(), timeout=SECONDS, metadata=metadata).server_version


def test_refused_calls_are_counted(guarded: Guarded) -> None:
    """Under the kind of the rpc that was asked for."""

    def refused() -> dict[str, float]:
        pages = b"".join(guarded.server.server._telemetry.page()).decode()
        return {
            line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
            for line in pages.splitlines()
            if line.startswith("grpc_server_handled_total") and "Unauthenticated" in line
        }

    before = refused()
    kinds = {"Predict": "unary", "WatchScores": "server_stream", "StreamLearn": "bidi_stream"}
    for name in kinds:
        guarded.ask(f"/thalweg.v1.Forecaster/{name}", b"", None)
    end = time.monotonic() + SECONDS
    grown: list[str] = []
    while len(grown) < len(kinds) and time.monotonic() < end:  # counted once a call is over
        grown = [line for line, count in refused().items() if count > before.get(line, 0)]
    for name, kind in kinds.items():
        labels = (f'grpc_method="{name}"', f'grpc_type="{kind}"')
        assert any(all(each in line for each in labels) for line in grown), (name, grown)
