"""The log in PostgreSQL: whole after any end, and written by the newest server alone."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from river import linear_model

import thalweg
from tests.crash.host import Host, hosting
from tests.storage.samples import PROGRESS, learned, one_of_each, plain, plain_events, streamed
from thalweg.errors import Unavailable
from thalweg_server.core.errors import CorruptStorage, StorageFailed
from thalweg_server.core.events import Entry
from thalweg_server.storage import database as opening
from thalweg_server.storage.database import DatabaseUnusable, TakenOver, open_database

if TYPE_CHECKING:
    from thalweg_server.storage.postgres import PostgresStore

pytestmark = pytest.mark.system

Open = Callable[..., "PostgresStore"]

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
WAITING += "wait_event_type = 'Lock' AND query LIKE "


@pytest.fixture
def open_store(database: str, tmp_path: Path) -> Iterator[Open]:
    """Opens stores on one database, each as from a machine of its own."""
    with ExitStack() as stack:
        folders = iter(range(100))

        def make(failures: list[Exception] | None = None) -> PostgresStore:
            told = [] if failures is None else failures
            folder = tmp_path / f"machine-{next(folders)}"
            store = open_database(database, folder, on_failure=told.append)
            stack.callback(store.close)
            return store

        yield make


@pytest.fixture
def other(database: str) -> Iterator[Any]:
    """Another program's connection to the database; no transaction unless it begins one."""
    import psycopg

    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SET search_path = thalweg")
        yield connection


def until_one_waits(database: str, query: str) -> None:
    """Returns when a statement like this waits for a lock."""
    import psycopg

    deadline = time.monotonic() + 30
    with psycopg.connect(database, autocommit=True) as connection:
        while connection.execute(f"{WAITING} %s", (f"%{query}%",)).fetchone() == (0,):
            assert time.monotonic() < deadline, "nobody waits"
            time.sleep(0.01)


def in_thread(work: Callable[[], None]) -> threading.Thread:
    """A thread that runs."""
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def plain_log(store: PostgresStore, start: int = 1) -> list[Any]:
    """What is logged from a position on."""
    return [plain(entry) for entry in store.entries(start)]


def test_everything_is_found_after_a_close(open_store: Open) -> None:
    """Every kind of event is there again, in order; a list of names that comes again is stored
    once.
    """
    events = [*one_of_each(), *(streamed(number) for number in range(300))]
    store = open_store()
    store.append(events[:4], PROGRESS)
    store.append(events[4:], PROGRESS)
    store.close()
    store = open_store()
    entries = list(store.entries(1))
    assert plain_events(entry.event for entry in entries) == plain_events(events)
    assert [entry.position for entry in entries] == list(range(1, len(events) + 1))
    assert {entry.progress for entry in entries} == {PROGRESS}
    assert plain_log(store, 250) == plain_events(entries[249:])
    assert store.append([streamed()], PROGRESS) == len(events) + 1
    store.close()
    found = [entry.event for entry in open_store().entries(1)]
    assert plain_events(found) == plain_events([*events, streamed()])


def test_nothing_is_deleted(open_store: Open) -> None:
    """Snapshots are one machine's: another one needs the log from its beginning."""
    store = open_store()
    store.append([learned(number) for number in range(5)], PROGRESS)
    store.truncate(4)
    store.close()
    assert len(plain_log(open_store())) == 5


def test_a_folder_keeps_what_belongs_to_a_log_apart(open_store: Open, database: str) -> None:
    """A snapshot of another database, or of a log in SQLite, is never taken for one of this."""
    store, again = open_store(), open_store()
    assert store.home.is_dir()
    assert store.home.name == again.home.name
    assert store.home.name.startswith("postgresql-")


