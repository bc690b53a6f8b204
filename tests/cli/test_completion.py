"""`thalweg completion`: what shells offer, asked in a real bash against a real server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.cli.conftest import Run
from thalweg.cli import cli
from thalweg_server.background import BackgroundServer

NOWHERE = "127.0.0.1:1"
PRESS_TAB = """
set -euo pipefail
source <(thalweg completion bash)
[[ $(complete -p thalweg) =~ -F\\ ([a-z_]+) ]]
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
"${BASH_REMATCH[1]}" thalweg
printf '%s\\n' "${COMPREPLY[@]}"
"""


def offered(server: str, *words: str) -> list[str]:
    """Return what bash offers when Tab is pressed after the last of the words."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", PRESS_TAB, "bash", "thalweg", *words],
        env={**os.environ, "PATH": path, "THALWEG_SERVER": server},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.fixture
def shop(run: Run) -> None:
    """Two models, a template, and names that a shell would read as something else."""
    for name in ("milk", "mint", "bread", "a;b", "$x", "-m", "a b", "a\nb"):
        assert run("upload", "--", name, "thalweg.m5:lm").exit_code == 0
    assert run("upload", "m*", "thalweg.m5:lm", "--template").exit_code == 0


def test_commands_and_options_are_offered() -> None:
    """Without any server."""
    assert offered(NOWHERE, "mod") == ["models"]
    assert offered(NOWHERE, "token", "re") == ["revoke"]
    assert offered(NOWHERE, "models", "--wo") == ["--worst"]
    assert offered(NOWHERE, "completion", "") == ["bash", "zsh", "fish"]


@pytest.mark.usefixtures("shop")
def test_names_of_models_are_offered(server: BackgroundServer) -> None:
    """Wherever a command takes a MODEL; of the server that the line names, too."""
    for command in ("predict", "plot", "learn", "download", "delete", "upload"):
        assert offered(server.address, command, "mi") == ["milk", "mint"]
    assert offered(NOWHERE, "predict", "--server", server.address, "mil") == ["milk"]


@pytest.mark.usefixtures("shop")
def test_every_model_of_several_is_completed(server: BackgroundServer) -> None:
    """`thalweg watch` takes any number."""
    assert offered(server.address, "watch", "milk", "b") == ["bread"]


@pytest.mark.usefixtures("shop")
def test_a_name_that_a_shell_would_run_is_not_offered(server: BackgroundServer) -> None:
    """Who may upload must not write on the command lines of others."""
    assert offered(server.address, "predict", "") == ["bread", "milk", "mint"]
    assert offered(server.address, "delete", "--template", "") == []


def test_a_server_that_does_not_answer_is_silence() -> None:
    """Nothing is offered and nothing said, after a second at most and the start of Python."""
    started = time.monotonic()
    assert offered(NOWHERE, "predict", "m") == []
    assert offered(NOWHERE, "predict", "--token-file", "/nowhere", "m") == []
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell: str) -> None:
    """It asks for completions in that shell's own way."""
    script = CliRunner().invoke(cli, ["completion", shell], prog_name="thalweg").stdout
    assert f"_THALWEG_COMPLETE={shell}_complete" in script
