"""`thalweg serve` as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import thalweg
from thalweg_server.server import BackgroundServer

SERVE = [sys.executable, "-m", "thalweg_server", "--metrics-port", "0", "--json"]


@contextmanager
def serving(*args: str, **env: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Yield a server process and where it listens."""
    process = subprocess.Popen(
        [*SERVE, *args],
        env=os.environ | env,
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
        command, env=os.environ | env, capture_output=True, text=True, check=False
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


def test_a_data_directory_is_refused() -> None:
    """Nothing is stored in this release, and nobody is left to believe otherwise."""
    line = "thalweg: durable storage is not in this release; leave --data-dir out\n"
    assert failed("--data-dir", "data") == line
    assert failed(THALWEG_DATA_DIR="data") == line


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