class TestLease:
    """The newest server writes; nothing of an older one is committed behind its back."""

    def test_the_older_adds_nothing_once_the_newer_has_begun(self, open_store: Open) -> None:
        """While the older one is writing without pause, all it was told is added is what the
        newer one reads, and it is told why it adds no more.
        """
        for _ in range(5):
            failures: list[Exception] = []
            older = open_store(failures)
            start = len(list(older.entries(1)))
            told: list[int | None] = []
            beat = threading.Event()

            def write(
                store: PostgresStore = older, told: list[int | None] = told, beat: Any = beat
            ) -> None:
                number = 0
                while None not in told:
                    number += 1
                    store.submit(streamed(number, rows=2), told.append)
                    beat.set()
                    time.sleep(0.0005)

            thread = in_thread(write)
            assert beat.wait(30)
            time.sleep(0.05)
            newer = open_store()
            read = plain_log(newer)
            own = newer.append([learned()], PROGRESS)
            thread.join(30)
            added = [position for position in told if position is not None]
            assert added == list(range(start + 1, len(read) + 1))
            assert own == len(read) + 1
            assert [type(failure) for failure in failures] == [TakenOver]
            newer.close()

    def test_a_newer_server_waits_for_a_commit_under_way(
        self, open_store: Open, database: str, other: Any
    ) -> None:
        """It begins behind that commit, and reads it."""
        older, newer = open_store(), open_store()
        assert older.append([learned(0)], PROGRESS) == 1
        other.execute("BEGIN")
        other.execute("INSERT INTO log(position) VALUES (2)")  # holds up the commit in its midst
        told: list[int | None] = []
        older.submit(streamed(), told.append)
        until_one_waits(database, "INSERT INTO log")
        found: list[Entry] = []
        reader = in_thread(lambda: found.extend(newer.entries(1)))
        until_one_waits(database, "UPDATE lease")
        assert (told, found) == ([], [])
        other.execute("ROLLBACK")
        reader.join(30)
        assert [plain(e.event) for e in found] == plain_events([learned(0), streamed()])
        with pytest.raises(StorageFailed, match="has taken over this database"):
            older.append([learned()], PROGRESS)
        assert told == [2]

    def test_a_commit_behind_a_newer_server_is_refused(
        self, open_store: Open, database: str, other: Any
    ) -> None:
        """It waits while the lease is being taken, and then nothing of it is there."""
        older = open_store()
        older.append([learned(0)], PROGRESS)
        with other.transaction():
            query = "UPDATE lease SET generation = generation + 1, holder = 'elsewhere, pid 7'"
            other.execute(query)
            told: list[int | None] = []
            older.submit(streamed(), told.append)
            until_one_waits(database, "UPDATE meta")
        with pytest.raises(StorageFailed, match=r"another server \(elsewhere, pid 7\) has taken"):
            older.append([learned()], PROGRESS)
        assert told == [None]
        newer = open_store()
        assert len(plain_log(newer)) == 1

    def test_a_server_that_only_looks_takes_nothing(self, open_store: Open) -> None:
        """One that cannot start, for its port is taken, leaves the running one alone."""
        older = open_store()
        older.append([learned()], PROGRESS)
        open_store().close()
        assert older.append([learned()], PROGRESS) == 2


