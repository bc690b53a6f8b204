"""The log in SQLite: found again after any end, and never wrong without saying so."""

from __future__ import annotations

import dataclasses
import random
import re
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest

from tests.storage.samples import (
    PROGRESS,
    bits_log,
    learned,
    one_of_each,
    plain,
    plain_events,
    plain_log,
    random_event,
    streamed,
)
from thalweg_server.core.errors import CorruptStorage, StorageFailed
from thalweg_server.core.events import Progress, Raised, Streamed
from thalweg_server.core.observation import Batch, Names
from thalweg_server.storage import log
from thalweg_server.storage.lock import DirectoryInUse
from thalweg_server.storage.rows import row_checksum
from thalweg_server.storage.sqlite import FILE, SqliteStore


def lists_stored(folder: Path) -> int:
    """How many lists of names are in a log."""
    connection = apsw.Connection(str(folder / FILE))
    count: int = connection.execute("SELECT count(*) FROM names").get
    connection.close()
    return count


def change(folder: Path, statement: str) -> None:
    """Changes a closed log behind its back."""
    connection = apsw.Connection(str(folder / FILE))
    connection.execute(statement)
    connection.close()


def written(folder: Path, events: int = 10) -> None:
    """Makes a log of so many entries."""
    store = SqliteStore(folder)
    store.append([streamed(number) for number in range(events)], PROGRESS)
    store.close()


def test_everything_is_found_after_a_close(tmp_path: Path) -> None:
    """Every kind of event is there again, in order, with its position and progress."""
    events = one_of_each()
    store = SqliteStore(tmp_path)
    store.append(events[:4], PROGRESS)
    store.append(events[4:], Progress(2, 0, 2))
    store.close()
    store = SqliteStore(tmp_path)
    entries = list(store.entries(1))
    assert [entry.position for entry in entries] == list(range(1, len(events) + 1))
    assert [entry.progress for entry in entries[:5]] == [PROGRESS] * 4 + [Progress(2, 0, 2)]
    assert plain_events(entry.event for entry in entries) == plain_events(events)
    assert plain_log(store, 5) == plain_events(entries[4:])
    assert store.append([learned()], PROGRESS) == len(events) + 1
    store.close()


def test_what_was_acknowledged_is_found_after_a_kill(tmp_path: Path) -> None:
    """The files as they are while the store is open hold all that was acknowledged."""
    store = SqliteStore(tmp_path / "open")
    for number in range(30):
        store.append([streamed(number)], PROGRESS)
    shutil.copytree(tmp_path / "open", tmp_path / "copy", ignore=shutil.ignore_patterns("*-shm"))
    store.close()
    copy = SqliteStore(tmp_path / "copy")
    assert plain_events(e.event for e in copy.entries(1)) == plain_events(map(streamed, range(30)))
    copy.close()


def test_what_queues_goes_into_one_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What several callers add during a commit becomes durable together."""
    store, told = SqliteStore(tmp_path), []
    begun, go_on = threading.Event(), threading.Event()
    commits: list[int] = []
    commit = log.LogFile.commit

    def slow(self: log.LogFile) -> None:
        begun.set()
        assert go_on.wait(30)
        commits.append(self.staged)
        commit(self)

    monkeypatch.setattr(log.LogFile, "commit", slow)
    store.submit(streamed(0), told.append)
    assert begun.wait(30)
    for number in range(1, 50):
        store.submit(streamed(number), told.append)
    go_on.set()
    assert store.append([learned()] * 3, PROGRESS) == 53
    store.close()
    assert told == list(range(1, 51))
    assert [count for count in commits if count][:1] == [1]
    assert len([count for count in commits if count]) <= 3


def test_notes_are_added_on_closing(tmp_path: Path) -> None:
    """A note that nothing follows is not lost on an orderly end."""
    store = SqliteStore(tmp_path)
    note = Raised(1, {0: "ValueError: no"})
    store.note(note)
    store.close()
    store = SqliteStore(tmp_path)
    assert [entry.event for entry in store.entries(1)] == [note]
    store.close()


def test_reading_comes_before_writing(tmp_path: Path) -> None:
    """Once something was added the log is the writer's."""
    store = SqliteStore(tmp_path)
    store.append([learned()], PROGRESS)
    with pytest.raises(RuntimeError, match="before anything is added"):
        list(store.entries(1))
    store.close()


