"""`thalweg stream` and `thalweg warmup`."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

import thalweg
from tests.cli.conftest import DAYS, Run, line_of
from thalweg.results import ModelInfo
from thalweg_server.background import BackgroundServer

ROWS = 2 * len(DAYS) + 1
FIRST, SECOND = "2011-01-29", "2011-01-30"
UNKNOWN = "no model"


@pytest.fixture
def templates(run: Run) -> None:
    """Both pipelines for every name."""
    for name in ("knn", "lm"):
        run(
            *("upload", "*", f"thalweg.m5:{name}", "--candidate", name),
            *("--template", "--context", "date"),
        )


@pytest.mark.usefixtures("templates")
def test_a_file_is_learned_and_totalled(run: Run, sales: Path) -> None:
    """Official suffixes go; the totals are the server's."""
    totals = json.loads(run("stream", str(sales), "--json").stdout)
    assert (totals["rows"], totals["learned"], totals["error_count"]) == (ROWS, ROWS, 0)
    assert totals["rows_per_second"] > 0
    models = [json.loads(line) for line in run("models", "--json").stdout.splitlines()]
    assert [(model["model"], model["learned"]) for model in models] == [("bread", 10), ("milk", 11)]


@pytest.mark.usefixtures("templates")
def test_a_selection_is_streamed_and_days_learned_are_skipped(run: Run, sales: Path) -> None:
    """By name and by day; a second run with --skip-learned-dates learns only what is new."""
    selected = ("--glob", "m*", "--first-day", "2016-05-03", "--last-day", "2016-05-05")
    assert run("stream", str(sales), *selected).stdout.startswith("3 rows in ")
    totals = json.loads(run("stream", str(sales), "--skip-learned-dates", "--json").stdout)
    assert (totals["learned"], totals["duplicates"]) == (ROWS - 5, 5)


@pytest.mark.usefixtures("templates")
def test_a_file_is_learned_once_however_often_it_is_streamed(run: Run, sales: Path) -> None:
    """Days that were added are learned, those before are not; unless all are asked for again."""
    run("stream", str(sales))
    with sales.open("a") as file:
        file.write("milk,2016-05-12,1\n")
    totals = json.loads(run("stream", str(sales), "--json").stdout)
    assert (totals["learned"], totals["duplicates"]) == (1, ROWS)
    again = json.loads(run("stream", str(sales), "--no-skip-learned-dates", "--json").stdout)
    assert (again["learned"], again["duplicates"]) == (ROWS + 1, 0)


@pytest.mark.usefixtures("templates")
@pytest.mark.parametrize("name", ["wide.csv", "wide.parquet", "long.parquet"])
def test_other_forms_of_a_file_are_the_same_sales(run: Run, tmp_path: Path, name: str) -> None:
    """Wide or long, csv or parquet."""
    wide = {"id": ["milk", "bread"], "d_1": [1.0, 2.0], "d_2": [3.0, None]}
    long = {"id": ["milk", "bread", "milk"], "date": [FIRST, FIRST, SECOND], "y": [1.0, 2.0, 3.0]}
    table, path = pa.table(wide if "wide" in name else long), tmp_path / name
    if name.endswith(".csv"):
        pa_csv.write_csv(table, path)
    else:
        pq.write_table(table, path)
    assert json.loads(run("stream", str(path), "--json").stdout)["learned"] == 3
    model = json.loads(run("models", "--glob", "milk", "--json").stdout)
    assert (model["learned"], model["learned_through"]) == (2, SECOND)


@pytest.mark.usefixtures("templates")
def test_a_named_stream_goes_on_where_it_was(run: Run, sales: Path) -> None:
    """The same id and file again: all rows are duplicates."""
    named = ("stream", str(sales), "--stream-id", "sales-1", "--batch-rows", "4", "--json")
    assert json.loads(run(*named).stdout)["learned"] == ROWS
    assert json.loads(run(*named).stdout)["duplicates"] == ROWS


@pytest.mark.usefixtures("templates")
def test_stdin_is_read_as_long_csv(run: Run, sales: Path) -> None:
    """Columns in any order; a row without y is none."""
    text = (
        "y,note,date,id\n3,x,2016-05-01,milk_validation\n,x,2016-05-02,milk\n\n2,,2016-05-03,eggs"
    )
    assert run("stream", "-", input=text).stdout.startswith("2 rows in ")
    assert json.loads(run("stream", "-", "--json", input=sales.read_text()).stdout)["rows"] == ROWS


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "column 'id' is missing"),
        ("id,date\n", "column 'y' is missing"),
        ("id,date,y\n" + "x" * 200_000, "stdin is no csv"),
        (b"id,date,y\nm\xfflk,2016-05-01,1\n", "stdin is not UTF-8"),
    ],
)
def test_stdin_that_is_no_table_is_one_line(run: Run, text: str | bytes, says: str) -> None:
    """It says what is wrong; where a column is missing, which."""
    result = run("stream", "-", input=text)
    assert result.exit_code == 1
    assert says in line_of(result)


@pytest.mark.usefixtures("templates")
def test_refused_rows_fail_the_command_after_the_rest_is_learned(run: Run) -> None:
    """The totals are printed; the line names the first refused one."""
    result = run("stream", "-", input="id,date,y\nmilk,2016-05-01,3\nmilk,2016-02-30,1\nmilk,,x\n")
    assert result.exit_code == 1
    assert "1 learned, 0 duplicates, 2 refused" in result.stdout
    assert result.stderr.startswith("thalweg: 2 of 3 rows were refused; the first is line 3: ")
    assert result.stderr.endswith("(BAD_DATE)\n")


