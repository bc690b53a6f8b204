"""`thalweg plot`: forecasts as a picture, as text, and as points."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.image import imread

from tests.cli.conftest import Run, line_of
from thalweg_server.background import BackgroundServer

FORECAST = ("plot", "milk", "--horizon", "3")


@pytest.fixture
def milk(run: Run, sales: Path) -> Path:
    """A model with two candidates that has learned ten days; return the file of its sales."""
    for name in ("knn", "lm"):
        run("upload", "milk", f"thalweg.m5:{name}", "--candidate", name, "--context", "date")
    streamed = run("stream", str(sales), "--glob", "milk", "--last-day", "2016-05-10")
    assert streamed.exit_code == 0, streamed.stderr
    return sales


def test_points_are_those_that_predict_gives(run: Run, milk: Path) -> None:
    """Of every candidate, from the day after the last learned; sales as far as there are any."""
    chart = json.loads(run(*FORECAST, "--sales", str(milk), "--history", "2", "--json").stdout)
    days = ["2016-05-11", "2016-05-12", "2016-05-13"]
    for line in chart["forecasts"]:
        asked = ("predict", "milk", "--date", days[0], "--candidate", line["candidate"])
        answer = json.loads(run(*asked, "--horizon", "3", "--json").stdout)
        points = [{"date": day["date"], "value": day["mean"]} for day in answer["forecast"]]
        assert line["points"] == points
        assert [point["date"] for point in points] == days
    assert [line["candidate"] for line in chart["forecasts"]] == ["knn", "lm"]
    assert [line["champion"] for line in chart["forecasts"]].count(True) == 1
    assert chart["sold"] == [
        {"date": "2016-05-09", "value": 2.0},
        {"date": "2016-05-10", "value": 0.0},
        {"date": "2016-05-11", "value": 2.0},
    ]


def test_a_picture_is_drawn_on_white(run: Run, milk: Path, tmp_path: Path) -> None:
    """PNG of 1200 by 600 dots; lines of both candidates and of the sales are on it."""
    target = tmp_path / "plot.png"
    result = run(*FORECAST, "--sales", str(milk), "--output", str(target))
    assert result.stdout == f"milk, forecast of 2016-05-11 to 2016-05-13: {target}\n"
    assert struct.unpack(">II", target.read_bytes()[16:24]) == (1200, 600)
    dots = (imread(target)[:, :, :3] * 255).round().astype(int)
    assert dots[0, 0].tolist() == [255, 255, 255]
    for color in ((0x5F, 0x6B, 0x7A), (0x00, 0x67, 0xB1), (0xD1, 0x49, 0x5B)):
        assert (dots == color).all(axis=2).sum() > 100, color


def test_a_picture_says_what_it_shows(run: Run, milk: Path, tmp_path: Path) -> None:
    """Title, axes, legend and days, as text in an SVG; names are no mathematics."""
    name = "_$a_1$"
    run("upload", "milk", "thalweg.m5:knn", "--candidate", name, "--context", "date")
    run("learn", "milk", "2", "--date", "2016-05-11")
    target = tmp_path / "plot.svg"
    result = run(*FORECAST, "--sales", str(milk), "--output", str(target))
    assert result.exit_code == 0, result.stderr
    # Letters are drawn as shapes; matplotlib keeps each text beside them as a comment.
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    tree = ElementTree.fromstring(target.read_bytes(), parser)
    texts = {(each.text or "").strip() for each in tree.iter(ElementTree.Comment)}
    assert {"milk, forecast of 2016-05-12 to 2016-05-14", "day", "units", "sold"} <= texts
    assert "03 May 2016" in texts
    assert any(text.startswith("_$a_1$ (") for text in texts), sorted(texts)
    assert b"Oblique" not in target.read_bytes()  # as letters of a formula are
    assert sum("champion, MAE" in text for text in texts) == 1


def test_without_a_file_it_is_drawn_in_the_terminal(run: Run, milk: Path) -> None:
    """With title, days, values and a legend whose signs differ; as wide as the terminal."""
    for columns in (80, 120):
        drawn = run(*FORECAST, "--sales", str(milk), COLUMNS=str(columns))
        lines = drawn.stdout.splitlines()
        assert lines[0] == "milk, forecast of 2016-05-11 to 2016-05-13"
        assert columns - 10 < max(map(len, lines)) <= columns
        assert "01 May 16" in drawn.stdout
        assert "(units)" in drawn.stdout
        legend = [line.split()[:2] for line in lines[lines.index("Legend:") + 2 :]]
        assert legend == [["⠤⠤", "sold"], ["⠤o⠤", "knn"], ["⠤x⠤", "lm"]]


def test_a_candidate_that_fails_is_named_and_the_others_are_drawn(run: Run, milk: Path) -> None:
    """One line on stderr each; nothing to draw at all is a failure."""
    run("upload", "milk", "tests.estimators:RaisesInPredict", "--candidate", "mute")
    result = run(*FORECAST, "--json")
    assert result.stderr.startswith("thalweg: mute: ")
    assert result.stderr.count("\n") == 1
    forecasts = json.loads(result.stdout)["forecasts"]
    assert [line["candidate"] for line in forecasts] == ["knn", "lm"]
    run("upload", "nan", "tests.estimators:Nan")
    said = line_of(run("plot", "nan", "--date", "2016-05-11"))
    assert said == "thalweg: no candidate of nan has a finite answer"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["nope"], "no model 'nope'"),
        (["new"], "new has learned no day to go on from: say --date"),
        (["milk", "--sales", "{sales}", "--date", "2030-01-01"], "from 2029-11-06 to 2030-01-28"),
        (["new", "--sales", "{sales}", "--date", "2016-05-11"], "no sales of new; its first id is"),
        (["milk", "--output", "{folder}/plot.txt"], "Format 'txt' is not supported"),
        (["milk", "--output", "{folder}/none/plot.png"], "No such file or directory"),
        (["milk", "--date", "9999-12-31"], "(BAD_DATE)"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(
    run: Run, milk: Path, tmp_path: Path, args: list[str], says: str
) -> None:
    """The line says what to do about it."""
    run("upload", "new", "thalweg.m5:knn", "--context", "date")
    result = run("plot", *(arg.format(sales=milk, folder=tmp_path) for arg in args))
    assert result.exit_code == 1
    assert says in line_of(result)


def output_of(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder."""
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)


@pytest.mark.usefixtures("milk")
@pytest.mark.parametrize(
    ("package", "args"), [("matplotlib", ["--output", "x.png"]), ("plotille", [])]
)
def test_a_missing_package_is_one_line(
    server: BackgroundServer, package: str, args: list[str], tmp_path: Path
) -> None:
    """It says what to install; --json needs none."""
    hidden = f"import sys; sys.modules['{package}'] = None; from thalweg.cli import main; main()"
    command = [sys.executable, "-c", hidden, *FORECAST, "--server", server.address]
    done = output_of([*command, *args], tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"thalweg: plot needs {package}: pip install 'thalweg[plot]'\n"
    assert list(tmp_path.glob("*.png")) == []
    done = output_of([*command, "--json"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
