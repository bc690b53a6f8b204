"""A candidate that ends the process is found out, and the server comes back without it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from river import base, linear_model

import thalweg
from thalweg_server.guarding import QUARANTINE, REPLAYING, STRIKES, FileGuard


class Deadly(base.Regressor):
    """Learns, but from one row it ends the process."""

    def __init__(self) -> None:
        self.learned = 0

    def learn_one(self, x: dict[str, Any], y: float) -> None:
        """Counts."""
        if x.get("poison"):
            os.kill(os.getpid(), signal.SIGKILL)
        self.learned += 1

    def predict_one(self, x: dict[str, Any]) -> float:
        """How many rows it has learned."""
        return float(self.learned)


def ended(folder: Path, position: int, *learned: tuple[int, str, str]) -> FileGuard:
    """A guard, and what a process noted that then ended."""
    guard = FileGuard(folder)
    if guard.applying(position):
        for place in learned:
            guard.learning(*place)
    return guard


def test_a_candidate_is_quarantined_where_processes_end_again_and_again(tmp_path: Path) -> None:
    """Only then, only there, and in every replay to come."""
    ended(tmp_path, 7)
    for _ in range(STRIKES):
        guard = ended(tmp_path, 7, (1, "m", "good"), (2, "m", "bad"))
    again = FileGuard(tmp_path)
    assert again.applying(7)
    assert not again.learning(1, "m", "good")
    assert "quarantined" in again.learning(2, "m", "bad")
    again.done()
    later = FileGuard(tmp_path)
    assert not later.applying(6)
    assert later.applying(7)
    assert "quarantined" in later.learning(2, "m", "bad")
    assert not later.learning(3, "m", "bad")
    assert guard is not later


def test_processes_that_end_at_different_places_accuse_nobody(tmp_path: Path) -> None:
    """Somebody may kill a server while it recovers, more than once."""
    ended(tmp_path, 7)
    for row in range(3 * STRIKES):
        ended(tmp_path, 7, *[(before, "m", "c") for before in range(row + 1)])
    guard = FileGuard(tmp_path)
    assert guard.applying(7)
    assert not any(guard.learning(row, "m", "c") for row in range(3 * STRIKES))
    assert not (tmp_path / QUARANTINE).exists()


def test_a_whole_recovery_is_not_remembered(tmp_path: Path) -> None:
    """Nor is a note that was cut off in the middle."""
    guard = ended(tmp_path, 3)
    guard.done()
    assert not (tmp_path / REPLAYING).exists()
    (tmp_path / REPLAYING).write_text('{"position": 3, "ro')
    assert not FileGuard(tmp_path).applying(3)


@contextmanager
def serving(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server process and its address; none where it ended before it was ready."""
    command = [sys.executable, "-m", "thalweg_server", "--port", "0", "--metrics-port", "0"]
    process = subprocess.Popen(
        [*command, "--json", "--flavor", "regression", "--data-dir", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        yield process, json.loads(line)["address"] if line else ""
    finally:
        process.kill()
        process.communicate()


def killed_itself(process: subprocess.Popen[str]) -> bool:
    """Whether it ended by the row's signal."""
    return process.wait(timeout=60) == -signal.SIGKILL


@pytest.mark.timeout(300)
def test_a_server_gets_over_a_row_that_ends_it(tmp_path: Path) -> None:
    """The candidate says why it is out; its siblings have learned the row, and go on."""
    with serving(tmp_path) as (process, address):
        with thalweg.Client(address) as client:
            client.upload_model("m", linear_model.LinearRegression(), candidate="good")
            client.upload_model("m", Deadly(), candidate="deadly")
            client.learn("m", 1.0, {"x": 1.0})
            with pytest.raises(thalweg.ThalwegError):
                client.learn("m", 2.0, {"x": 1.0, "poison": True}, timeout=5.0)
        assert killed_itself(process)
    for _ in range(1 + STRIKES):  # once to see where, then so often to see whom
        with serving(tmp_path) as (process, address):
            assert not address
            assert killed_itself(process)
    with serving(tmp_path) as (_, address), thalweg.Client(address) as client:
        answers = {each.candidate: each for each in client.learn("m", 3.0, {"x": 1.0}).candidates}
        assert "quarantined" in answers["deadly"].error
        assert not answers["good"].error
        found = {each.candidate: each for each in client.get_model("m").candidates}
        assert "quarantined" in found["deadly"].engine_reason
        assert found["good"].learned == 3
    with serving(tmp_path) as (_, address):
        assert address
