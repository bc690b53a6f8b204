"""The contract and the code generated from it."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GENERATED = ROOT / "client" / "thalweg" / "v1"


def buf(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("buf")), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_committed_code_is_what_the_contract_generates(tmp_path: Path) -> None:
    """Regenerating gives the committed files, byte for byte, and no others."""
    runpy.run_path(str(ROOT / "proto" / "generate.py"))["generate"](tmp_path)
    fresh = {p.name: p.read_bytes() for p in (tmp_path / "thalweg" / "v1").iterdir()}
    committed = {p.name: p.read_bytes() for p in GENERATED.iterdir() if p.is_file()}
    assert fresh == committed


def test_contract_passes_buf_lint() -> None:
    """Names and comments of the contract follow buf's STANDARD and COMMENTS rules."""
    done = buf("lint")
    assert done.returncode == 0, done.stdout + done.stderr


def test_contract_breaks_no_client_of_the_last_release() -> None:
    """Nothing of the released contract was renamed or dropped."""
    done = buf("breaking", "--against", "proto/baseline.binpb")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  uint64 learned = 5;", "  uint64 learned = 6;"),
        ("rpc Predict(", "rpc Forecast("),
        ("  string model_name_that_is_not_there", ""),
    ],
)
def test_breaking_check_notices_a_change(tmp_path: Path, before: str, after: str) -> None:
    """A renumbered field or a renamed rpc fails the check; an unchanged contract does not."""
    source = (ROOT / "proto" / "thalweg" / "v1" / "forecaster.proto").read_text()
    (tmp_path / "thalweg" / "v1").mkdir(parents=True)
    (tmp_path / "thalweg" / "v1" / "forecaster.proto").write_text(source.replace(before, after))
    done = buf("breaking", str(tmp_path), "--against", "proto/baseline.binpb")
    assert (done.returncode == 0) == (before not in source), done.stdout + done.stderr