def test_a_closed_store_adds_nothing(tmp_path: Path) -> None:
    """After `close` callers hear that, rather than waiting."""
    store, told = SqliteStore(tmp_path), []
    store.close()
    store.submit(streamed(), told.append)
    assert told == [None]
    with pytest.raises(StorageFailed, match="closed"):
        store.append([learned()], PROGRESS)


def test_an_event_that_cannot_be_written_ends_the_log(tmp_path: Path) -> None:
    """Rather than lack an event, the store stops: it and all behind it are not acknowledged."""
    failures: list[Exception] = []
    store, told = SqliteStore(tmp_path, on_failure=failures.append), []
    broken: Any = "no event"
    with pytest.raises(StorageFailed):
        store.append([learned(), broken], PROGRESS)
    store.submit(streamed(), told.append)
    store.close()
    assert told == [None]
    assert len(failures) == 1
    store = SqliteStore(tmp_path)
    assert plain_log(store) == []
    store.close()


def test_whoever_raises_when_told_ends_the_log(tmp_path: Path) -> None:
    """That is a failure like any other, reported once; nobody behind waits for ever."""
    failures: list[Exception] = []
    store, told = SqliteStore(tmp_path, on_failure=failures.append), []

    def raises(_: int | None) -> None:
        raise ValueError("a mistake")

    store.submit(streamed(), raises)
    store.submit(streamed(), raises)
    store.submit(streamed(), told.append)
    with pytest.raises(StorageFailed, match="a mistake"):
        store.append([learned()], PROGRESS)
    store.close()
    assert told == [None]
    assert len(failures) == 1


def test_checkpoints_are_the_stores_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite would make them itself, and say nothing where a sync fails."""
    payload = random.Random(1).randbytes(9_000_000)
    upload = dataclasses.replace(one_of_each()[2], payload=payload)  # 2,200 pages
    sizes = []
    for pages in (10_000, 1_000):
        monkeypatch.setattr(log, "CHECKPOINT_PAGES", pages)
        store = SqliteStore(tmp_path / str(pages))
        store.append([upload], PROGRESS)
        store.append([learned()], PROGRESS)
        sizes.append((tmp_path / str(pages) / FILE).stat().st_size)
        store.close()
    assert sizes[0] < 1_000_000
    assert sizes[1] > 9_000_000


class TestTruncation:
    """What a snapshot holds is forgotten."""

    def test_positions_before_the_end_are_gone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It takes many small steps, and what is added meanwhile is not held up."""
        monkeypatch.setattr(log, "TRUNCATED_AT_ONCE_MAX", 3)
        store = SqliteStore(tmp_path)
        store.append([learned(number) for number in range(50)], PROGRESS)
        store.truncate(41)
        store.truncate(3)  # takes nothing back
        for number in range(50, 70):  # each makes room for a step
            store.append([learned(number)], PROGRESS)
        store.close()
        store = SqliteStore(tmp_path)
        found = [plain(entry.event) for entry in store.entries(41)]
        assert found == plain_events(learned(number) for number in range(40, 70))
        with pytest.raises(CorruptStorage, match="entries before 41 were truncated"):
            list(store.entries(40))
        store.close()

    def test_positions_go_on_after_everything_was_forgotten(self, tmp_path: Path) -> None:
        """An empty log still knows where it was."""
        written(tmp_path, 10)
        store = SqliteStore(tmp_path)
        store.truncate(11)
        store.close()
        store = SqliteStore(tmp_path)
        assert plain_log(store, 11) == []
        assert store.append([learned()], PROGRESS) == 11
        store.close()

    def test_a_snapshot_ahead_of_the_log_is_noticed(self, tmp_path: Path) -> None:
        """Who asks for entries behind the end has lost some."""
        written(tmp_path, 10)
        store = SqliteStore(tmp_path)
        with pytest.raises(CorruptStorage, match="ends before position 11, not 12"):
            list(store.entries(12))
        store.close()


