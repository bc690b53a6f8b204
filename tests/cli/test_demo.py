"""`thalweg demo`, on a few items."""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from functools import cache
from importlib import import_module
from typing import Any

import pytest
from click.testing import CliRunner

import thalweg
from tests.cli.conftest import line_of
from thalweg import m5
from thalweg.cli import cli
from thalweg.demo import story
from thalweg.demo.process import _environment
from thalweg.demo.scene import Choice, choose

ITEMS = 5
DEMO = [sys.executable, "-m", "thalweg.cli", "demo"]


@cache
def figures() -> dict[str, Any]:
    """Return what the demo prints for machines; run once."""
    command = [*DEMO, "--items", str(ITEMS), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def river_errors(make: Any, first: int, last: int) -> list[float]:
    """Return a pipeline's absolute errors on some days of the items, from a plain River loop."""
    errors = []
    for _, history in m5.evaluation_days().select(first=ITEMS).histories():
        estimator = make()
        for number, (day, sold) in enumerate(history):
            error = abs(sold - estimator.predict_one({"date": day}))
            if first <= number < last and math.isfinite(error):
                errors.append(error)
            estimator.learn_one({"date": day}, sold)
    return errors


@pytest.mark.parametrize("name", ["knn", "lm"])
def test_each_mae_is_that_of_a_river_loop(name: str) -> None:
    """Before, after, and of the last seven days, on the real sales."""
    line = next(line for line in figures()["qualities"] if line["candidate"] == name)
    for column, days in (("before", (0, 21)), ("streamed", (21, 28)), ("after", (0, 28))):
        errors = river_errors(getattr(m5, name), *days)
        assert line[f"mae_{column}"] == pytest.approx(sum(errors) / len(errors), abs=1e-9)


def test_the_figures_fit_together() -> None:
    """Rows, shares of items, and the champion's errors over all days."""
    found = figures()
    assert (found["items"], found["warm_up"]["rows"], found["streamed"]["rows"]) == (5, 105, 34)
    knn, lm, champion = found["qualities"]
    for column in ("won_before", "won_after"):
        assert knn[column] + lm[column] == pytest.approx(1.0)
        assert champion[column] is None
    assert (found["warm_up"]["days"], found["streamed"]["days"]) == (21, 7)
    whole = (21 * champion["mae_before"] + 7 * champion["mae_streamed"]) / 28
    assert champion["mae_after"] == pytest.approx(whole)
    assert found["unusable"] == {"knn": 0, "lm": ITEMS}


def test_the_examples_own_calls_are_played() -> None:
    """The last day is predicted under an id, the real sale learned by it, the next day forecast."""
    found = figures()
    played, forecast = found["by_hand"], found["forecast"]
    assert (played["item"], played["day"]) == ("HOBBIES_1_001_CA_1", "2016-05-22")
    assert played["sold"] == m5.evaluation_days().units_of(played["item"], played["day"])
    assert (forecast["item"], forecast["day"]) == (played["item"], "2016-05-23")
    assert math.isfinite(forecast["mean"])
    assert f'thalweg_model_learned_total{{model="{played["item"]}"}} 28' in found["metrics_lines"]


def test_worst_and_best_are_in_order() -> None:
    """By the champion's error, the largest and the smallest first."""
    for name, reverse in (("worst", True), ("best", False)):
        errors = [item["mae"] for item in figures()[name]]
        assert errors
        assert errors == sorted(errors, reverse=reverse)


def test_the_story_fits_a_terminal() -> None:
    """Not a line of it is wider than 80 columns, but for the metrics' own lines."""
    command = [*DEMO, "--items", "2", "--days", "8"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if "thalweg_model" not in line]
    assert max(len(line) for line in lines) <= 80
    assert lines[-1].startswith("Done in ")


def test_all_items_of_all_stores_are_its_own() -> None:
    """Without --items nothing is left out, and the templates are for every name."""
    scene = choose(Choice(items=None, data=None, days=8))
    assert (len(scene.sales.ids), scene.glob) == (30_490, "*")
    assert (scene.warm_up.observations, scene.streamed.observations) == (30_490, 7 * 30_490 - 1)
    assert scene.mean_units() == {
        name: pytest.approx(sum(sold for _, sold in history) / 8)
        for name, history in scene.sales.histories()
    }


@pytest.mark.parametrize(("patience", "told"), [(0.01, 1), (60.0, 0)])
def test_an_upload_that_takes_long_is_explained(
    patience: float, told: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, while it lasts; one that is over soon is not."""
    monkeypatch.setattr(story, "PATIENCE_SECONDS", patience)
    calls: list[str] = []
    with story._told_if_slow(lambda: calls.append("compiling")):
        time.sleep(0.2)
    assert len(calls) == told


def test_the_server_keeps_its_kernels_where_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the settings in the environment only the place of compiled kernels reaches it."""
    monkeypatch.setenv("THALWEG_KERNEL_CACHE", "/there")
    monkeypatch.setenv("THALWEG_PORT", "1")
    ours = _environment()
    assert ours["THALWEG_KERNEL_CACHE"] == "/there"
    assert "THALWEG_PORT" not in ours
    assert ours["PATH"] == os.environ["PATH"]


def listens(address: str) -> bool:
    """Say whether a server answers there."""
    with thalweg.Client(address, timeout=0.5) as client:
        try:
            client.init()
        except thalweg.errors.ThalwegError:
            return False
    return True


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGKILL, -9)])
def test_a_kept_server_ends_with_the_demo(number: signal.Signals, code: int) -> None:
    """By Ctrl-C, and even if the demo is killed."""
    command = [*DEMO, "--items", "1", "--days", "8", "--keep", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())["address"]
        assert listens(address)
        process.send_signal(number)
        assert process.wait(timeout=20) == code
    deadline = time.monotonic() + 10
    while listens(address) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not listens(address)


def test_without_the_demo_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, before anything is started."""
    module = import_module("thalweg.cli.demo")  # the name itself is the command
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    result = CliRunner().invoke(cli, ["demo"])
    assert result.exit_code == 1
    assert line_of(result) == "thalweg: the demo needs river: pip install 'thalweg[demo]'"


def test_a_server_that_does_not_start_is_one_line() -> None:
    """Its own complaint, not a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = (
            "import thalweg.demo.process as p\n"
            f"p._ARGUMENTS = ('--port', '0', '--metrics-port', '{port}')\n"
            "from thalweg.cli import main\nmain(['demo', '--items', '1'])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"THALWEG_DATA_DIR": "ignored"},
        )
    assert done.returncode == 1
    refused = f"thalweg: the server did not start: cannot listen on 127.0.0.1:{port}"
    assert done.stderr.startswith(refused)
    assert done.stderr.count("\n") == 1
