"""Servers that know their callers, and certificates."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from tests.wire import SECONDS, Failure, failure
from thalweg_server.background import BackgroundServer
from thalweg_server.callers.identity import Role
from thalweg_server.callers.tokens import Entry, editing, hash_of, make_token
from thalweg_server.config import Config
from thalweg_server.core.observation import Flavor
from thalweg_server.engines.river import RiverEngine

Start = Callable[..., BackgroundServer]

NOW = datetime.now(UTC)


@dataclass
class TokenFile:
    """A token file, and the tokens that it knows only by their hashes."""

    path: Path
    tokens: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, *roles: Role, expires: datetime | None = None) -> str:
        """Make a token and return it."""
        token = self.tokens[name] = make_token()
        entry = Entry(
            name=name,
            roles=frozenset(roles),
            sha256=hash_of(token),
            created=NOW,
            expires=expires,
        )
        with editing(self.path) as entries:
            entries.append(entry)
        return token

    def revoke(self, name: str) -> None:
        """Take a token out of the file."""
        with editing(self.path) as entries:
            entries[:] = [each for each in entries if each.name != name]


def a_token_of_each_kind(path: Path) -> TokenFile:
    """Return a file with one token per role, called like it, and some that are good for nothing."""
    file = TokenFile(path)
    for role in Role:
        file.add(role.value, role)
    file.add("expired", Role.ADMIN, expires=NOW - timedelta(seconds=1))
    file.add("revoked", Role.ADMIN)
    file.revoke("revoked")
    return file


@dataclass(frozen=True)
class Guarded:
    """A regression server with tokens, and a channel to it."""

    server: BackgroundServer
    file: TokenFile
    channel: grpc.Channel

    def ask(self, method: str, request: Any, token: str | None) -> Failure | None:
        """Make a call of whatever kind, with a token; return how it failed, None if it did not."""
        metadata = [] if token is None else [("authorization", f"Bearer {token}")]
        data = request if isinstance(request, bytes) else request.SerializeToString()
        # On the wire every call is a stream of messages each way.
        call = self.channel.stream_stream(method)(iter([data]), timeout=SECONDS, metadata=metadata)
        try:
            next(call, None)
        except grpc.RpcError as error:
            return failure(error)
        finally:
            call.cancel()
        return None


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A server that the tests of a module share."""
    file = a_token_of_each_kind(tmp_path_factory.mktemp("tokens") / "tokens.json")
    config = Config(port=0, metrics_port=0, flavor=Flavor.REGRESSION, tokens=file.path)
    with (
        BackgroundServer(config, engine=RiverEngine()) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        yield Guarded(server, file, channel)


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts regression servers with any settings; stops them after the test.

    Their estimators run in this process: what is tested here is who gets that far.
    """
    with ExitStack() as stack:

        def begin(**settings: Any) -> BackgroundServer:
            config = Config(port=0, metrics_port=0, flavor=Flavor.REGRESSION, **settings)
            return stack.enter_context(BackgroundServer(config, engine=RiverEngine()))

        yield begin


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    """An empty token file, not made yet."""
    return TokenFile(tmp_path / "tokens.json")


@dataclass(frozen=True)
class Identity:
    """PEM files of a certificate for this machine, its key and its authority."""

    cert: Path
    key: Path
    ca: Path

    def take(self, other: Identity) -> None:
        """Hold another's certificate and key, as after a renewal."""
        shutil.copy(other.key, self.key)
        shutil.copy(other.cert, self.cert)


@pytest.fixture
def identity(tmp_path: Path) -> Callable[[str], Identity]:
    """Makes certificates, each of an authority of its own."""

    def make(name: str) -> Identity:
        ca, folder = trustme.CA(), tmp_path / name
        folder.mkdir()
        made = Identity(folder / "cert.pem", folder / "key.pem", folder / "ca.pem")
        issued = ca.issue_cert("localhost", "127.0.0.1")
        made.cert.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(str(made.key))
        ca.cert_pem.write_to_path(str(made.ca))
        return made

    return make
