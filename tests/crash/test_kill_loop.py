"""A server that is killed again and again, under load, beside a bare River loop.

More kills: THALWEG_KILLS=300 pytest --log-cli-level=INFO tests/crash/test_kill_loop.py
"""

from __future__ import annotations

import logging
import os
import random
import time
from collections import Counter
from contextlib import closing
from typing import Any

import pytest

from tests.crash.conftest import StartHost
from tests.crash.host import Host
from tests.crash.load import Load
from tests.crash.verdict import differences, lost
from thalweg.errors import StreamForgotten, UnknownPrediction
from thalweg_server.keeping import KEPT
from thalweg_server.storage.log import LogFile
from thalweg_server.storage.sqlite import FILE

LOG = logging.getLogger(__name__)

KILLS = int(os.environ.get("THALWEG_KILLS", "6"))
SEED = int(os.environ.get("THALWEG_SEED", str(random.randrange(1_000_000))))

REPLIES_MAX = 200
"""Replies that a server lives for, at most."""


def live_and_die(host: Host, load: Load, rng: random.Random, **orders: Any) -> None:
    """Starts a server, compares what it knows with what was acknowledged, and kills it.

    It is killed while it recovers, or at any moment of what it does for its clients.
    """
    acknowledged = Counter(load.acknowledged)
    host.begin(**orders)
    if rng.random() < 0.15:
        time.sleep(rng.uniform(0.0, 0.8))
    else:
        host.ready()
        with host.client() as client:
            missing = lost(load, client, acknowledged)
        assert missing == [], f"seed {load.seed}: {missing}"
        load.wait_for(rng.randint(0, REPLIES_MAX))
        time.sleep(rng.uniform(0.0, 0.005))
    host.kill()


def check(host: Host, load: Load) -> None:
    """Compares the server with River."""
    with host.client() as client:
        found = differences(load, client)
    assert found == [], f"seed {load.seed}, {len(found)} differences: {found[:5]}"


def kill_again_and_again(host: Host, load: Load, kills: int, **orders: Any) -> None:
    """Lets clients finish on the last one of many servers, and compares it with River."""
    rng = random.Random(load.seed)
    load.start()
    for _ in range(kills):
        live_and_die(host, load, rng, **orders)
    host.start(**orders)
    load.wait_for(1)
    load.finish()
    check(host, load)


@pytest.mark.timeout(60 + 10 * KILLS)
def test_a_server_that_is_killed_again_and_again_equals_river(make_host: StartHost) -> None:
    """Whatever was acknowledged is learned, once and in order, and all scores and answers are
    those of a server that was never killed.
    """
    host = make_host()
    with Load(host, SEED) as load:
        kill_again_and_again(host, load, KILLS)
        host.kill()
        host.start()
        check(host, load)
        LOG.info("seed %s: %s kills, %s", SEED, KILLS + 1, load)


def test_a_server_that_snapshots_under_load_begins_with_one(make_host: StartHost) -> None:
    """Taken while clients go on, it stands for the part of the log that is truncated behind it."""
    host = make_host()
    with Load(host, SEED) as load:
        load.start()
        host.start()
        while host.snapshots_taken <= KEPT:
            load.wait_for(1)
        load.wait_for(20)  # commits: the log is truncated with them
        host.kill()
        with closing(LogFile(host.data_dir / FILE)) as log:
            assert log._bounds.first > 1
        host.start()
        assert '"snapshot": "snapshot-' in host.log
        load.finish()
        check(host, load)


def test_a_server_that_acknowledges_too_early_is_found_out(make_host: StartHost) -> None:
    """The check of the check: over a store that is behind with its writing, the loop fails."""
    host = make_host(snapshot_learning_seconds=1e9)
    caught = (AssertionError, StreamForgotten, UnknownPrediction)
    with Load(host, SEED) as load, pytest.raises(caught, match=r"acked|acknowledged|never made"):
        kill_again_and_again(host, load, 20, buffered=True)
