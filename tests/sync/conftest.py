"""A shop's database, in SQLite and in PostgreSQL, and servers that are to learn its sales."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from river import linear_model, preprocessing

import thalweg
from tests.crash.host import Host, hosting, prepared
from tests.storage.conftest import database
from thalweg.results import ModelInfo
from thalweg.sync.query import address_of

__all__ = ["database"]

DAYS = [date(2016, 5, 1) + timedelta(days=number) for number in range(12)]
ITEMS = [f"item {number}" for number in range(8)]

QUERY = "SELECT item AS model, day AS date, units AS target, price FROM sales"
DAILY = f"{QUERY} WHERE day = :day"

Sale = tuple[str, date, float, float]
"""Item, day, units, price."""


def sales_of(days: Iterable[date] = DAYS) -> list[Sale]:
    """What was sold, in order of the days."""
    return [
        (item, day, float((3 * place + day.day) % 5), 1.0 + day.day / 10)
        for day in days
        for place, item in enumerate(ITEMS)
    ]


@dataclass(frozen=True, slots=True)
class Shop:
    """A database with one table, `sales`.

    Args:
        dsn: its URL.
        engine: a connection of the shop's own to it.
    """

    dsn: str
    engine: sqlalchemy.Engine

    def sell(self, sales: Iterable[Sale]) -> None:
        """Adds sales."""
        rows = [dict(zip(("item", "day", "units", "price"), sale, strict=True)) for sale in sales]
        self.run("INSERT INTO sales VALUES (:item, :day, :units, :price)", rows)

    def run(self, sql: str, rows: Any = None) -> None:
        """Runs a statement and commits it."""
        statement = sqlalchemy.text(sql)
        if rows:
            statement = statement.bindparams(sqlalchemy.bindparam("day", type_=sqlalchemy.Date()))
        with self.engine.begin() as connection:
            connection.execute(statement, rows)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """A shop that has sold nothing yet."""
    if request.param == "sqlite":
        dsn = f"sqlite:///{tmp_path}/shop.db"
        url, day, amount = address_of(dsn), "TEXT", "REAL"
    else:
        dsn = request.getfixturevalue("database")
        url, day, amount = address_of(dsn), "DATE", "NUMERIC"
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    made = Shop(dsn, engine)
    made.run(f"CREATE TABLE sales (item TEXT, day {day}, units {amount}, price {amount})")
    yield made
    engine.dispose()


def upload(client: thalweg.Client) -> None:
    """Templates for whatever is sold, with two candidates."""
    for name, rate in (("slow", 0.01), ("fast", 0.1)):
        model = preprocessing.StandardScaler() | linear_model.LinearRegression(intercept_lr=rate)
        client.upload_model("*", model, candidate=name, template=True)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a server that has templates and has learned nothing."""
    return prepared(tmp_path_factory.mktemp("templates") / "host", upload)


@pytest.fixture(scope="session")
def each_once(templates: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The state of a server that has learned each sale once, one by one."""
    with hosting(tmp_path_factory.mktemp("each-once") / "host") as host:
        shutil.copytree(templates, host.data_dir)
        host.start()
        with host.client() as client:
            for item, day, units, price in sales_of():
                client.learn(item, units, {"price": price}, date=day)
            return state(client.list_models())


@pytest.fixture
def host(templates: Path, tmp_path: Path) -> Iterator[Host]:
    """A durable server that can be killed, with templates; not running yet."""
    with hosting(tmp_path / "host") as host:
        shutil.copytree(templates, host.data_dir)
        yield host


StartSync = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start_sync(shop: Shop) -> Iterator[StartSync]:
    """Starts `thalweg sync` of that shop as a process, which may be told where to die."""
    children: list[subprocess.Popen[str]] = []

    def start(address: str, *args: str, die: str = "", nth: int = 1) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.sync.dying", die, str(nth), "sync", *args]
        env = {**os.environ, "THALWEG_DSN": shop.dsn, "THALWEG_SERVER": address}
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


def state(models: Iterable[ModelInfo]) -> list[Any]:
    """What each candidate of each model learned, and how well it predicted it, to the bit."""
    return [
        (
            model.model,
            model.learned,
            model.learned_through,
            model.champion,
            [(one.candidate, one.learned, one.score) for one in model.candidates],
        )
        for model in models
    ]