@pytest.mark.usefixtures("templates")
def test_broken_lines_of_stdin_are_refused_and_the_rest_is_learned(run: Run) -> None:
    """With their numbers; numbers that no float can hold, too."""
    lines = ["id,date,y", "milk,2016-05-01,3", "milk,2016-05-02", "", f"milk,2016-05-03,{10**400}"]
    result = run("stream", "-", "--errors", "-", input="\n".join([*lines, "milk,2016-05-04,1"]))
    assert result.exit_code == 1
    told = [json.loads(line) for line in result.stdout.splitlines()[:-1]]
    assert sorted((one["where"], one["reason"], one["model"]) for one in told) == [
        ("line 3", "BAD_LINE", ""),
        ("line 5", "BAD_TARGET", "milk"),
    ]
    assert "2 learned, 0 duplicates, 2 refused" in result.stdout


def test_every_refused_row_is_a_line_of_the_errors_file(run: Run, tmp_path: Path) -> None:
    """More than an ack names, each with its place, model, date, target, reason; appended."""
    sales, errors = tmp_path / "sales.csv", tmp_path / "errors.jsonl"
    rows = [f"item{number},2016-05-0{day},{number}" for day in (1, 2) for number in range(150)]
    sales.write_text("id,date,y\n" + "\n".join(rows) + "\n")
    result = run("stream", str(sales), "--errors", str(errors))
    assert f"300 of 300 rows were refused; the first is row 1: {UNKNOWN}" in result.stderr
    assert result.stderr.endswith(f"; all are in {errors}\n")
    told = [json.loads(line) for line in errors.read_text().splitlines()]
    assert [one["where"] for one in told] == [f"row {number}" for number in range(1, 301)]
    assert told[151] == {
        "where": "row 152",
        "model": "item1",
        "date": "2016-05-02",
        "target": 1.0,
        "reason": "UNKNOWN_MODEL",
        "message": told[151]["message"],
    }
    run("stream", str(sales), "--errors", str(errors), "--batch-rows", "120")
    more = [json.loads(line) for line in errors.read_text().splitlines()[300:]]
    assert len(more) == 2 * (100 + 1 + 30)
    assert (more[100]["where"], more[100]["reason"]) == ("rows 1 to 120", "UNLISTED")


@pytest.mark.usefixtures("templates")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_what_was_stopped_half_way_goes_on_and_learns_nothing_twice(
    run: Run, server: BackgroundServer, tmp_path: Path, stop: signal.Signals
) -> None:
    """By Ctrl-C, which says so, or killed: the same command makes it good, to the last bit."""
    sales, rows = tmp_path / "sales.csv", 3_000
    days = [date(2000, 1, 1) + timedelta(days=number) for number in range(rows // 2)]
    lines = [f"{item},{day},{day.toordinal() % 7}" for day in days for item in ("milk", "bread")]
    sales.write_text("id,date,y\n" + "\n".join(lines))
    command = [sys.executable, "-m", "thalweg.cli", "stream", str(sales), "--batch-rows", "1"]
    with thalweg.Client(server.address) as client:
        child = subprocess.Popen(
            [*command, "--server", server.address], stdout=PIPE, stderr=PIPE, text=True
        )
        while sum(model.learned for model in client.list_models()) < 20:
            assert child.poll() is None
        child.send_signal(stop)
        told = child.communicate(timeout=60)
        before = sum(model.learned for model in client.list_models())
        assert 20 <= before < rows
        if stop == signal.SIGINT:
            assert child.returncode == 130
            assert re.match(r"\d+ rows in ", told[0])
            assert told[1].endswith("goes on from here\nthalweg: interrupted\n")
        totals = json.loads(run("stream", str(sales), "--json").stdout)
        assert totals["learned"] + totals["duplicates"] == rows
        stopped = list(client.list_models())
        for model in stopped:
            client.delete_model(model.model)
        assert json.loads(run("stream", str(sales), "--json").stdout)["learned"] == rows
        assert scores(client.list_models()) == scores(stopped)


def scores(models: Iterable[ModelInfo]) -> list[Any]:
    """What each candidate of each model learned, and how well it predicted it."""
    return [
        (model.model, model.learned, [(one.learned, one.score) for one in model.candidates])
        for model in models
    ]


def test_remote_warm_up_makes_a_model_per_item_with_both_pipelines(run: Run, sales: Path) -> None:
    """The M5 pair by default; the templates stay for items to come."""
    outcome = json.loads(run("warmup", str(sales), "--json").stdout)
    assert (outcome["models"], outcome["learned"], outcome["error_count"]) == (2, ROWS, 0)
    model = json.loads(run("models", "--glob", "milk", "--json").stdout)
    assert [one["candidate"] for one in model["candidates"]] == ["knn", "lm"]
    assert "CANDIDATE_EXISTS" in line_of(run("warmup", str(sales)))
    assert run("warmup", str(sales), "--replace", "--skip-learned-dates").exit_code == 0


def test_local_warm_up_uploads_the_better_one_and_says_how_they_did(run: Run, sales: Path) -> None:
    """One candidate per model, all that was learned in it."""
    outcome = json.loads(run("warmup", str(sales), "--mode", "local", "--json").stdout)
    assert sum(outcome["won"].values()) == outcome["models"] == 2
    assert set(outcome["mae"]) == {"knn", "lm"}
    models = [json.loads(line) for line in run("models", "--json").stdout.splitlines()]
    assert [len(model["candidates"]) for model in models] == [1, 1]
    table = run("warmup", str(sales), "--mode", "local", "--replace").stdout.splitlines()
    assert table[0].startswith(f"2 models, {ROWS} rows in ")
    assert [line.split()[0] for line in table[1:]] == ["candidate", "knn", "lm"]