class TestFailure:
    """A connection that is lost is a failed disk."""

    def test_a_lost_connection_ends_the_store(self, open_store: Open, other: Any) -> None:
        """Nothing is added any more, though the database is back, and what was added is kept."""
        failures: list[Exception] = []
        store, told = open_store(failures), list[int | None]()
        store.append([learned(number) for number in range(3)], PROGRESS)
        other.execute("BEGIN")
        other.execute("INSERT INTO log(position) VALUES (4)")
        store.submit(streamed(), told.append)
        until_one_waits(other.info.dsn, "INSERT INTO log")
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        with pytest.raises(StorageFailed, match="terminating connection"):
            store.append([learned()], PROGRESS)
        assert told == [None]
        assert [type(failure) for failure in failures] == [DatabaseUnusable]
        assert "\n" not in str(failures[0])
        other.execute("ROLLBACK")
        assert len(plain_log(open_store())) == 3

    @pytest.mark.parametrize(
        ("statement", "message"),
        [
            ("DELETE FROM log WHERE position = 5", "entry 5 is missing"),
            ("DELETE FROM log WHERE position = 10", "holds positions 1 to 9"),
            ("UPDATE log SET body = 'text' WHERE position = 4", "entry 4 does not match"),
            ("UPDATE log SET body = NULL WHERE position = 4", "entry 4 does not match"),
            ("UPDATE log SET row = 8 WHERE position = 4", "entry 4 does not match"),
            ("UPDATE names SET body = 'x'", "list of names 1 does not match"),
            ("DELETE FROM names", "list of names 1 is missing"),
            ("UPDATE meta SET first = 2", "meta does not match"),
            ("UPDATE meta SET format = 2", "has format 2, and this server reads format 1"),
            ("DELETE FROM meta", "meta has 0 lines"),
            ("DELETE FROM lease", "lease has no line"),
            ("DROP TABLE log", "does not exist"),
        ],
    )
    def test_damage_is_said(
        self, open_store: Open, other: Any, statement: str, message: str
    ) -> None:
        """A missing or changed part is named, with the database; it is not read over."""
        store = open_store()
        store.append([streamed(number) for number in range(10)], PROGRESS)
        store.close()
        other.execute(statement)
        with pytest.raises(CorruptStorage, match=message) as raised:
            list(open_store().entries(1))
        assert "database" in str(raised.value)
        assert "postgresql://" in str(raised.value)

    def test_a_server_that_does_not_sync_is_refused(
        self, open_store: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With fsync off it would promise what it does not keep."""
        from thalweg_server.storage import postgres_schema

        # Turned off for real it would be so for the other tests, too.
        answer = "SELECT CASE %s::text WHEN 'fsync' THEN 'off' ELSE 'on' END"
        monkeypatch.setattr(postgres_schema, "SETTING", answer)
        with pytest.raises(DatabaseUnusable, match="runs with fsync off"):
            open_store()

    def test_no_password_is_in_an_error(self, tmp_path: Path) -> None:
        """Neither where nobody listens, nor where the URL is none."""
        for url, message in (
            ("postgresql://me:secret@127.0.0.1:1/db", "^postgresql://me@127.0.0.1:1/db: .*refused"),
            ("postgresql://me:secret@h/db?nonsense=1", "--store is no URL"),
            ("me:secret@h", "--store is no URL"),
        ):
            with pytest.raises(DatabaseUnusable, match=message) as raised:
                open_database(url, tmp_path, on_failure=lambda _: None)
            assert "secret" not in str(raised.value)
            assert "\n" not in str(raised.value)

    def test_a_missing_driver_is_said(self, tmp_path: Path) -> None:
        """It is an extra: the message says how to have it."""
        code = (
            "import sys, pathlib\n"
            "sys.modules['psycopg'] = None\n"
            "from thalweg_server.config import Config\n"
            "from thalweg_server.__main__ import run\n"
            "store, folder = 'postgresql://h/db', pathlib.Path(sys.argv[1])\n"
            "sys.exit(run(Config(port=0, metrics_port=0, store=store, data_dir=folder)))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
        )
        said = "thalweg: --store needs the package psycopg: pip install 'thalweg[postgres]'\n"
        assert (done.returncode, done.stderr) == (1, said)
        assert opening.cure(TakenOver()) != opening.cure(DatabaseUnusable())


class TestProcesses:
    """Real servers on one database, each with a data directory of its own."""

    @pytest.fixture
    def hosts(self, database: str, tmp_path: Path) -> Iterator[tuple[Host, Host]]:
        """Two machines."""
        with (
            hosting(tmp_path / "one", store=database) as one,
            hosting(tmp_path / "two", store=database) as two,
        ):
            yield one, two

    def learn(self, client: thalweg.Client, count: int) -> None:
        """Has so many rows acknowledged."""
        for number in range(count):
            client.learn("milk", float(number % 3), {"a": number / 7})

    def test_a_killed_server_has_lost_nothing(self, hosts: tuple[Host, Host]) -> None:
        """After kill -9 another machine, without any snapshot, has all that was acknowledged."""
        one, two = hosts
        one.start()
        with one.client() as client:
            client.upload_model("milk", linear_model.LinearRegression())
            self.learn(client, 100)
            answer = client.predict("milk", {"a": 0.5}).value
        one.kill()
        for host in (two, one):
            host.start()
            with host.client() as client:
                assert client.get_model("milk").learned == 100
                assert client.predict("milk", {"a": 0.5}).value == answer
            host.kill()

    def test_the_newer_server_takes_over(self, hosts: tuple[Host, Host]) -> None:
        """The older one's callers get UNAVAILABLE, it ends with one line and a code that is not
        zero, and the newer one goes on from all that was acknowledged.
        """
        one, two = hosts
        one.start()
        with one.client() as client:
            client.upload_model("milk", linear_model.LinearRegression())
            self.learn(client, 50)
        two.start()
        with (
            thalweg.Client(one.address, retry=thalweg.Retry(attempts=1)) as late,
            pytest.raises(Unavailable),
        ):
            self.learn(late, 1)
        assert one.wait() == 1
        (said,) = [line for line in one.log.splitlines() if line.startswith("thalweg: ")]
        assert "another server (" in said
        assert "has taken over this database; start this server again only if" in said
        with two.client() as client:
            self.learn(client, 10)
            assert client.get_model("milk").learned == 60
