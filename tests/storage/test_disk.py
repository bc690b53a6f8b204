"""What is left of the log after power was lost, on a simulated disk that keeps what was synced.

More seeds: THALWEG_SEEDS=1000 pytest tests/storage/test_disk.py
"""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from tests.storage.disk import Disk, Mark, Sync, Write, mounted, put
from tests.storage.samples import PROGRESS, bits, bits_log, random_event, streamed
from thalweg_server.core.errors import CorruptStorage, StorageFailed
from thalweg_server.core.events import Progress, Raised, Streamed
from thalweg_server.storage import log, schema
from thalweg_server.storage.sqlite import FILE, SqliteStore

SEEDS = range(int(os.environ.get("THALWEG_SEEDS", "60")))
STEPS = 12
"""Things done to a store before it is looked at."""

CRASHES = 4
"""Crashes of each record; one record has thousands of points to crash at."""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints and truncates little by little, so that crashes come in between."""
    monkeypatch.setattr(log, "CHECKPOINT_PAGES", 8)
    monkeypatch.setattr(log, "TRUNCATED_AT_ONCE_MAX", 4)


@dataclass(slots=True)
class History:
    """What was submitted, position by position, across the lives of a server."""

    logged: list[Any] = field(default_factory=list)
    truncated: int = 1

    def add(self, event: Any, progress: Progress) -> None:
        """One more event was submitted."""
        self.logged.append((len(self.logged) + 1, progress, *bits(event)))


def live(store: SqliteStore, disk: Disk, history: History, rng: random.Random) -> None:
    """Does random things to a store, the same ones for the same seed."""
    for _ in range(STEPS):
        kind = rng.random()
        if kind < 0.5:
            events = [random_event(rng) for _ in range(rng.choice((1, 1, 5)))]
            for event in events:
                history.add(event, PROGRESS)
            disk.mark("returned", store.append(events, PROGRESS))
        elif kind < 0.85 or len(history.logged) < 8:
            burst(store, disk, history, [streamed(rng.randrange(999)) for _ in range(5)])
        else:
            history.truncated = rng.randint(history.truncated, len(history.logged) + 1)
            disk.mark("truncated", history.truncated)
            store.truncate(history.truncated)
            note = Raised(rng.randrange(99), {1: "ValueError"})
            history.add(note, Progress())
            store.note(note)
            burst(store, disk, history, [streamed(rng.randrange(999))])
        while store._writer._truncate_end:  # so that what comes next always comes next
            time.sleep(0)


def burst(store: SqliteStore, disk: Disk, history: History, events: list[Streamed]) -> None:
    """Submits one event, and during its commit the others: they go into one commit, always."""
    done: SimpleQueue[int | None] = SimpleQueue()
    for event in events:
        history.add(event, Progress())

    def told(position: int | None) -> None:
        if position is not None:
            disk.mark("acknowledged", position)
        done.put(position)

    def others(position: int | None) -> None:
        for event in events[1:]:
            store.submit(event, told)
        told(position)

    store.submit(events[0], others)
    if None in [done.get() for _ in events]:
        raise StorageFailed("told so")


def last_mark(disk: Disk, end: int, *what: str) -> int:
    """The last value that was noted before a crash, else 0."""
    marks = (each for each in disk.operations[:end] if isinstance(each, Mark))
    return max((each.value for each in marks if each.what in what), default=0)


def check(folder: Path, history: History, acknowledged: int, truncated: int) -> int:
    """Opens what is left and compares it with what was submitted; returns the last position."""
    store = SqliteStore(folder)
    try:
        first = store._log._bounds.first
        assert first <= max(truncated, 1), f"{first} was truncated, at most {truncated} asked for"
        found = bits_log(store, first)
        assert found == history.logged[first - 1 : first - 1 + len(found)]
        last = first - 1 + len(found)
        assert last >= acknowledged, f"{acknowledged} were acknowledged, {last} are left"
        return last
    finally:
        store.close()


def crashes(seed: int, tmp_path: Path) -> str:
    """Lives and loses power, twice; returns what was wrong with what was left, if anything."""
    rng = random.Random(seed)
    before: dict[str, bytes] = {}
    history, base, based = History(), 0, 1
    folders = (tmp_path / str(number) for number in count())
    for life in range(2):
        disk = Disk(before)
        folder = next(folders)
        with mounted(disk, folder) as vfs:
            store = SqliteStore(folder, vfs=vfs)
            live(store, disk, history, rng)
            store.close()
        for _ in range(CRASHES):
            end = rng.randint(1, len(disk.operations))
            left = disk.after_crash(end, rng)
            acknowledged = max(base, last_mark(disk, end, "acknowledged", "returned"))
            truncated = max(based, last_mark(disk, end, "truncated"))
            try:
                last = check(put(left, next(folders)), history, acknowledged, truncated)
            except (AssertionError, CorruptStorage) as error:
                point = f"operation {end} of {len(disk.operations)} of life {life}"
                return f"seed {seed}, {point}, {folder}: {error}"
        before, base, based = left, acknowledged, truncated
        del history.logged[last:]
        history.truncated = truncated
    return ""


@pytest.mark.parametrize("seed", SEEDS)
def test_a_crash_at_any_point_loses_nothing_acknowledged(seed: int, tmp_path: Path) -> None:
    """What is left is what was submitted, bit for bit, up to the last acknowledged or beyond."""
    assert crashes(seed, tmp_path) == ""


def test_without_syncing_a_crash_is_seen_to_lose_what_was_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check of the check: with `synchronous=OFF` some seed fails."""
    monkeypatch.setattr(schema, "SYNCHRONOUS", "OFF")
    wrong = ""
    for seed in range(20):
        (tmp_path / str(seed)).mkdir()
        wrong += crashes(seed, tmp_path / str(seed))
    assert "were acknowledged" in wrong


