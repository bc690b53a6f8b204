"""TLS, tokens, closing, and what an import costs."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

import thalweg
from tests.client.conftest import AConnect, Connect, StartFake
from thalweg.connection import is_local
from thalweg.errors import DeadlineExceeded, Unavailable


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the paths of a certificate for "forecaster.test", its authority, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    pem, key = folder / "cert.pem", folder / "key.pem"
    authority = trustme.CA()
    issued = authority.issue_cert("forecaster.test")
    chain = [*issued.cert_chain_pems, authority.cert_pem]
    pem.write_bytes(b"".join(each.bytes() for each in chain))
    issued.private_key_pem.write_to_path(str(key))
    return pem, key


def test_tls_trusts_only_what_it_was_given(
    fake_server: StartFake, connect: Connect, certificate: tuple[Path, Path]
) -> None:
    """With the right root and name it works, with either wrong it does not."""
    pem, key = certificate
    pair = (key.read_bytes(), pem.read_bytes())
    server = fake_server(credentials=grpc.ssl_server_credentials([pair]))
    name = "forecaster.test"
    assert connect(server, tls=pem, server_name=name, token="t").predict("m").value == 1.5
    assert server.fake.metadata[-1]["authorization"] == "Bearer t"
    for wrong in ({"tls": pem}, {"tls": True, "server_name": name}, {"tls": False}):
        with pytest.raises(Unavailable):
            connect(server, retry=thalweg.Retry(attempts=1), **wrong).predict("m")


def test_mutual_tls_shows_the_clients_certificate(
    fake_server: StartFake, connect: Connect, certificate: tuple[Path, Path]
) -> None:
    """A server that asks for one lets only its holder in."""
    pem, key = certificate
    pair = (key.read_bytes(), pem.read_bytes())
    server = fake_server(credentials=grpc.ssl_server_credentials([pair], pem.read_bytes(), True))
    known = {"tls": pem, "server_name": "forecaster.test", "retry": thalweg.Retry(attempts=1)}
    assert connect(server, certificate=pem, key=key, **known).predict("m").value == 1.5
    with pytest.raises(Unavailable):
        connect(server, **known).predict("m")


async def test_a_token_goes_with_every_call(
    fake_server: StartFake, connect: Connect, aconnect: AConnect
) -> None:
    """A function is asked for each call, so that tokens can change."""
    server = fake_server()
    tokens = iter("abcdef")
    client = connect(server, token=lambda: next(tokens))
    client.predict("m")
    list(client.predict_many(["m"]))
    await aconnect(server, token="z").predict("m")
    sent = [metadata["authorization"] for metadata in server.fake.metadata]
    assert sent == ["Bearer a", "Bearer b", "Bearer z"]


@pytest.mark.parametrize(
    "target",
    ["localhost:1", "127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "unix:/run/x", "dns:///localhost:1"],
)
def test_a_token_may_go_in_clear_on_this_machine(target: Any) -> None:
    """Loopback and Unix sockets."""
    assert is_local(target)
    thalweg.Client(target, token="t").close()


@pytest.mark.parametrize(
    "target", ["example.org:1", "10.0.0.1:1", "localhost.example.org:1", "dns:///example.org:1", ""]
)
def test_a_token_never_crosses_the_network_in_clear(target: Any) -> None:
    """Without TLS it is refused before a connection is made, unless that is allowed by name."""
    assert not is_local(target)
    with pytest.raises(ValueError, match="token"):
        thalweg.Client(target, token="t")
    thalweg.Client(target, token="t", allow_insecure_token=True).close()


@pytest.mark.parametrize(
    "wrong", [{"certificate": "c", "tls": True}, {"key": "k"}, {"certificate": "c", "key": "k"}]
)
def test_half_of_a_client_certificate_is_refused(wrong: Any) -> None:
    """Certificate, key and TLS go together."""
    with pytest.raises(ValueError, match="certificate"):
        thalweg.Client("localhost:1", **wrong)


async def test_waiting_for_a_server(
    fake_server: StartFake, connect: Connect, aconnect: AConnect
) -> None:
    """wait_ready returns once there is a connection, or says that there is none."""
    server = fake_server()
    server.stop()
    threading.Timer(0.2, server.start).start()
    connect(server).wait_ready(5)
    await aconnect(server).wait_ready(5)
    server.stop()
    with pytest.raises(DeadlineExceeded, match="no connection"):
        connect(server).wait_ready(0.2)
    with pytest.raises(DeadlineExceeded, match="no connection"):
        await aconnect(server).wait_ready(0.2)


def test_a_request_of_many_megabytes_fits(fake_server: StartFake, connect: Connect) -> None:
    """gRPC's own limit of 4 MiB is not ours."""
    server = fake_server()
    connect(server).upload_model("m", b"x" * (20 * 2**20))
    assert len(server.fake.requests[-1].payload) == 20 * 2**20


def test_importing_costs_next_to_nothing() -> None:
    """Neither River nor NumPy, dill, rich or the server come with the client."""
    code = (
        "import sys, thalweg; assert 'grpc' not in sys.modules\n"
        "thalweg.Client('localhost:1').close(); thalweg.aio.Client\n"
        "heavy = {'river', 'numpy', 'pandas', 'dill', 'rich', 'thalweg_server'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_is_there() -> None:
    """__all__, and nothing else, can be asked for."""
    for name in thalweg.__all__:
        assert getattr(thalweg, name)
    with pytest.raises(AttributeError):
        _ = thalweg.Clinet
