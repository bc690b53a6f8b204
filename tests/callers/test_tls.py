"""TLS and mTLS over real sockets, and certificates that are renewed."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import thalweg
from tests.callers.conftest import Identity, Start, TokenFile
from thalweg.errors import BadToken, Unavailable
from thalweg_server.background import BackgroundServer
from thalweg_server.callers.certificates import Certificates
from thalweg_server.callers.identity import Role
from thalweg_server.callers.problems import Unusable
from thalweg_server.callers.watching import CHECK_SECONDS
from thalweg_server.config import Config

Make = Callable[[str], Identity]
ONCE = thalweg.Retry(attempts=1)


def locked(identity: Identity, **more: Any) -> dict[str, Any]:
    """Return the settings of a server with that certificate."""
    return {"tls_cert": identity.cert, "tls_key": identity.key, **more}


def shown(server: BackgroundServer) -> str:
    """Return the certificate that the gRPC port shows to a new connection."""
    return ssl.get_server_certificate(("127.0.0.1", server.server.port), timeout=10)


def connect(server: BackgroundServer, **settings: Any) -> thalweg.Client:
    """Return a client that gives up at once and shares no connection with another."""
    own = [("grpc.use_local_subchannel_pool", 1)]
    target = f"localhost:{server.server.port}"
    return thalweg.Client(target, retry=ONCE, timeout=5, options=own, **settings)


def test_tls_is_all_that_the_port_speaks(start: Start, identity: Make) -> None:
    """Who trusts its authority gets in; who does not, or speaks in clear, does not."""
    mine, other = identity("mine"), identity("other")
    server = start(**locked(mine))
    with connect(server, tls=mine.ca) as client:
        assert client.init().flavor == "regression"
    for wrong in ({"tls": other.ca}, {"tls": True}, {}):
        with connect(server, **wrong) as client, pytest.raises(Unavailable):
            client.init()


def test_mtls_asks_for_a_certificate_and_for_a_token(
    start: Start, identity: Make, file: TokenFile
) -> None:
    """The certificate lets a machine connect, and says nothing of what it may do."""
    mine, theirs, other = identity("mine"), identity("theirs"), identity("other")
    token = file.add("p", Role.PREDICT)
    server = start(**locked(mine, tls_client_ca=theirs.ca, tokens=file.path))
    known = {"tls": mine.ca, "certificate": theirs.cert, "key": theirs.key}
    with connect(server, token=token, **known) as client:
        assert list(client.list_models()) == []
    with connect(server, **known) as client, pytest.raises(BadToken):
        list(client.list_models())
    for wrong in ({}, {"certificate": other.cert, "key": other.key}):
        with (
            connect(server, tls=mine.ca, token=token, **wrong) as client,
            pytest.raises(Unavailable),
        ):
            list(client.list_models())


def test_a_renewed_certificate_is_picked_up(start: Start, identity: Make) -> None:
    """By new connections within seconds; those that are open go on."""
    mine, renewed = identity("mine"), identity("renewed")
    server = start(**locked(mine))
    with connect(server, tls=mine.ca) as old:
        old.init()
        before = shown(server)
        mine.take(renewed)
        end = time.monotonic() + 10 * CHECK_SECONDS
        while shown(server) == before:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert shown(server) == renewed.cert.read_text().replace("\r\n", "\n")
        with connect(server, tls=renewed.ca) as new:
            assert new.init().flavor == "regression"
        assert old.init().flavor == "regression"


def test_a_renewed_authority_of_clients_is_picked_up(start: Start, identity: Make) -> None:
    """So that clients can be moved to another one."""
    mine, theirs, later = identity("mine"), identity("theirs"), identity("later")
    server = start(**locked(mine, tls_client_ca=theirs.ca))
    with connect(server, tls=mine.ca, certificate=theirs.cert, key=theirs.key) as client:
        client.init()
    theirs.ca.write_bytes(later.ca.read_bytes())
    certificates = server.server._access.certificates
    assert certificates is not None
    certificates.refresh()
    with connect(server, tls=mine.ca, certificate=later.cert, key=later.key) as client:
        client.init()
    with (
        connect(server, tls=mine.ca, certificate=theirs.cert, key=theirs.key) as client,
        pytest.raises(Unavailable),
    ):
        client.init()


def test_half_a_renewal_changes_nothing(
    start: Start, identity: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """A certificate without its key yet: logged, and the old pair serves until it is whole."""
    mine, renewed = identity("mine"), identity("renewed")
    server = start(**locked(mine, metrics_tls=True))
    certificates, before = server.server._access.certificates, shown(server)
    assert certificates is not None
    web = ("127.0.0.1", server.server.metrics_port)
    assert ssl.get_server_certificate(web, timeout=10) == before
    mine.cert.write_bytes(renewed.cert.read_bytes())
    certificates.refresh()
    assert shown(server) == before
    assert ssl.get_server_certificate(web, timeout=10) == before
    assert "KEY_VALUES_MISMATCH" in capsys.readouterr().err
    mine.key.write_bytes(renewed.key.read_bytes())
    certificates.refresh()
    assert shown(server) != before


def test_what_is_no_pair_is_refused_at_start(identity: Make, tmp_path: Path) -> None:
    """In one line with the files' names, and without asking a terminal for a password."""
    mine, other = identity("mine"), identity("other")
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\n")
    for cert, key, ca in (
        (mine.cert, other.key, None),
        (mine.key, mine.cert, None),
        (broken, mine.key, None),
        (mine.cert, broken, None),
        (mine.cert, mine.key, broken),
        (mine.cert, tmp_path / "nix", None),
        (tmp_path, mine.key, None),
    ):
        with pytest.raises(Unusable, match=r"--tls-cert, --tls-key") as raised:
            Certificates(cert, key, ca)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "half",
    [{"tls_cert": "c"}, {"tls_key": "k"}, {"tls_client_ca": "a"}, {"metrics_tls": True}],
)
def test_settings_that_need_one_another(half: Any) -> None:
    """A certificate without its key, and what there is no TLS for, are refused."""
    with pytest.raises(ValueError, match="--tls-cert and --tls-key"):
        Config(**half)
