"""What the core relies on, of every store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.samples import PROGRESS, learned, streamed
from thalweg_server.core.events import Raised
from thalweg_server.core.storing import Store
from thalweg_server.storage.database import open_database
from thalweg_server.storage.memory import MemoryStore
from thalweg_server.storage.sqlite import SqliteStore


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.system)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Each store in turn, empty."""
    made = _make(request, tmp_path)
    yield made
    made.close()


def _make(request: pytest.FixtureRequest, folder: Path) -> Store:
    if request.param == "memory":
        return MemoryStore()
    if request.param == "sqlite":
        return SqliteStore(folder)
    database = request.getfixturevalue("database")  # before the driver: it may be missing
    return open_database(database, folder, on_failure=lambda _: None)


def test_positions_count_from_one(store: Store) -> None:
    """`append` returns the position of its last event, and positions leave no gap."""
    assert store.append([learned()], PROGRESS) == 1
    assert store.append([learned(), streamed(), learned()], PROGRESS) == 4
    assert store.append([learned()], PROGRESS) == 5


def test_appending_nothing_returns_the_last_position(store: Store) -> None:
    """No events need no position."""
    assert store.append([], PROGRESS) == 0
    store.append([learned()], PROGRESS)
    assert store.append([], PROGRESS) == 1


def test_who_submits_is_told_in_order_and_before_an_append_behind_returns(store: Store) -> None:
    """Each `then` gets its position, in the order of the log, and none is late."""
    told: list[int | None] = []
    for sequence in range(20):
        store.submit(streamed(sequence), told.append)
    assert store.append([learned()], PROGRESS) == 21
    assert told == list(range(1, 21))


def test_threads_are_told_in_the_order_of_the_log(store: Store) -> None:
    """Whoever submits and appends at the same time, all are told in one order."""
    told: list[int | None] = []
    appended: list[int] = []

    def submit() -> None:
        for sequence in range(50):
            store.submit(streamed(sequence, rows=2), told.append)

    def append() -> None:
        appended.extend(store.append([learned()], PROGRESS) for _ in range(20))

    threads = [threading.Thread(target=submit) for _ in range(3)]
    threads.append(threading.Thread(target=append))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.append([], PROGRESS)
    positions = [position for position in told if position is not None]
    assert positions == sorted(positions)
    assert appended == sorted(appended)
    assert sorted(positions + appended) == list(range(1, 171))


def test_who_is_told_may_submit(store: Store) -> None:
    """A `then` may add the next event."""
    told: list[int | None] = []
    done = threading.Event()

    def again(position: int | None) -> None:
        told.append(position)
        if len(told) < 5:
            store.submit(streamed(), again)
        else:
            done.set()

    store.submit(streamed(), again)
    assert done.wait(30)
    assert told == [1, 2, 3, 4, 5]


def test_a_note_takes_a_position_before_what_is_added_behind_it(store: Store) -> None:
    """Notes need no answer, but are part of the log."""
    store.append([learned()], PROGRESS)
    store.note(Raised(1, {0: "ValueError"}))
    assert store.append([learned()], PROGRESS) == 3


def test_truncating_leaves_positions_alone(store: Store) -> None:
    """Positions go on where they were, even where nothing is left."""
    store.append([learned()] * 5, PROGRESS)
    store.truncate(6)
    assert store.append([learned()], PROGRESS) == 6
    store.truncate(1_000)
    store.truncate(1)
    assert store.append([learned()], PROGRESS) == 7


def test_a_new_store_holds_nothing(store: Store) -> None:
    """There are no entries before the first."""
    assert list(store.entries(1)) == []


def test_closing_twice_is_closing_once(store: Store) -> None:
    """`close` is idempotent."""
    store.append([learned()], PROGRESS)
    store.close()
    store.close()
