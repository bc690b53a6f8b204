"""The HTTP side behind a token of its own, and over HTTPS."""

from __future__ import annotations

import base64
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.callers.conftest import Identity, Start
from thalweg_server.background import BackgroundServer
from thalweg_server.callers.checking import SecretFile
from thalweg_server.callers.problems import Unusable

SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file with a token and a newline, as `openssl rand` writes it."""
    path = tmp_path / "metrics-token"
    path.write_text(f"{SECRET}\n")
    return path


def get(server: BackgroundServer, path: str, authorization: str = "") -> tuple[int, str]:
    """Return status and challenge."""
    request = urllib.request.Request(f"http://{server.metrics_address}{path}")
    if authorization:
        request.add_header("authorization", authorization)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, ""
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get("www-authenticate", "")


def basic(text: str) -> str:
    """Return what a browser sends."""
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def test_metrics_ask_for_the_token_and_health_does_not(start: Start, secret: Path) -> None:
    """As a bearer token or, from a browser, as a password; anything else is 401."""
    server = start(metrics_token_file=secret)
    for path in ("/metrics", "/", "/nix"):
        for good in (f"Bearer {SECRET}", f"bearer {SECRET}", basic(f"me:{SECRET}")):
            assert get(server, path, good)[0] == (404 if path == "/nix" else 200)
        for bad in ("", "Bearer", "Bearer x", SECRET, basic(SECRET), "Basic ###", basic("me:x")):
            status, challenge = get(server, path, bad)
            assert (status, challenge[:6]) == (401, "Bearer"), bad
    for path in ("/healthz", "/readyz"):
        assert get(server, path)[0] == 200


def test_a_new_token_takes_the_place_of_the_old_one(secret: Path) -> None:
    """The file is read again when it changes; one that holds nothing changes nothing."""
    token = SecretFile(secret)
    assert token.is_it(SECRET.encode()) and not token.is_it(b"")
    secret.write_text("")
    token.refresh()
    assert token.is_it(SECRET.encode())
    secret.write_text("another-token-of-32-characters!!")
    token.refresh()
    assert token.is_it(b"another-token-of-32-characters!!")
    assert not token.is_it(SECRET.encode())


@pytest.mark.parametrize(("text", "says"), [("", "0 bytes"), ("short\n", "5 bytes")])
def test_a_file_without_a_token_is_refused(text: str, says: str, secret: Path) -> None:
    """A short one can be tried out."""
    secret.write_text(text)
    with pytest.raises(Unusable, match=f"{says}.*openssl rand"):
        SecretFile(secret)
    secret.unlink()
    with pytest.raises(Unusable, match="No such file"):
        SecretFile(secret)


def test_metrics_over_https_take_renewed_certificates(
    start: Start, identity: Callable[[str], Identity]
) -> None:
    """With the certificate of the gRPC port."""
    mine, renewed = identity("mine"), identity("renewed")
    server = start(tls_cert=mine.cert, tls_key=mine.key, metrics_tls=True)

    def scrape(trusted: Identity) -> bytes:
        trust = ssl.create_default_context(cafile=trusted.ca)
        url = f"https://localhost:{server.server.metrics_port}/metrics"
        with urllib.request.urlopen(url, timeout=10, context=trust) as response:
            body: bytes = response.read()
            return body

    assert b"thalweg_build_info" in scrape(mine)
    mine.take(renewed)
    end = time.monotonic() + 10
    while True:
        try:
            assert b"thalweg_build_info" in scrape(renewed)
            break
        except urllib.error.URLError:
            assert time.monotonic() < end
            time.sleep(0.05)
