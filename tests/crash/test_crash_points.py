"""A server that dies at the worst moments, each by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.conftest import StartHost
from tests.crash.load import Load
from tests.crash.points import CRASHES
from tests.crash.verdict import differences, lost

SEED = 5
FIRST = 2
"""The first time that clients have a part in it: the server logs its start before."""

LATE = 25
"""Passed so many times, there is something to lose."""


def crash(make_host: StartHost, point: str, nth: int, *, labels: bool = True) -> tuple[Load, int]:
    """Has a server die at a point, clients finish on the next one, and compares that with River.

    Returns:
        The clients, and how many snapshots the death left unfinished.
    """
    host = make_host()
    host.begin(crash=point, nth=nth)
    with Load(host, SEED) as load:
        load.start(labels=labels)
        host.ready()
        assert host.died(point), host.log
        unfinished, acknowledged = len(host.unfinished), load.acknowledged.copy()
        host.start()
        assert host.unfinished == []
        with host.client() as client:
            assert lost(load, client, acknowledged) == []
            load.wait_for(10)
            load.finish()
            assert differences(load, client) == []
    return load, unfinished


@pytest.mark.parametrize("nth", [FIRST, LATE])
def test_what_a_crash_kept_from_the_log_is_sent_again(make_host: StartHost, nth: int) -> None:
    """It was not acknowledged, and nothing of it is there."""
    load, _ = crash(make_host, "before_commit", nth)
    if nth == FIRST:  # later on, what came before may be learned and not acknowledged yet
        assert not any(ack.resumed for ack in load.acks)
        assert not any(told.answer.duplicate for told in (*load.unary, *load.labelled))


@pytest.mark.parametrize("nth", [FIRST, LATE])
@pytest.mark.parametrize("point", ["after_commit_before_apply", "after_apply_before_ack"])
def test_what_was_logged_but_not_acknowledged_counts_once(
    make_host: StartHost, point: str, nth: int
) -> None:
    """The client sends it again, and is told that it was learned before."""
    load, _ = crash(make_host, point, nth, labels=False)
    resumed = any(ack.resumed for ack in load.acks)
    assert resumed or any(told.answer.duplicate for told in load.unary)


@pytest.mark.parametrize("nth", [1, 5])
def test_a_crash_in_the_middle_of_a_snapshot_leaves_the_log_in_place(
    make_host: StartHost, nth: int
) -> None:
    """What is left of the snapshot is swept away, and nobody reads it."""
    _, unfinished = crash(make_host, "mid_snapshot", nth)
    assert unfinished == 1


@pytest.mark.parametrize("nth", [1, 2])
def test_a_crash_between_a_snapshot_and_the_logs_truncation_applies_nothing_twice(
    make_host: StartHost, nth: int
) -> None:
    """What the snapshot holds is still in the log, and is passed over."""
    crash(make_host, "between_snapshot_and_truncation", nth)


def test_all_crash_points_are_tested() -> None:
    """Each by its name, in this file."""
    source = Path(__file__).read_text()
    assert [point for point in CRASHES if f'"{point}"' not in source] == []