class TestNames:
    """Long lists of names are stored once."""

    def test_a_list_that_comes_again_is_stored_once(self, tmp_path: Path) -> None:
        """The same object or an equal one, now or after a restart; all get one object back."""
        written(tmp_path, 5)
        store = SqliteStore(tmp_path)
        equal = [streamed(names=Names(streamed().batch.names)) for _ in range(3)]
        store.append(equal[:1], PROGRESS)
        store.append([streamed(), *equal[1:]], PROGRESS)
        store.close()
        assert lists_stored(tmp_path) == 1
        store = SqliteStore(tmp_path)
        entries = [entry.event for entry in store.entries(1)]
        assert len({id(e.batch.names) for e in entries if isinstance(e, Streamed)}) == 1
        store.close()

    def test_equal_lists_of_one_commit_are_stored_once(self, tmp_path: Path) -> None:
        """Two streams may bring a new list at the same time."""
        store = SqliteStore(tmp_path)
        store.append([streamed(names=Names(streamed().batch.names)) for _ in range(2)], PROGRESS)
        store.close()
        assert lists_stored(tmp_path) == 1

    def test_a_list_that_another_store_knows_is_stored_all_the_same(self, tmp_path: Path) -> None:
        """What one store keeps a list under means nothing to another."""
        one, other = SqliteStore(tmp_path / "1"), SqliteStore(tmp_path / "2")
        names = [Names(f"{prefix}{number}" for number in range(70)) for prefix in "ab"]
        one.append([streamed(names=names[0]), streamed(names=names[1])], PROGRESS)
        other.append([streamed(names=names[1])], PROGRESS)
        one.append([streamed(names=names[1])], PROGRESS)
        one.close()
        other.close()
        assert lists_stored(tmp_path / "1") == 2
        other = SqliteStore(tmp_path / "2")
        assert plain_log(other)[0][2] == plain(streamed(names=names[1]))
        other.close()

    def test_an_unused_list_is_deleted_and_may_come_again(self, tmp_path: Path) -> None:
        """A list goes with the last entry that uses it; a cached id does not outlive it."""
        store = SqliteStore(tmp_path)
        names = Names(str(number) for number in range(70))
        store.append([streamed(names=names), streamed()], PROGRESS)
        store.truncate(2)
        store.append([learned()], PROGRESS)
        store.append([streamed(3, names=names)], PROGRESS)
        store.close()
        assert lists_stored(tmp_path) == 2
        store = SqliteStore(tmp_path)
        assert plain_log(store, 2)[2][2] == plain(streamed(3, names=names))
        store.truncate(5)
        store.close()
        assert lists_stored(tmp_path) == 0

    def test_a_damaged_list_is_not_used_again(self, tmp_path: Path) -> None:
        """A list found by its digest is checked before new entries refer to it."""
        written(tmp_path)
        change(tmp_path, "UPDATE names SET body = zeroblob(length(body))")
        failures: list[Exception] = []
        store = SqliteStore(tmp_path, on_failure=failures.append)
        with pytest.raises(StorageFailed, match="list of names 1"):
            store.append([streamed()], PROGRESS)
        store.close()
        assert len(failures) == 1


