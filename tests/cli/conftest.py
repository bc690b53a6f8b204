"""A command line against a real server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from thalweg.cli import cli
from thalweg_server.background import BackgroundServer

Run = Callable[..., Result]

DAYS = [f"2016-05-{day:02}" for day in range(1, 11)]


@pytest.fixture
def run(server: BackgroundServer) -> Run:
    """Return a function that runs a command in this process, with that server as its own."""

    def invoke(*args: str, input: str | None = None, **env: str) -> Result:
        env = {"THALWEG_SERVER": server.address, **env}
        return CliRunner().invoke(cli, args, input=input, env=env, prog_name="thalweg")

    return invoke


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    """Ten days of two items and one more observation, as long csv."""
    lines = ["id,date,y"]
    for number, day in enumerate(DAYS):
        lines += [f"milk,{day},{number % 3}", f"bread_evaluation,{day},{number % 4 + 1}"]
    path = tmp_path / "sales.csv"
    path.write_text("\n".join([*lines, "milk,2016-05-11,2"]) + "\n")
    return path


def line_of(result: Result) -> str:
    """Return the one line on stderr of a command that failed."""
    assert result.stdout == ""
    assert result.stderr.startswith("thalweg: ")
    assert result.stderr.count("\n") == 1
    assert result.stderr.endswith("\n")
    return result.stderr.strip()
