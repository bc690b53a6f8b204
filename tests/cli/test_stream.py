"""`thalweg stream` and `thalweg warmup`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import DAYS, Run, line_of

ROWS = 2 * len(DAYS) + 1


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
        ("id,date,y\nmilk,2016-05-01\n", "line 2 has 2 cells, not 3"),
    ],
)
def test_stdin_that_is_no_table_is_one_line(run: Run, text: str, says: str) -> None:
    """It says which column or line."""
    result = run("stream", "-", input=text)
    assert result.exit_code == 1
    assert says in line_of(result)


@pytest.mark.usefixtures("templates")
def test_refused_rows_fail_the_command_after_the_rest_is_learned(run: Run) -> None:
    """The totals are printed; the line names the first refused row."""
    result = run("stream", "-", input="id,date,y\nmilk,2016-05-01,3\nmilk,2016-02-30,1\nmilk,,x\n")
    assert result.exit_code == 1
    assert "1 learned, 0 duplicates, 2 not learned" in result.stdout
    assert result.stderr.startswith("thalweg: 2 of 3 rows were not learned; the first is row 2: ")
    assert result.stderr.endswith("(BAD_DATE)\n")


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
