"""Addresses that other machines reach."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.callers.conftest import TokenFile
from thalweg_server.callers.access import Access
from thalweg_server.callers.exposure import check_exposure, is_loopback
from thalweg_server.callers.identity import Role
from thalweg_server.callers.problems import Unusable
from thalweg_server.config import Config
from thalweg_server.server import Server

FILE = Path("file")
TLS = {"tls_cert": FILE, "tls_key": FILE}


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("[::1]", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("[::]", False),
        ("", False),
        ("10.0.0.7", False),
        ("192.168.1.1", False),
        ("0", False),
        ("no-such-host.invalid", False),
    ],
)
def test_which_addresses_only_this_machine_reaches(host: str, local: bool) -> None:
    """What cannot be resolved counts as open."""
    assert is_loopback(host) is local


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"host": "0.0.0.0"}, ["--host 0.0.0.0", "--tls-cert", "--tls-key", "--tokens"]),
        ({"host": "::"}, ["--host ::", "--tls-cert"]),
        ({"host": "0.0.0.0", **TLS}, ["--tokens", "thalweg token new"]),
        ({"host": "0.0.0.0", **TLS, "tls_client_ca": FILE}, ["--tokens"]),
        ({"host": "0.0.0.0", "tokens": FILE}, ["--tls-cert and --tls-key"]),
        ({"metrics_host": "0.0.0.0"}, ["--metrics-host 0.0.0.0", "--metrics-token-file"]),
        ({"metrics_host": "0.0.0.0", "tokens": FILE, **TLS}, ["--metrics-token-file"]),
        ({"host": "0.0.0.0", "metrics_host": "0.0.0.0"}, ["--host", "--metrics-host"]),
    ],
)
def test_an_open_address_is_refused_in_one_line(settings: Any, says: list[str]) -> None:
    """That names what is missing and the only way around; with that, it is a warning."""
    with pytest.raises(Unusable) as raised:
        check_exposure(Config(**settings))
    line = str(raised.value)
    for each in (*says, "--allow-insecure-bind", "127.0.0.1"):
        assert each in line
    assert "\n" not in line
    allowed = check_exposure(Config(**settings, allow_insecure_bind=True))
    assert allowed and all(says[0] in " ".join(allowed) for _ in allowed)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"host": "localhost", "metrics_host": "::1"},
        {"host": "0.0.0.0", "tokens": FILE, **TLS},
        {"metrics_host": "0.0.0.0", "metrics_token_file": FILE},
    ],
)
def test_what_is_locked_starts(settings: Any) -> None:
    """Loopback, or TLS and tokens."""
    assert check_exposure(Config(**settings)) == []


def test_nothing_is_made_before_it_is_refused(tmp_path: Path) -> None:
    """No data directory, no lock, no port."""
    with pytest.raises(Unusable):
        Server(Config(host="0.0.0.0", data_dir=tmp_path / "data"))
    assert not (tmp_path / "data").exists()


def test_an_insecure_bind_is_warned_about_in_one_line(
    capsys: pytest.CaptureFixture[str], file: TokenFile
) -> None:
    """At each start; a server that is locked says nothing."""
    file.add("a", Role.LEARN)
    Access(Config(host="0.0.0.0", tokens=file.path, allow_insecure_bind=True))
    warned = capsys.readouterr().err
    assert warned.count("\n") == 1
    assert "--allow-insecure-bind" in warned and "--host 0.0.0.0" in warned
    Access(Config(tokens=file.path, allow_insecure_bind=True))
    assert capsys.readouterr().err == ""
