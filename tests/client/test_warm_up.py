"""Warm-up, in this process and on the server."""

from __future__ import annotations

import datetime
import math
import random
from collections.abc import Iterator
from typing import Any, Never

import pytest
from river import compose, linear_model, metrics, preprocessing

import thalweg
from tests.conftest import StartServer
from thalweg import Columns, Row, errors
from thalweg_server.background import BackgroundServer

DAYS, ITEMS = 40, 5
FIRST = datetime.date(2016, 1, 1)


class Last:
    """A regressor that answers the last target; good where sales change slowly."""

    def __init__(self) -> None:
        self.last = 0.0

    def predict_one(self, x: Any) -> float:
        return self.last

    def learn_one(self, x: Any, y: Any) -> None:
        assert list(x) == ["price", "id", "date"]
        self.last = y


class Broken(Last):
    """A regressor that cannot learn."""

    def learn_one(self, x: Any, y: Any) -> Never:
        raise ArithmeticError("no")


def linear() -> compose.Pipeline:
    """Return a pipeline that sees the price only."""
    return (
        compose.Select("price") | preprocessing.StandardScaler() | linear_model.LinearRegression()
    )


def history() -> Columns:
    """Return sales, day by day: even items change slowly, odd ones follow the price."""
    rng = random.Random(7)
    targets, prices, index, days = [], [], [], []
    for day in range(DAYS):
        for item in range(ITEMS):
            price = rng.choice([1.0, 2.0])
            targets.append(10.0 * price if item % 2 else 100.0 + day // 10)
            prices.append(price)
            index.append(item)
            days.append(16801 + day)
    return Columns(
        models=[f"item{i}" for i in range(ITEMS)],
        model_index=index,
        targets=targets,
        date_days=days,
        features={"price": prices},
    )


def as_rows(columns: Columns) -> Iterator[Row]:
    """Return the same observations one by one."""
    for i, target in enumerate(columns.targets):
        yield Row(
            model=columns.models[columns.model_index[i]],
            target=target,
            date=FIRST + datetime.timedelta(columns.date_days[i] - 16801),
            features={"price": columns.features["price"][i]},
        )


@pytest.fixture
def client(server: BackgroundServer) -> Iterator[thalweg.Client]:
    """Return a client of a regression server."""
    with thalweg.Client(server.address) as connected:
        yield connected


CANDIDATES = {"last": Last(), "lm": linear}


@pytest.mark.parametrize("source", [history, lambda: as_rows(history())])
def test_remote_warm_up_lets_the_server_pick(client: thalweg.Client, source: Any) -> None:
    """Templates, a stream, and a champion per item."""
    done = client.warm_up(source(), CANDIDATES, progress=False)
    assert (done.models, done.rows, done.learned) == (ITEMS, DAYS * ITEMS, DAYS * ITEMS)
    assert (done.error_count, done.won) == (0, {})
    for i in range(ITEMS):
        model = client.get_model(f"item{i}")
        assert (model.learned, len(model.candidates)) == (DAYS, 2)
        assert model.learned_through == FIRST + datetime.timedelta(DAYS - 1)
    assert client.get_model("item0").champion == "last"


@pytest.mark.parametrize("source", [history, lambda: as_rows(history())])
def test_local_warm_up_uploads_the_better_candidate(client: thalweg.Client, source: Any) -> None:
    """One learned candidate per item, under its name."""
    done = client.warm_up(source(), CANDIDATES, mode="local", progress=False)
    assert (done.models, done.rows, done.learned) == (ITEMS, DAYS * ITEMS, DAYS * ITEMS)
    assert sum(done.won.values()) == ITEMS
    model = client.get_model("item0")
    assert [candidate.candidate for candidate in model.candidates] == ["last"]
    assert client.predict("item0", {"price": 1.0}, date="2016-03-01").value == 103.0


def test_local_scores_are_those_of_a_river_loop(client: thalweg.Client) -> None:
    """The pooled error of each candidate is its mean absolute error over all rows."""
    done = client.warm_up(history(), {"last": Last}, mode="local", progress=False)
    mae, last = metrics.MAE(), {}
    for row in as_rows(history()):
        mae.update(row.target, last.get(row.model, 0.0))
        last[row.model] = row.target
    assert done.mae["last"] == pytest.approx(mae.get(), rel=1e-12)


def test_local_warm_up_can_keep_all(client: thalweg.Client) -> None:
    """keep="all" uploads every sound candidate."""
    client.warm_up(history(), CANDIDATES, mode="local", keep="all", progress=False)
    assert [c.candidate for c in client.get_model("item1").candidates] == ["last", "lm"]


def test_local_and_remote_learn_the_same(client: thalweg.Client, start_server: StartServer) -> None:
    """What is uploaded predicts what the server's own clone predicts."""
    client.warm_up(history(), CANDIDATES, mode="local", keep="all", progress=False)
    with thalweg.Client(start_server().address) as remote:
        remote.warm_up(history(), CANDIDATES, progress=False)
        for i in range(ITEMS):
            for candidate in CANDIDATES:
                asked = {"features": {"price": 1.5}, "date": "2016-03-01", "candidate": candidate}
                here, there = (c.predict(f"item{i}", **asked).value for c in (client, remote))
                assert here == there


def test_a_candidate_that_fails_is_out_of_the_running(client: thalweg.Client) -> None:
    """The others go on; where all fail the item's rows are errors."""
    done = client.warm_up(history(), {"broken": Broken, "last": Last}, mode="local", progress=False)
    assert done.won == {"last": ITEMS}
    nothing = client.warm_up(history(), {"broken": Broken}, mode="local", progress=False)
    assert (nothing.learned, nothing.error_count) == (0, DAYS * ITEMS)


def test_templates_are_not_replaced_unasked(client: thalweg.Client) -> None:
    """A second warm-up does not learn the same history again by accident."""
    client.warm_up(history(), CANDIDATES, progress=False)
    with pytest.raises(errors.CandidateExists):
        client.warm_up(history(), CANDIDATES, progress=False)
    assert client.get_model("item0").learned == DAYS


def test_progress_is_reported_to_the_caller(client: thalweg.Client) -> None:
    """Rows done and rows in all; nobody knows the end of a generator."""
    for mode in ("remote", "local"):
        seen: list[tuple[int, int | None]] = []
        client.warm_up(
            history(),
            {"last": Last},
            mode=mode,
            replace=True,
            batch_rows=50,
            progress=lambda done, total, seen=seen: seen.append((done, total)),
        )
        assert seen[-1] == (DAYS * ITEMS, DAYS * ITEMS)
        assert len(seen) > 1
    client.warm_up(
        as_rows(history()),
        {"last": Last},
        replace=True,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (DAYS * ITEMS, None)


def test_the_bar_goes_to_stderr(client: thalweg.Client, capsys: pytest.CaptureFixture[str]) -> None:
    """stdout belongs to the caller."""
    client.warm_up(history(), {"last": Last})
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "learning" in captured.err


def test_errors_count_from_the_start_of_the_history(client: thalweg.Client) -> None:
    """A bad row is found again by its position in what was given."""
    columns = history()
    columns.targets[123] = math.nan
    done = client.warm_up(columns, {"last": Last}, batch_rows=50, progress=False)
    assert [error.row for error in done.errors] == [123]
    assert done.error_count == 1


def test_what_makes_no_sense_is_refused(client: thalweg.Client) -> None:
    """Before anything is sent."""
    for wrong in (
        {"candidates": {}},
        {"candidates": CANDIDATES, "mode": "cloud"},
        {"candidates": CANDIDATES, "keep": "worst"},
        {"candidates": CANDIDATES, "context": "id"},
    ):
        with pytest.raises(ValueError):
            client.warm_up(history(), progress=False, **wrong)
    with pytest.raises(ValueError, match="'date'"):
        client.warm_up([Row(model="m", target=1.0)], {"last": Last}, mode="local", progress=False)


async def test_asyncio_warms_up_both_ways(
    server: BackgroundServer, start_server: StartServer
) -> None:
    """The asyncio client alike."""
    for mode, address in (("remote", server.address), ("local", start_server().address)):
        async with thalweg.aio.Client(address) as client:
            done = await client.warm_up(history(), CANDIDATES, mode=mode, progress=False)
            assert (done.models, done.learned) == (ITEMS, DAYS * ITEMS)
            assert (await client.get_model("item0")).champion == "last"
