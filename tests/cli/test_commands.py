"""The client's commands against a real server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.cli.conftest import Run, line_of
from thalweg_server.background import BackgroundServer


def parsed(result: Result) -> Any:
    """Return what a command printed for machines."""
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def milk(run: Run) -> None:
    """A model that has learned two days."""
    assert run("upload", "milk", "thalweg.m5:knn", "--context", "id,date").exit_code == 0
    for day, sold in (("2016-05-21", "3"), ("2016-05-22", "1")):
        assert run("learn", "milk", sold, "--date", day).exit_code == 0


@pytest.mark.usefixtures("milk")
def test_predict_prints_the_value_or_the_whole_answer(run: Run) -> None:
    """People get a line, machines every field."""
    assert (
        "by default, after 2 observations" in run("predict", "milk", "--date", "2016-05-23").stdout
    )
    answer = parsed(run("predict", "milk", "--date", "2016-05-23", "--horizon", "3", "--json"))
    assert answer["prediction"]["value"] == 2.0
    assert [point["date"] for point in answer["forecast"]] == [
        "2016-05-23",
        "2016-05-24",
        "2016-05-25",
    ]


@pytest.mark.usefixtures("milk")
def test_a_forecast_is_a_table_of_days(run: Run) -> None:
    """What the first day brings stands above it; so do all candidates, the champion starred."""
    run("upload", "milk", "thalweg.m5:lm", "--candidate", "lm", "--context", "date")
    asked = ("predict", "milk", "--date", "2016-05-23", "--horizon", "2")
    said, *days = run(*asked).stdout.splitlines()
    assert said.startswith("2.000 by default")
    assert [line.split() for line in days[1:]] == [["2016-05-23", "2.000"], ["2016-05-24", "2.000"]]
    candidates = run(*asked, "--all-candidates").stdout.splitlines()[2:4]
    assert [line.split()[0] for line in candidates] == ["default*", "lm"]


@pytest.mark.usefixtures("milk")
def test_a_late_label_is_learned_by_its_prediction_id_once(run: Run) -> None:
    """Predict keeps the answer; learn scores it, and says so when it comes again."""
    assert run("predict", "milk", "--date", "2016-05-23", "--prediction-id", "p").exit_code == 0
    answer = parsed(run("learn", "", "4", "--prediction-id", "p", "--json"))
    assert (answer["learned"], answer["candidates"][0]["prediction"]["value"]) == (3, 2.0)
    again = run("learn", "", "4", "--prediction-id", "p")
    assert again.stdout == "milk had learned this before; it has 3 observations\n"


def test_targets_and_features_are_read_as_json(run: Run) -> None:
    """Negative numbers are targets, not options; quoted numbers are texts."""
    run("upload", "linear", "tests.estimators:linear")
    learned = run("learn", "linear", "-2.5", "--feature", "price=1e1", "--feature", "sale=true")
    assert learned.exit_code == 0, learned.stderr
    refused = run("learn", "linear", '"3"')
    assert "(BAD_TARGET)" in line_of(refused)


@pytest.mark.usefixtures("milk")
def test_what_is_downloaded_can_be_uploaded(run: Run, tmp_path: Path) -> None:
    """A file of dill bytes carries what was learned to another model."""
    file = tmp_path / "milk.dill"
    assert parsed(run("download", "milk", str(file), "--json"))["bytes"] == file.stat().st_size
    assert list(tmp_path.iterdir()) == [file]
    run("upload", "cream", str(file), "--context", "date")
    answer = parsed(run("predict", "cream", "--date", "2016-05-23", "--json"))
    assert answer["prediction"]["value"] == 2.0


@pytest.mark.usefixtures("milk")
def test_delete_removes_what_it_says(run: Run) -> None:
    """A second delete finds nothing."""
    run("upload", "milk", "thalweg.m5:lm", "--candidate", "lm", "--context", "date")
    assert parsed(run("delete", "milk", "--candidate", "lm", "--json"))["candidate"] == "lm"
    assert run("delete", "milk").stdout == "deleted milk\n"
    result = run("delete", "milk")
    assert result.exit_code == 1
    assert "(UNKNOWN_MODEL)" in line_of(result)


def test_a_template_is_uploaded_under_a_glob(run: Run) -> None:
    """It is listed with --template, and makes models on demand."""
    made = parsed(
        run("upload", "*_X", "thalweg.m5:lm", "--template", "--context", "date", "--json")
    )
    assert (made["model"], made["template"]) == ("*_X", True)
    assert run("learn", "eggs_X", "2", "--date", "2016-05-22").exit_code == 0
    assert parsed(run("models", "--template", "--json"))["model"] == "*_X"
    assert parsed(run("models", "--json"))["model"] == "eggs_X"


def test_health_says_that_it_serves(run: Run) -> None:
    """As a line or an object."""
    assert run("health").stdout == "serving\n"
    assert parsed(run("health", "--json")) == {"serving": True}


def test_no_finite_answer_is_a_failure(run: Run) -> None:
    """A script sees it in the exit code."""
    run("upload", "cold", "thalweg.m5:lm", "--context", "date")
    result = run("predict", "cold", "--date", "2016-05-23")
    assert result.exit_code == 1
    assert line_of(result) == "thalweg: no candidate of cold has a finite answer"


@pytest.mark.usefixtures("milk")
def test_watch_prints_changes_until_ctrl_c(server: BackgroundServer, run: Run) -> None:
    """Current scores first, then each change as an object per line."""
    command = [sys.executable, "-m", "thalweg.cli", "watch", "--json", "--server", server.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as watching:
        assert watching.stdout is not None
        assert json.loads(watching.stdout.readline())["learned"] == 2
        run("learn", "milk", "2", "--date", "2016-05-23")
        assert json.loads(watching.stdout.readline())["learned"] == 3
        watching.send_signal(2)
        _, complaint = watching.communicate(timeout=10)
    assert (watching.returncode, complaint) == (130, b"thalweg: interrupted\n")


@pytest.mark.usefixtures("milk")
def test_a_reader_that_leaves_is_no_error(server: BackgroundServer, run: Run) -> None:
    """`thalweg watch | head -1` says nothing on stderr."""
    command = [sys.executable, "-m", "thalweg.cli", "watch", "--server", server.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline()
        watching.stdout.close()
        run("learn", "milk", "2", "--date", "2016-05-23")
        assert watching.wait(timeout=10) == 1
        assert watching.stderr is not None
        assert watching.stderr.read() == b""