def fail(disk: Disk, seed: int, tmp_path: Path) -> tuple[History, list[Exception], int]:
    """Lives on a disk that fails; returns how many operations there were when it did."""
    history, rng, failures = History(), random.Random(seed), []
    at: list[int] = []

    def failed(error: Exception) -> None:
        failures.append(error)
        at.append(len(disk.operations))

    with mounted(disk, tmp_path / "failing") as vfs:
        syncs, writes = disk.syncs_left, disk.writes_left
        disk.syncs_left = disk.writes_left = None
        store = SqliteStore(tmp_path / "failing", vfs=vfs, on_failure=failed)
        disk.syncs_left, disk.writes_left = syncs, writes
        with pytest.raises(StorageFailed):
            for _ in range(50):
                live(store, disk, history, rng)
        told: list[int | None] = []
        store.submit(streamed(), told.append)
        store.truncate(5)
        with pytest.raises(StorageFailed):
            store.append([streamed()], PROGRESS)
        store.close()
        assert told == [None]
    return history, failures, at[0]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("what", ["sync", "write"])
def test_a_disk_that_fails_is_not_asked_again(what: str, seed: int, tmp_path: Path) -> None:
    """After the first error nothing is acknowledged, written or synced any more, and what was
    acknowledged before is left.
    """
    rng = random.Random(seed)
    disk = Disk()
    if what == "sync":
        disk.syncs_left = rng.randrange(25)
    else:
        disk.writes_left = rng.randrange(150)
    history, failures, at = fail(disk, seed, tmp_path)
    assert len(failures) == 1, f"seed {seed}"
    after = disk.operations[at:]
    assert not [each for each in after if isinstance(each, Write | Sync)], f"seed {seed}"
    assert not [each for each in after if isinstance(each, Mark) and each.what == "acknowledged"]
    end = len(disk.operations)
    for crash in range(3):
        left = put(disk.after_crash(end, rng), tmp_path / str(crash))
        acknowledged = last_mark(disk, end, "acknowledged", "returned")
        try:
            check(left, history, acknowledged, last_mark(disk, end, "truncated"))
        except (AssertionError, CorruptStorage) as error:
            pytest.fail(f"seed {seed}, crash {crash}: {error}")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bit_that_flips_before_a_crash_is_noticed_or_ends_the_log(
    seed: int, tmp_path: Path
) -> None:
    """In the write-ahead log a damaged commit looks like one that was under way: it and what is
    behind it are gone. In the file it is noticed. Nothing else is ever read.
    """
    rng = random.Random(seed)
    disk, history = Disk(), History()
    with mounted(disk, tmp_path / "life") as vfs:
        store = SqliteStore(tmp_path / "life", vfs=vfs)
        live(store, disk, history, rng)
        store.close()
    left = disk.after_crash(rng.randint(1, len(disk.operations)), rng)
    for crash in range(CRASHES):
        name = rng.choice([name for name, data in left.items() if data] or [FILE])
        data = bytearray(left.get(name, b"") or b"\0")
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        folder = put({**left, name: bytes(data)}, tmp_path / str(crash))
        try:
            check(folder, history, 0, history.truncated)
        except CorruptStorage:
            pass
        except AssertionError as error:
            pytest.fail(f"seed {seed}, crash {crash}, {name}: {error}")
