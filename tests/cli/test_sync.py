"""`thalweg sync` as people meet it: what it prints, what it refuses, what is wrong with a query."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from river import dummy, stats

import thalweg
from tests.cli.conftest import Run, line_of
from thalweg_server.background import BackgroundServer

DAY = "2016-05-01"
QUERY = "SELECT item AS model, day AS date, units AS target FROM sales"
DAILY = f"{QUERY} WHERE day = :day"


@pytest.fixture
def shop(tmp_path: Path, server: BackgroundServer) -> Path:
    """A database with three sales of a day, whose models the server can make."""
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE sales (item, day, units)")
    sell(path, *((item, DAY, units) for units, item in enumerate(("ale", "bread", "milk"))))
    with thalweg.Client(server.address) as client:
        client.upload_model("*", dummy.StatisticRegressor(stats.Mean()), template=True)
    return path


def sell(shop: Path, *sales: tuple[object, ...]) -> None:
    """Adds sales."""
    with closing(sqlite3.connect(shop)) as database, database:
        database.executemany("INSERT INTO sales VALUES (?, ?, ?)", sales)


def sync(run: Run, shop: Path, *args: str) -> Result:
    """Runs it for that database."""
    return run("sync", *args, THALWEG_DSN=f"sqlite:///{shop}")


def test_it_says_what_became_of_the_rows(run: Run, shop: Path) -> None:
    """In a line, or for machines; the second time all are duplicates."""
    first = sync(run, shop, "--query", DAILY, "--date", DAY)
    assert first.stdout.startswith("3 rows in ")
    assert first.stdout.endswith(": 3 learned, 0 duplicates, 0 refused\n")
    again = json.loads(sync(run, shop, "--query", f"{DAILY};", "--date", DAY, "--json").stdout)
    assert (again["rows"], again["learned"], again["duplicates"]) == (3, 0, 3)


def test_the_day_is_today_or_yesterday_or_a_date(run: Run, shop: Path) -> None:
    """Today where none is given; a day without sales is no failure."""
    today = date.today()
    for ago in (0, 1, 2):
        sell(shop, *[("ale", str(today - timedelta(days=ago)), 1)] * (ago < 2))
    learned = [
        json.loads(sync(run, shop, "--query", DAILY, "--json", *chosen).stdout)["learned"]
        for chosen in (("--date", DAY), ("--date", "yesterday"), (), ("--date", "2016-04-30"))
    ]
    assert learned == [3, 1, 1, 0]


def test_rows_that_cannot_be_learned_are_refused_and_listed(
    run: Run, shop: Path, tmp_path: Path
) -> None:
    """No target, no such day, no name, two of a day: each with its row; the rest is learned."""
    sell(shop, ("nil", DAY, None), ("odd", "2016-02-30", 1), (None, DAY, 1))
    sell(shop, ("two", DAY, 1), ("two", DAY, 2), ("text", DAY, "many"), ("undated", None, 1))
    errors = tmp_path / "errors.jsonl"
    result = sync(run, shop, "--query", QUERY, "--errors", str(errors))
    assert result.exit_code == 1
    assert result.stdout.endswith(": 3 learned, 0 duplicates, 7 refused\n")
    assert "7 of 10 rows were refused; the first is row " in result.stderr
    told = [json.loads(line) for line in errors.read_text().splitlines()]
    assert sorted((one["model"], one["date"], one["target"], one["reason"]) for one in told) == [
        ("", DAY, 1, "BAD_NAME"),
        ("nil", DAY, None, "BAD_TARGET"),
        ("odd", "2016-02-30", 1, "BAD_DATE"),
        ("text", DAY, "many", "BAD_TARGET"),
        ("two", DAY, 1, "REPEATED"),
        ("two", DAY, 2, "REPEATED"),
        ("undated", "", 1, "BAD_DATE"),
    ]
    assert len({one["where"] for one in told}) == 7
    sell(shop, ("nil", "2016-05-02", 5))
    assert ": 1 learned, 3 duplicates, 7 refused" in sync(run, shop, "--query", QUERY).stdout


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELEC 1", "shop.db: near"),
        ("SELECT * FROM sails -- ;", "no such table: sails"),
        ("SELECT item AS model, units AS y FROM sales", "no column date: it gives model, y"),
        (f"{QUERY} WHERE day > :since", "the query has :since: only :day"),
        ("SELECT *, item AS id, day AS date, units AS y, 1 AS y FROM sales", "gives 'y' twice"),
        ("SELECT item AS id, item AS model, units AS y FROM sales", "both model and id"),
        ("SELECT item AS id, units AS y, 20160501 AS date FROM sales", "'date' holds 20160501"),
        ("SELECT item AS id, units AS y, day || ' 10:30' AS date FROM sales", "a time of day"),
        ("SELECT item AS id, units AS y, x'00' AS a, day AS date FROM sales", "row 1: column 'a'"),
        ("DELETE FROM sales RETURNING *", "syntax error"),
    ],
)
def test_what_is_wrong_with_a_query_is_one_line(
    run: Run, shop: Path, query: str, says: str
) -> None:
    """In the database's words, or with the column, the row and the value; nothing is changed."""
    result = sync(run, shop, "--query", query)
    assert result.exit_code == 1
    assert says in line_of(result)
    assert "3 learned" in sync(run, shop, "--query", QUERY).stdout


@pytest.mark.parametrize(
    ("dsn", "says"),
    [
        ("shop.db", "write sqlite:///shop.db or"),
        ("postgresql://me:secret@host:port/x", "cannot be read"),
        ("oracle9://me:secret@host/x", "no database is known as 'oracle9'"),
        ("mysql://me:secret@host/x", "the driver MySQLdb is missing"),
        ("sqlite:///nowhere/shop.db", "nowhere/shop.db: no such file"),
        ("postgresql://me:secret@127.0.0.1:1/x", "postgresql 127.0.0.1 x: "),
    ],
)
def test_what_is_wrong_with_a_database_is_one_line_without_its_password(
    run: Run, dsn: str, says: str
) -> None:
    """A file that is not there is not made, either."""
    result = run("sync", "--dsn", dsn, "--query", QUERY)
    assert result.exit_code == 1
    line = line_of(result)
    assert says in line
    assert "secret" not in line


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--query", QUERY], "Missing option '--dsn'"),
        (["--dsn", "sqlite://"], "Missing option '--query'"),
        (["--dsn", "sqlite://", "--query", QUERY, "--date", DAY], "is for :day, which is not"),
        (["--dsn", "sqlite://", "--query", DAILY, "--date", "1.5."], "'1.5.' is no day"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(run: Run, args: list[str], says: str) -> None:
    """A day that the query does not use is a mistake, too."""
    result = run("sync", *args)
    assert result.exit_code == 2
    assert says in line_of(result)
