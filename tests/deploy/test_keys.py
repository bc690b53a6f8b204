"""deploy/make-keys: what a server needs before others may reach it, made once."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.files import DEPLOY, needs

pytestmark = needs("openssl")
NAMES = {"admin-token", "metrics-token", "tls.crt", "tls.key", "tokens.json"}


def make_keys(folder: Path, *names: str) -> None:
    """Runs the script."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = [str(DEPLOY / "make-keys"), str(folder), *names]
    subprocess.run(command, env={"PATH": path}, check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that keys were made in."""
    make_keys(tmp_path / "keys", "thalweg")
    return tmp_path / "keys"


def test_others_read_nothing_and_prometheus_what_it_needs(folder: Path) -> None:
    """Its group reads the certificate and the metrics token; the rest is the owner's alone."""
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    shared = {"tls.crt", "metrics-token"}
    assert modes == {name: 0o640 if name in shared else 0o600 for name in NAMES}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750


def test_what_is_there_stays(folder: Path) -> None:
    """A second run changes no file, nor brings back the admin's token where it was moved away."""
    (folder / "admin-token").unlink()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    make_keys(folder, "thalweg")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("lost", ["tls.crt", "metrics-token", "tokens.json"])
def test_what_a_killed_run_left_undone_is_done(folder: Path, lost: str) -> None:
    """The next run makes what is missing, and leaves the rest as it is."""
    kept = {"tls.crt", "metrics-token", "tokens.json"} - {lost}
    before = {name: (folder / name).read_bytes() for name in kept}
    (folder / lost).unlink()
    (folder / "tokens.json.new").write_text("half of it")
    make_keys(folder, "thalweg")
    assert {name: (folder / name).read_bytes() for name in kept} == before
    assert (folder / lost).stat().st_size > 0


def test_a_name_of_no_certificate_is_an_error(tmp_path: Path) -> None:
    """What openssl refuses ends the script with its words, and leaves no certificate."""
    with pytest.raises(subprocess.CalledProcessError) as raised:
        make_keys(tmp_path, "")
    assert b"subjectAltName" in raised.value.stderr
    assert not (tmp_path / "tls.crt").exists()
