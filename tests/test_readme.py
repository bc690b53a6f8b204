"""The README does what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import StartServer

README = (Path(__file__).resolve().parent.parent / "README.md").read_text()

SET_UP = [
    "python3 -m venv .venv && . .venv/bin/activate && pip install '.[demo]' && thalweg demo",
    "python3 -m venv .venv && . .venv/bin/activate && pip install '.[dev]' && pytest",
]


def blocks(language: str) -> list[str]:
    """The README's code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_set_up_is_exactly_two_lines_on_the_first_screen() -> None:
    """One line runs the demo and one the tests; both stand within the first 25 lines."""
    first_screen = README.splitlines()[:25]
    assert [line for line in first_screen if "venv" in line] == SET_UP
    assert [block.strip() for block in blocks("sh")[:2]] == SET_UP


def test_it_is_a_funnel() -> None:
    """It has at most 200 lines, and no figure is left to fill in."""
    assert len(README.splitlines()) <= 200
    assert "FIGURE" not in README


def test_its_examples_run(
    start_server: StartServer, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Python blocks run in order against one server, then the shell blocks against the same."""
    server = start_server(data_dir=tmp_path / "thalweg-data")
    scope: dict[str, object] = {}
    for block in blocks("python"):
        exec(block.replace("127.0.0.1:50051", server.address), scope)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 2, printed
    assert printed[1].startswith("1400 ")
    environment = {
        **os.environ,
        "THALWEG_SERVER": server.address,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    commands = [line for block in blocks("sh")[2:] for line in block.splitlines()]
    assert commands.pop(0) == "thalweg serve --flavor regression"
    for command in commands:
        done = subprocess.run(
            command,
            shell=True,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (command, done.stderr)
        assert done.stdout