class TestDamage:
    """Damage is said, with the file and what to do."""

    @pytest.mark.parametrize(
        ("statement", "message"),
        [
            ("DELETE FROM log WHERE position = 5", "entry 5 is missing"),
            ("DELETE FROM log WHERE position = 1", "holds positions 2 to 10"),
            ("DELETE FROM log WHERE position = 10", "holds positions 1 to 9"),
            ("DELETE FROM log", "where 1 to 10 were written"),
            ("UPDATE log SET body = zeroblob(9) WHERE position = 4", "entry 4 does not match"),
            ("UPDATE log SET body = 'text' WHERE position = 4", "entry 4 does not match"),
            ("UPDATE log SET row = 8 WHERE position = 4", "entry 4 does not match"),
            ("UPDATE log SET kind = 'x' WHERE position = 4", "entry 4 does not match"),
            ("DELETE FROM names", "list of names 1 is missing"),
            ("UPDATE names SET body = zeroblob(9)", "list of names 1 does not match"),
            ("UPDATE names SET body = 1", "list of names 1 is no bytes"),
            ("UPDATE meta SET first = 2", "meta does not match"),
            ("UPDATE meta SET first = 'x'", "meta holds no numbers"),
            ("DELETE FROM meta", "meta has 0 lines"),
            ("DROP TABLE meta", "no such table"),
        ],
    )
    def test_what_does_not_fit_is_said(self, tmp_path: Path, statement: str, message: str) -> None:
        """A missing or changed part is named; a store with one is not read over."""
        written(tmp_path)
        change(tmp_path, statement)
        store = None
        try:
            with pytest.raises(CorruptStorage, match=message) as raised:
                store = SqliteStore(tmp_path)
                list(store.entries(1))
        finally:
            if store:
                store.close()
        assert str(tmp_path / FILE) in str(raised.value)
        assert "backup" in str(raised.value)

    def test_another_format_is_refused(self, tmp_path: Path) -> None:
        """A log of a later version is no damaged one."""
        written(tmp_path)
        change(tmp_path, "UPDATE meta SET format = 2")
        with pytest.raises(CorruptStorage, match="has format 2, and this server reads format 1"):
            SqliteStore(tmp_path)

    def test_an_entry_of_another_version_is_refused(self, tmp_path: Path) -> None:
        """An entry that is whole and yet cannot be decoded is not skipped."""
        store = SqliteStore(tmp_path)
        store.append([learned()], PROGRESS)
        store.close()
        frame = (1, 99, 0, 0, 0, None)
        check = row_checksum(frame, b"\0")
        connection = apsw.Connection(str(tmp_path / FILE))
        connection.execute("UPDATE log SET kind=99, batch=0, row=0, event=0")
        connection.execute("UPDATE log SET body=x'00', checksum=?", (check,))
        connection.close()
        store = SqliteStore(tmp_path)
        with pytest.raises(CorruptStorage, match="entry 1 cannot be decoded"):
            list(store.entries(1))
        store.close()

    def test_another_file_is_refused(self, tmp_path: Path) -> None:
        """What is no SQLite file, or one without tables but with data, is no log."""
        (tmp_path / FILE).write_bytes(b"hello, I am no database" * 100)
        with pytest.raises(CorruptStorage, match="NotADBError"):
            SqliteStore(tmp_path)
        (tmp_path / FILE).unlink()
        written(tmp_path)
        change(tmp_path, "PRAGMA writable_schema=ON; DELETE FROM sqlite_master")
        with pytest.raises(CorruptStorage, match="no tables"):
            SqliteStore(tmp_path)

    def test_a_flipped_bit_is_noticed_or_harmless(self, tmp_path: Path) -> None:
        """Whichever bit of the file flips, what is read is the same, or CorruptStorage."""
        rng = random.Random(1)
        store = SqliteStore(tmp_path)
        store.append([random_event(rng) for _ in range(20)], PROGRESS)
        store.append([learned(number) for number in range(100)], PROGRESS)
        store.truncate(5)
        store.close()
        store = SqliteStore(tmp_path)
        whole = bits_log(store, 5)
        store.close()
        file = tmp_path / FILE
        data = file.read_bytes()
        # All of the header and of the first pages' own headers, and anywhere else.
        offsets = [*range(108), *(page * 4096 + at for page in range(1, 12) for at in range(12))]
        offsets += [rng.randrange(len(data)) for _ in range(250)]
        noticed = 0
        for offset in offsets:
            bit = 1 << rng.randrange(8)
            file.write_bytes(data[:offset] + bytes([data[offset] ^ bit]) + data[offset + 1 :])
            found = outcome(lambda: SqliteStore(tmp_path), 5)
            assert found in (whole, None), f"bit {bit} of byte {offset}"
            noticed += found is None
            for leftover in tmp_path.glob(f"{FILE}-*"):
                leftover.unlink()
        assert noticed > len(offsets) / 4


def outcome(make: Callable[[], SqliteStore], start: int) -> list[Any] | None:
    """What is read of a log; None where it is said to be damaged."""
    try:
        store = make()
    except CorruptStorage:
        return None
    try:
        return bits_log(store, start)
    except CorruptStorage:
        return None
    finally:
        store.close()


