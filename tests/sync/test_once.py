"""Each sale is learned once, whatever ends a run: by a process, from a real database."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from tests.crash.host import Host
from tests.sync.conftest import DAILY, DAYS, QUERY, Shop, StartSync, sales_of, state

pytestmark = pytest.mark.timeout(300)

ALL = ("--query", QUERY, "--batch-rows", "10", "--json")
ROWS = len(sales_of())


def run(start_sync: StartSync, address: str, *args: str) -> dict[str, int]:
    """Runs it to its end; returns what it printed."""
    out, error = (child := start_sync(address, *args)).communicate(timeout=120)
    assert (child.returncode, error) == (0, "")
    totals: dict[str, int] = json.loads(out)
    return totals


def test_day_by_day_and_twice(
    shop: Shop, host: Host, start_sync: StartSync, each_once: list[Any]
) -> None:
    """A second run of a day learns what came late, of other models, and nothing twice."""
    host.start()
    *early, late = sales_of(DAYS[:1])
    daily = ("--query", DAILY, "--date", str(DAYS[0]), "--json")
    shop.sell(early)
    assert run(start_sync, host.address, *daily)["learned"] == len(early)
    again = run(start_sync, host.address, *daily)
    assert (again["rows"], again["learned"], again["duplicates"]) == (len(early), 0, len(early))
    shop.sell([late])
    assert run(start_sync, host.address, *daily)["learned"] == 1
    shop.sell(sales_of(DAYS[1:]))
    assert run(start_sync, host.address, *ALL)["learned"] == ROWS - len(early) - 1
    with host.client() as client:
        assert state(client.list_models()) == each_once


def test_a_run_that_is_killed_is_made_good_by_the_next(
    shop: Shop, host: Host, start_sync: StartSync, each_once: list[Any]
) -> None:
    """Before anything, within a batch, between batches, at the very end; the server between two."""
    shop.sell(reversed(sales_of()))
    host.start()
    for die, nth in [("row", 1), ("row", 37), ("ack", 2), ("ack", 5), ("row", ROWS), ("end", 1)]:
        child = start_sync(host.address, *ALL, die=die, nth=nth)
        assert child.wait(120) == -signal.SIGKILL
        if die == "ack":
            host.kill()
            host.start()
    totals = run(start_sync, host.address, *ALL)
    assert (totals["rows"], totals["learned"], totals["duplicates"]) == (ROWS, 0, ROWS)
    with host.client() as client:
        assert state(client.list_models()) == each_once


def test_a_server_that_is_killed_half_way_comes_back_to_the_same_run(
    shop: Shop, host: Host, start_sync: StartSync, each_once: list[Any]
) -> None:
    """The job waits for it and goes on; what was applied and not acknowledged is a duplicate."""
    shop.sell(sales_of())
    host.start(crash="before_commit", nth=3)
    child = start_sync(host.address, *ALL)
    assert host.died("before_commit")
    host.start(crash="after_commit_before_apply", nth=3)
    assert host.died("after_commit_before_apply")
    host.start()
    out, error = child.communicate(timeout=120)
    assert (child.returncode, error) == (0, "")
    totals = json.loads(out)
    assert totals["learned"] + totals["duplicates"] == totals["rows"] == ROWS
    with host.client() as client:
        assert state(client.list_models()) == each_once
