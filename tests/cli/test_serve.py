"""`thalweg serve` as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from river import linear_model

import thalweg
from thalweg_server.background import BackgroundServer

SERVE = [sys.executable, "-m", "thalweg_server", "--metrics-port", "0", "--json"]


@contextmanager
def serving(*args: str, **env: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Yield a server process and where it listens."""
    process = subprocess.Popen(
        [*SERVE, *args],
        env=os.environ | {"THALWEG_EPHEMERAL": "1"} | env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def failed(*args: str, **env: str) -> str:
    """Return the one line that a server which does not start leaves on stderr."""
    command = [sys.executable, "-m", "thalweg.cli", "serve", "--metrics-port", "0", *args]
    done = subprocess.run(
        command,
        env=os.environ | {"THALWEG_EPHEMERAL": "1"} | env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    return done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_listens_and_drains_on_a_signal(number: signal.Signals) -> None:
    """One JSON line and nothing else on stdout; exit 0 without an error."""
    with serving(THALWEG_PORT="0", THALWEG_FLAVOR="binary") as (process, where):
        assert set(where) == {"address", "metrics"}
        with thalweg.Client(where["address"]) as client:
            assert client.init().flavor == "binary"
        process.send_signal(number)
        printed, logged = process.communicate(timeout=20)
        assert (process.returncode, printed) == (0, "")
        assert "Traceback" not in logged


def test_a_taken_port_is_one_line(server: BackgroundServer) -> None:
    """Of either port, with the option that changes it."""
    line = failed("--port", server.address.rpartition(":")[2])
    assert line.startswith(f"thalweg: cannot listen on {server.address} (--host, --port)")
    line = failed("--port", "0", "--metrics-port", server.metrics_address.rpartition(":")[2])
    assert f"cannot listen on {server.metrics_address} (--metrics-host, --metrics-port)" in line


def test_an_address_that_others_reach_is_refused(tmp_path: Path) -> None:
    """In one line that says how, whether it is an option or a variable; nothing is made."""
    data = {"THALWEG_DATA_DIR": str(tmp_path / "data"), **DURABLE}
    for line in (
        failed("--port", "0", "--host", "0.0.0.0", **data),
        failed("--port", "0", THALWEG_HOST="::", **data),
    ):
        assert line.startswith("thalweg: --host ")
        for option in ("--tls-cert", "--tls-key", "--tokens", "--allow-insecure-bind"):
            assert option in line
    assert not (tmp_path / "data").exists()


def test_what_locks_it_is_refused_in_one_line_where_it_cannot_be_used(tmp_path: Path) -> None:
    """A missing token file, and a certificate without its key."""
    nix = str(tmp_path / "nix")
    assert f"cannot read the token file {nix} (--tokens)" in failed("--port", "0", "--tokens", nix)
    assert "go together" in failed("--port", "0", "--tls-cert", nix)
    line = failed("--port", "0", "--tls-cert", nix, THALWEG_TLS_KEY=nix)
    assert f"cannot read {nix} (--tls-cert, --tls-key" in line


def test_an_insecure_bind_can_be_allowed_and_warns() -> None:
    """With one line on stderr."""
    insecure = {"THALWEG_HOST": "0.0.0.0", "THALWEG_ALLOW_INSECURE_BIND": "1"}
    with serving("--port", "0", **insecure) as (process, where):
        assert where["address"].startswith("0.0.0.0:")
        process.terminate()
        _, logged = process.communicate(timeout=20)
        assert logged.count("--allow-insecure-bind") == 1


DURABLE = {"THALWEG_EPHEMERAL": ""}


def test_what_was_acknowledged_is_there_after_a_kill(tmp_path: Path) -> None:
    """A server that is killed is started again on the same directory as if nothing had been."""
    data = {"THALWEG_PORT": "0", "THALWEG_DATA_DIR": str(tmp_path / "data"), **DURABLE}
    with (
        serving(THALWEG_FLAVOR="regression", **data) as (_, where),
        thalweg.Client(where["address"]) as client,
    ):
        client.upload_model("m", linear_model.LinearRegression())
        for number in range(5):
            learned = client.learn("m", float(number), {"x": 1.0})
        answer = client.predict("m", {"x": 1.0})
    with serving(**data) as (_, where), thalweg.Client(where["address"]) as client:
        assert client.init().flavor == "regression"
        assert client.predict("m", {"x": 1.0}) == answer
        assert client.learn("m", 5.0, {"x": 1.0}).learned == learned.learned + 1


def test_a_second_server_on_a_directory_is_refused(tmp_path: Path) -> None:
    """In one line that says who has it."""
    data = {"THALWEG_PORT": "0", "THALWEG_DATA_DIR": str(tmp_path), **DURABLE}
    with serving(**data) as (process, _):
        line = failed(**data)
        assert line.startswith(f"thalweg: {tmp_path} is in use by another server")
        assert str(process.pid) in line


def test_another_flavor_than_the_directorys_is_refused(tmp_path: Path) -> None:
    """In one line, before anything is served."""
    data = {"THALWEG_PORT": "0", "THALWEG_DATA_DIR": str(tmp_path), **DURABLE}
    with serving("--flavor", "regression", **data):
        pass
    line = failed("--flavor", "binary", **data)
    assert "regression" in line and "--flavor says binary" in line


def test_a_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    """With its name and what is in the way."""
    (tmp_path / "file").write_text("")
    line = failed("--port", "0", "--data-dir", str(tmp_path / "file" / "data"), **DURABLE)
    assert str(tmp_path / "file") in line


@pytest.mark.parametrize("missing", ["river", "numpy", "uvicorn", "structlog"])
def test_without_the_server_extra_it_says_what_to_install(missing: str) -> None:
    """One line, whichever package is missing."""
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from thalweg.cli import main\nmain(['serve', '--port', '0'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"thalweg: the server needs {missing}: pip install 'thalweg[server]'\n"