class TestLock:
    """One server per directory."""

    def test_a_second_store_is_refused(self, tmp_path: Path) -> None:
        """It is told in one line who has the directory, and the first goes on."""
        store = SqliteStore(tmp_path)
        pattern = (
            f"^{re.escape(str(tmp_path))} is in use by another server .lock held by pid [0-9]+.$"
        )
        with pytest.raises(DirectoryInUse, match=pattern) as raised:
            SqliteStore(tmp_path)
        assert isinstance(raised.value, OSError)
        assert store.append([learned()], PROGRESS) == 1
        store.close()
        SqliteStore(tmp_path).close()

    def test_a_damaged_log_does_not_stay_locked(self, tmp_path: Path) -> None:
        """Whoever is refused lets go of the directory."""
        written(tmp_path)
        change(tmp_path, "DELETE FROM meta")
        for _ in range(2):
            with pytest.raises(CorruptStorage):
                SqliteStore(tmp_path)

    def test_children_do_not_hold_the_lock(self, tmp_path: Path) -> None:
        """Neither a forked child nor a program that was started keeps the next server out."""
        code = (
            "import os, sys, time, pathlib, subprocess\n"
            "from thalweg_server.storage.sqlite import SqliteStore\n"
            "store = SqliteStore(pathlib.Path(sys.argv[1]))\n"
            "subprocess.Popen(['sleep', '30'], close_fds=False, stdout=2)\n"
            "seen, told = os.pipe()\n"
            "if os.fork() == 0:\n"
            "    os.close(1)\n"
            "    os.write(told, b'.')\n"
            "    time.sleep(30)\n"
            "    os._exit(0)\n"
            "os.read(seen, 1)\n"
            "os._exit(0)\n"
        )
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
        SqliteStore(tmp_path).close()

    def test_the_directory_is_made_for_its_owner_only(self, tmp_path: Path) -> None:
        """What was learned is nobody else's business."""
        folder = tmp_path / "a" / "b"
        SqliteStore(folder).close()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    def test_a_file_that_cannot_be_opened_is_an_os_error(self, tmp_path: Path) -> None:
        """It is not damaged: the message says what is the matter."""
        (tmp_path / FILE).mkdir()
        with pytest.raises(OSError, match="cannot be opened"):
            SqliteStore(tmp_path)


def test_a_backup_may_read_meanwhile(tmp_path: Path) -> None:
    """Another connection reads and copies the log while it is written, and sees whole commits."""
    store = SqliteStore(tmp_path / "open")
    store.append([streamed()] * 10, PROGRESS)
    source = apsw.Connection(str(tmp_path / "open" / FILE), flags=apsw.SQLITE_OPEN_READONLY)
    source.execute("BEGIN")
    assert source.execute("SELECT count(*) FROM log").get == 10
    store.append([streamed()] * 500, PROGRESS)
    (tmp_path / "copy").mkdir()
    target = apsw.Connection(str(tmp_path / "copy" / FILE))
    with target.backup("main", source, "main") as backup:
        backup.step(-1)
    target.close()
    source.close()
    store.close()
    copy = SqliteStore(tmp_path / "copy")
    assert len(plain_log(copy)) == 10
    copy.close()


def test_a_row_of_a_stream_takes_few_bytes(tmp_path: Path) -> None:
    """Sales of 16,384 items a batch take less than 12 bytes a row, names included."""
    rng = np.random.default_rng(0)
    count, batches = 16_384, 20
    names = Names(f"HOBBIES_{i % 7}_{i // 70:03d}_CA_{i % 10}" for i in range(count))
    store = SqliteStore(tmp_path)
    for number in range(batches):
        sales = Batch(
            names=names,
            index=np.arange(count, dtype=np.int32),
            days=np.full(count, 16_000 + number, np.int32),
            targets=rng.negative_binomial(0.5, 0.3, count).astype(np.float64),
            columns={"price": np.round(rng.gamma(2, 2, count), 2), "event": ["SuperBowl"]},
        )
        event = Streamed(
            batch=sales,
            at=1e9,
            stream_id="m5",
            sequence=number + 1,
            skip_learned_dates=True,
            epoch=1,
        )
        store.append([event], PROGRESS)
    store.close()
    assert (tmp_path / FILE).stat().st_size / (count * batches) < 12
