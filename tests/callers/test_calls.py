"""What a handler knows of its caller, and streams whose caller is gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest

import thalweg
from tests.callers.conftest import Start, TokenFile
from tests.estimators import Constant
from thalweg.errors import BadToken, RoleMissing
from thalweg_server.background import BackgroundServer
from thalweg_server.callers.checking import Tokens
from thalweg_server.callers.identity import ANONYMOUS, CALLER, Role, granted
from thalweg_server.callers.interceptor import Callers
from thalweg_server.callers.watching import CHECK_SECONDS
from thalweg_server.status import Statuses
from thalweg_server.telemetry.calls import Calls

NAMES = ["ann", "bob", "cid"]


class Names(grpc.GenericRpcHandler):
    """Rpcs of each kind that answer with their caller's name, before and after others ran."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """Return the handler that a method's name asks for."""
        kind = handler_call_details.method.rpartition("/")[2]  # type: ignore[attr-defined]
        if kind == "unary":
            return grpc.unary_unary_rpc_method_handler(self.once)  # type: ignore[arg-type]
        if kind == "server":
            return grpc.unary_stream_rpc_method_handler(self.twice)  # type: ignore[arg-type]
        return grpc.stream_stream_rpc_method_handler(self.each)  # type: ignore[arg-type]

    async def once(self, _: bytes, __: Any) -> bytes:
        """Answer once."""
        await asyncio.sleep(0.01)
        return CALLER.get().name.encode()

    async def twice(self, _: bytes, __: Any) -> AsyncIterator[bytes]:
        """Answer twice."""
        yield CALLER.get().name.encode()
        await asyncio.sleep(0.01)
        yield CALLER.get().name.encode()

    async def each(self, requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
        """Answer each request."""
        async for _ in requests:
            await asyncio.sleep(0.01)
            yield CALLER.get().name.encode()


async def test_handlers_of_every_kind_see_their_own_caller(file: TokenFile) -> None:
    """Also where calls of several callers share a connection and run at the same time."""
    tokens = {name: file.add(name, Role.ADMIN) for name in NAMES}
    server = grpc.aio.server(
        interceptors=[
            Statuses(Calls().observe, lambda: False),
            Callers(Tokens(file.path)),
        ]
    )
    server.add_generic_rpc_handlers((Names(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:

        async def ask(name: str, kind: str) -> tuple[str, set[bytes]]:
            metadata = [("authorization", f"Bearer {tokens[name]}")]
            call = channel.stream_stream(f"/other.Service/{kind}")
            requests = [b""] * (3 if kind == "bidi" else 1)
            answers = call(iter(requests), metadata=metadata, timeout=10)
            return name, {bytes(each) async for each in answers}

        kinds = ("unary", "server", "bidi")
        asked = [ask(name, kind) for name in NAMES * 5 for kind in kinds]
        for name, seen in await asyncio.gather(*asked):
            assert seen == {name.encode()}
    await server.stop(None)
    assert CALLER.get() is ANONYMOUS


def test_without_a_token_file_everyone_may_everything(start: Start) -> None:
    """The anonymous caller has all roles, and a token that somebody sends is not looked at."""
    assert ANONYMOUS.roles == frozenset(Role)
    with thalweg.Client(start().address, token="thl_whatever") as client:
        assert client.init("binary", reset=True).flavor == "binary"


@pytest.mark.parametrize(
    ("given", "has"),
    [
        ({Role.PREDICT}, {Role.PREDICT}),
        ({Role.LEARN, Role.PREDICT}, {Role.LEARN, Role.PREDICT}),
        ({Role.LEARN}, {Role.LEARN}),
        ({Role.UPLOAD}, {Role.UPLOAD}),
        ({Role.UPLOAD_CODE}, {Role.UPLOAD_CODE, Role.UPLOAD}),
        ({Role.ADMIN}, set(Role)),
        (set(), set()),
    ],
)
def test_what_roles_include(given: set[Role], has: set[Role]) -> None:
    """Nothing, but for admin, and code uploads that include lesser ones."""
    assert granted(given) == has


@pytest.fixture
def serve(file: TokenFile, start: Start) -> Callable[[], BackgroundServer]:
    """Starts a server on the token file."""
    return lambda: start(tokens=file.path)


def refresh(server: BackgroundServer) -> None:
    """Let the server look at its token file now, as it does every second."""
    tokens = server.server._access.tokens
    assert tokens is not None
    tokens.refresh()


def test_a_revoked_token_ends_within_seconds(
    file: TokenFile, serve: Callable[[], BackgroundServer]
) -> None:
    """Without a restart, and a token that was added is known as soon."""
    first = file.add("first", Role.PREDICT)
    server = serve()
    with thalweg.Client(server.address, token=first) as client:
        list(client.list_models())
        file.revoke("first")
        second = file.add("second", Role.PREDICT)
        end = time.monotonic() + 10 * CHECK_SECONDS
        while time.monotonic() < end:
            try:
                list(client.list_models())
            except BadToken:
                break
            time.sleep(0.05)
        else:
            pytest.fail("a revoked token was still good after 10 s")
    with thalweg.Client(server.address, token=second) as client:
        list(client.list_models())


def test_a_stream_ends_where_its_token_is_revoked(
    file: TokenFile, serve: Callable[[], BackgroundServer]
) -> None:
    """StreamLearn at the next batch, WatchScores at the next change; nothing more is told."""
    admin = file.add("admin", Role.ADMIN)
    for name, role in (("learner", Role.LEARN), ("watcher", Role.PREDICT)):
        file.add(name, role)
    server = serve()
    with (
        thalweg.Client(server.address, token=admin) as owner,
        thalweg.Client(server.address, token=file.tokens["learner"]) as learner,
        thalweg.Client(server.address, token=file.tokens["watcher"]) as watcher,
    ):
        owner.upload_model("m", Constant())
        scores = watcher.watch_scores(["m"])
        assert next(scores).model == "m"

        def rows() -> Any:
            yield thalweg.Row(model="m", target=1.0)
            file.revoke("learner")
            file.revoke("watcher")
            refresh(server)
            while True:
                yield thalweg.Row(model="m", target=1.0)

        acks = learner.stream_learn(rows(), batch_rows=1)
        with pytest.raises(BadToken):
            for _ in acks:
                pass
        owner.learn("m", 1.0)
        with pytest.raises(BadToken):
            for _ in scores:
                pass


def test_a_client_gets_typed_errors(file: TokenFile, serve: Callable[[], BackgroundServer]) -> None:
    """BadToken is an Unauthenticated, RoleMissing a PermissionDenied with the role's name."""
    token = file.add("p", Role.PREDICT)
    server = serve()
    with (
        thalweg.Client(server.address) as stranger,
        pytest.raises(thalweg.errors.Unauthenticated) as unknown,
    ):
        list(stranger.list_models())
    assert isinstance(unknown.value, BadToken)
    with (
        thalweg.Client(server.address, token=token) as client,
        pytest.raises(thalweg.errors.PermissionDenied) as missing,
    ):
        client.learn("m", 1.0)
    assert isinstance(missing.value, RoleMissing)
    assert missing.value.metadata == {"role": "learn"}


def test_a_large_request_of_a_stranger_is_answered(
    file: TokenFile, serve: Callable[[], BackgroundServer]
) -> None:
    """With the refusal, not with a broken connection."""
    file.add("p", Role.PREDICT)
    with thalweg.Client(serve().address) as stranger, pytest.raises(BadToken):
        stranger.upload_model("m", b"x" * 20_000_000)


def test_a_broken_file_keeps_the_tokens_that_were_known(
    file: TokenFile, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half a file, a missing one, one that others may write: logged, and mended by the next."""
    token = file.add("first", Role.PREDICT)
    tokens, good = Tokens(file.path), file.path.read_bytes()

    def known() -> bool:
        tokens.refresh()
        return tokens.caller(token) is not None

    file.path.write_bytes(good[:-20])
    assert known()
    assert "is no token file" in capsys.readouterr().err
    assert known()
    assert capsys.readouterr().err == ""  # once, not at each look
    file.path.unlink()
    assert known()
    assert "No such file" in capsys.readouterr().err
    file.path.write_bytes(good)
    file.path.chmod(0o666)
    assert known()
    assert "chmod 600" in capsys.readouterr().err
    file.path.chmod(0o600)
    assert known()
    file.revoke("first")
    assert not known()
