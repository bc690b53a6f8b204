"""A data directory is read whole without being changed, and copied whole while it changes."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.storage.samples import PROGRESS, learned, streamed
from thalweg_server.core.errors import CorruptStorage
from thalweg_server.core.events import Progress
from thalweg_server.core.observation import Names
from thalweg_server.core.storing import Sink
from thalweg_server.storage import copying
from thalweg_server.storage.checking import Findings, State, check
from thalweg_server.storage.copying import copy_directory
from thalweg_server.storage.lock import DirectoryInUse, FolderLock
from thalweg_server.storage.log_checking import DAMAGES_MAX
from thalweg_server.storage.snapshots import Snapshots
from thalweg_server.storage.sqlite import FILE, SqliteStore

VERSIONS = {"river": "0.26.1"}
EVENTS = 20


def look(folder: Path) -> dict[str, tuple[bytes, int]]:
    """All there is in a directory, with the time of its last change."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in files
    }


def freeze(sink: Sink) -> None:
    """Some state."""
    sink.data("state", bytes(range(256)) * 8)


def snapshot(folder: Path, position: int, **versions: str) -> Path:
    """Writes a snapshot that has everything applied before a position."""
    progress = Progress(position, 0, position - 1)
    return Snapshots(folder, VERSIONS | versions).write(progress, freeze, None, created=1.0)


def grow(store: SqliteStore, events: int) -> None:
    """Logs batches of 20 rows each."""
    for number in range(events):
        store.append([streamed(number)], PROGRESS)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A stopped server's directory: 20 entries, the first 5 forgotten, snapshots at 6 and 11."""
    folder = tmp_path / "home"
    store = SqliteStore(folder)
    grow(store, EVENTS)
    snapshot(folder, 6)
    snapshot(folder, 11)
    store.truncate(6)
    store.close()
    return folder


KILLED = """
import os, sys
from pathlib import Path
from tests.storage.samples import PROGRESS, streamed
from thalweg_server.storage.sqlite import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
for number in range(20):
    store.append([streamed(number)], PROGRESS)
os._exit(9)
"""


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """The directory of a server that was killed: what it logged is in the write-ahead log."""
    folder = tmp_path / "killed"
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder)], check=False)
    assert done.returncode == 9
    assert (folder / f"{FILE}-wal").stat().st_size
    return folder


def damages(folder: Path) -> list[str]:
    """What is found wrong; nothing is changed meanwhile."""
    before = look(folder)
    found = check(folder, VERSIONS)
    assert look(folder) == before
    return list(found.damages)


def sql(folder: Path, statement: str, *values: Any) -> None:
    """Changes a closed log behind its back."""
    connection = apsw.Connection(str(folder / FILE))
    connection.execute(statement, values)
    connection.close()


def counts(found: Findings) -> tuple[int | None, int | None, int, int]:
    """The figures of a log."""
    return found.log.first, found.log.next, found.log.entries, found.log.rows


def test_a_whole_directory_is_described(home: Path) -> None:
    """Which entries, how many rows, and the snapshots, the newest first."""
    assert damages(home) == []
    found = check(home, VERSIONS)
    assert found.whole
    assert counts(found) == (6, EVENTS + 1, 15, 15 * 20)
    assert found.log.size_bytes == (home / FILE).stat().st_size
    assert [each.progress.batch for each in found.snapshots] == [11, 6]
    assert {(each.state, each.created) for each in found.snapshots} == {(State.WHOLE, 1.0)}


def test_a_killed_servers_log_is_read_where_it_is(killed: Path) -> None:
    """With what is only in the write-ahead log, which stays, as does the index beside it."""
    assert damages(killed) == []
    assert counts(check(killed, VERSIONS)) == (1, EVENTS + 1, EVENTS, EVENTS * 20)


def test_a_copy_without_the_index_is_read_where_it_is(killed: Path) -> None:
    """Who copies a log by hand may leave out `-shm`: it can be made again, but not there."""
    (killed / f"{FILE}-shm").unlink()
    assert damages(killed) == []
    assert counts(check(killed, VERSIONS))[:2] == (1, EVENTS + 1)


def test_a_running_servers_log_is_read_as_of_now(tmp_path: Path) -> None:
    """What is logged meanwhile does not look like damage, and logging does not wait."""
    store = SqliteStore(tmp_path)
    grow(store, 5)
    stop = threading.Event()

    def log() -> None:
        while not stop.is_set():
            grow(store, 5)

    thread = threading.Thread(target=log)
    thread.start()
    seen = [check(tmp_path, VERSIONS)]
    while len(seen) < 5 or seen[-1].log.next == seen[0].log.next:
        seen.append(check(tmp_path, VERSIONS))
    stop.set()
    thread.join()
    store.close()
    assert [found.damages for found in seen] == [[]] * len(seen)
    ends = [found.log.next or 0 for found in seen]
    assert ends == sorted(ends)
    assert [found.log.entries for found in seen] == [end - 1 for end in ends]


def test_nobody_needs_the_lock(home: Path) -> None:
    """Whoever holds it is not disturbed, and none is held meanwhile."""
    lock = FolderLock(home)
    assert check(home, VERSIONS).whole
    lock.release()
    FolderLock(home).release()


BODY = "UPDATE log SET body=CAST(body || x'00' AS BLOB) WHERE position="
TEXT = "UPDATE log SET body=CAST(body AS TEXT) WHERE position="


@pytest.mark.parametrize(
    ("statements", "says"),
    [
        ([f"{BODY}8"], ["entry 8 does not match its checksum"]),
        ([f"{BODY}8", f"{BODY}10"], [f"entry {n} does not match its checksum" for n in (8, 10)]),
        ([f"{TEXT}8", f"{BODY}10"], ["entry 8 cannot be read", "entry 10 does not match"]),
        (["DELETE FROM log WHERE position=8"], ["entry 8 is missing"]),
        (["DELETE FROM log WHERE position IN (8, 9)"], ["entries 8 to 9 are missing"]),
        (["DELETE FROM log WHERE position=20"], ["it holds positions 6 to 19 where 6 to 20 were"]),
        (["UPDATE meta SET next=19"], ["its table meta does not match its checksum"]),
        (["DROP TABLE meta"], ["no such table: meta"]),
    ],
)
def test_each_damage_of_the_log_is_one_line(
    home: Path, statements: list[str], says: list[str]
) -> None:
    """With the file, and the place in it."""
    for statement in statements:
        sql(home, statement)
    found = damages(home)
    assert len(found) == len(says)
    for line, what in zip(found, says, strict=True):
        assert line.startswith(f"{home / FILE} is damaged: ")
        assert what in line
        assert "\n" not in line


def test_a_damaged_list_of_names_is_named_once(tmp_path: Path) -> None:
    """However many entries use it; a missing one, too."""
    store = SqliteStore(tmp_path)
    names = [Names(f"{kind}-{item}" for item in range(100)) for kind in "ab"]
    store.append([streamed(n, names=names[n % 2]) for n in range(6)], PROGRESS)
    store.close()
    sql(tmp_path, "UPDATE names SET body=x'00' WHERE id=1")
    sql(tmp_path, "DELETE FROM names WHERE id=2")
    first, second = damages(tmp_path)
    assert "list of names 1 does not match its checksum" in first
    assert "list of names 2 is missing" in second


def test_a_flipped_byte_anywhere_never_goes_unseen(home: Path) -> None:
    """Unless it is in a part of the file that holds nothing: then the log reads as before."""
    whole, seen = (home / FILE).read_bytes(), 0
    before = counts(check(home, VERSIONS))
    for place in range(100, len(whole), len(whole) // 150):
        flipped = bytearray(whole)
        flipped[place] ^= 0x55
        (home / FILE).write_bytes(flipped)
        found = check(home, VERSIONS)
        seen += not found.whole
        assert not found.whole or counts(found) == before, place
    assert seen > 15


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.95])
def test_a_cut_file_is_damaged(home: Path, share: float) -> None:
    """Wherever it is cut, to nothing included."""
    data = (home / FILE).read_bytes()
    (home / FILE).write_bytes(data[: int(len(data) * share)])
    found = damages(home)
    assert found
    assert all(str(home / FILE) in line for line in found)


def test_there_is_an_end_to_damages(tmp_path: Path) -> None:
    """After so many it is clear what to do."""
    store = SqliteStore(tmp_path)
    store.append([learned(float(number)) for number in range(2 * DAMAGES_MAX)], PROGRESS)
    store.close()
    sql(tmp_path, "UPDATE log SET kind=kind+1")
    assert len(damages(tmp_path)) == DAMAGES_MAX


def test_a_damaged_snapshot_is_named(home: Path) -> None:
    """Even where the one before it would do."""
    path = Snapshots(home, VERSIONS).newest()[0]
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    (line,) = damages(home)
    assert line.startswith(f"snapshot {path} is damaged: data/state: ")
    states = [each.state for each in check(home, VERSIONS).snapshots]
    assert states == [State.DAMAGED, State.WHOLE]


def test_a_snapshot_of_other_versions_is_no_damage(home: Path) -> None:
    """That version can start from it; it is said which."""
    path = snapshot(home, 15, river="0.25.0")
    found = check(home, VERSIONS)
    assert found.whole
    assert (found.snapshots[0].path, found.snapshots[0].state) == (path, State.OTHER_VERSION)
    assert "written with River 0.25.0, this is 0.26.1" in found.snapshots[0].remark


def test_a_log_that_begins_behind_every_snapshot_cannot_be_recovered(home: Path) -> None:
    """However whole it is: what was before is lost."""
    shutil.rmtree(home / "snapshots")
    (line,) = damages(home)
    assert line.startswith(f"{home} cannot be recovered: {home / FILE} begins at position 6")


def test_a_snapshot_ahead_of_the_log_is_damage(home: Path) -> None:
    """The end of the log is lost, then; a renamed snapshot is none of that moment."""
    path = snapshot(home, EVENTS + 2)
    (line,) = damages(home)
    assert line.startswith(f"snapshot {path} is ahead of the log: {home / FILE} ends before")
    other = path.rename(path.with_name(path.name.replace("2-0000000000", "1-0000000000", 1)))
    (line,) = damages(home)
    assert line.startswith(f"snapshot {other} is damaged: it is of another moment")


@pytest.mark.parametrize("make", [Path.mkdir, lambda _: None])
def test_what_is_no_data_directory_is_an_error(tmp_path: Path, make: Callable[..., Any]) -> None:
    """Missing or empty; nothing is made."""
    folder = tmp_path / "none"
    make(folder)
    with pytest.raises(FileNotFoundError, match="is no data directory"):
        check(folder, VERSIONS)
    assert list(tmp_path.rglob("*")) == [folder] * folder.exists()


def test_snapshots_without_their_log_are_damage(home: Path) -> None:
    """A server would begin a new log beside them."""
    (home / FILE).unlink()
    with pytest.raises(CorruptStorage, match=r"log\.sqlite is missing"):
        check(home, VERSIONS)


def copy(source: Path, target: Path) -> Findings:
    """Copies; returns what is in the copy."""
    steps: list[tuple[int, int | None]] = []
    copy_directory(source, target, VERSIONS, lambda done, total: steps.append((done, total)))
    assert steps[-1][0] == steps[-1][1]
    assert not list(target.parent.glob("*.unfinished"))
    assert {path.name for path in target.iterdir()} == {FILE, "lock", "snapshots"}
    return check(target, VERSIONS)


def test_a_copy_has_all_of_a_stopped_servers_directory(home: Path, tmp_path: Path) -> None:
    """Log and snapshots; the original is as it was."""
    before = look(home)
    found = copy(home, tmp_path / "copy")
    assert found.whole
    assert counts(found) == counts(check(home, VERSIONS))
    names = [each.path.name for each in found.snapshots]
    assert names == [path.name for path in Snapshots(home, VERSIONS).newest()]
    assert look(home) == before


@pytest.mark.parametrize("there", [True, False])
def test_a_copy_has_nothing_but_what_a_server_wants(
    home: Path, tmp_path: Path, there: bool
) -> None:
    """Whether its folder is there or not."""
    target = tmp_path / "copy"
    if there:
        target.mkdir()
    copy_directory(home, target, VERSIONS, lambda *_: None)
    assert {path.name for path in target.iterdir()} == {FILE, "lock", "snapshots"}


def test_a_copy_has_what_a_killed_server_had_acknowledged(killed: Path, tmp_path: Path) -> None:
    """Also what is only in the write-ahead log."""
    before = look(killed)
    assert counts(copy(killed, tmp_path / "copy"))[:2] == (1, EVENTS + 1)
    assert look(killed) == before


def test_a_volume_is_filled_and_not_replaced(home: Path, tmp_path: Path) -> None:
    """An empty directory that is there stays the same one; what a file system puts in is empty."""
    target = tmp_path / "volume"
    target.mkdir()
    number = target.stat().st_ino
    (target / "lost+found").mkdir()
    copy_directory(home, target, VERSIONS, lambda *_: None)
    assert target.stat().st_ino == number
    assert counts(check(target, VERSIONS)) == counts(check(home, VERSIONS))


def test_a_copy_is_recoverable_however_much_the_server_forgets_meanwhile(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two snapshots later the log does not reach back to those that were copied: newer ones do."""
    store, snapshots = SqliteStore(home), Snapshots(home, VERSIONS)
    original = copying._copy_snapshots
    ends = [(14, 15), (16, 17)]

    def overtaken(*args: Any) -> Any:
        copies = original(*args)
        if ends:
            older, newer = ends.pop(0)
            snapshot(home, older)
            snapshot(home, newer)
            snapshots.prune()
            store.truncate(older)
            store.append([streamed(1)], PROGRESS)  # the store's thread has come past it
            store.append([streamed(2)], PROGRESS)
        return copies

    monkeypatch.setattr(copying, "_copy_snapshots", overtaken)
    found = copy(home, tmp_path / "copy")
    store.close()
    assert found.whole
    assert found.log.first == 16
    assert [each.progress.batch for each in found.snapshots] == [17, 16]


def test_a_copy_is_one_moment_of_a_log_that_grows(tmp_path: Path) -> None:
    """It ends, though there is never a pause; the next copy has more."""
    home, stop = tmp_path / "home", threading.Event()
    store = SqliteStore(home)
    grow(store, 500)

    def log() -> None:
        while not stop.is_set():
            grow(store, 5)

    thread = threading.Thread(target=log)
    thread.start()
    found = [copy(home, tmp_path / "0")]
    while found[-1].log.next == found[0].log.next:
        found.append(copy(home, tmp_path / str(len(found))))
    stop.set()
    thread.join()
    store.close()
    assert all(each.whole for each in found)
    assert 500 < (found[0].log.next or 0) < (found[-1].log.next or 0)


def test_a_damaged_snapshot_is_not_copied(home: Path, tmp_path: Path) -> None:
    """Where an older one will do; it is said which."""
    path = Snapshots(home, VERSIONS).newest()[0]
    path.write_bytes(path.read_bytes()[:-9])
    copied = copy_directory(home, tmp_path / "copy", VERSIONS, lambda *_: None)
    assert [each.progress.batch for each in copied.findings.snapshots] == [6]
    (line,) = copied.passed_over
    assert line.startswith(f"snapshot {path} is damaged")


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("statement", [f"{BODY}8", "DELETE FROM meta"])
def test_what_is_damaged_is_not_copied(
    home: Path, tmp_path: Path, there: bool, statement: str
) -> None:
    """The damage is named where it is, and no copy is left that could be taken for one."""
    target = tmp_path / "copy"
    if there:
        target.mkdir()
    sql(home, statement)
    with pytest.raises(CorruptStorage, match=f"{home / FILE} is damaged"):
        copy(home, target)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"home", "copy"} if there else {"home"}
    assert not there or {path.name for path in target.iterdir()} <= {"lock"}


def test_a_directory_that_cannot_be_recovered_is_not_copied(home: Path, tmp_path: Path) -> None:
    """Nobody is to find that out when the backup is all there is."""
    shutil.rmtree(home / "snapshots")
    with pytest.raises(CorruptStorage, match=f"{home} cannot be recovered"):
        copy(home, tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_what_an_interrupted_copy_has_left_is_no_obstacle(home: Path, tmp_path: Path) -> None:
    """It is done anew; what is not a copy's is nobody's to delete."""
    left = tmp_path / "copy.unfinished"
    shutil.copytree(home, left)
    assert copy(home, tmp_path / "copy").whole
    other = tmp_path / "other.unfinished"
    other.mkdir()
    (other / "letter").write_text("dear")
    with pytest.raises(FileExistsError, match="holds what is no copy"):
        copy(home, tmp_path / "other")
    assert (other / "letter").read_text() == "dear"


def test_a_target_that_is_not_empty_or_in_use_is_refused(home: Path, tmp_path: Path) -> None:
    """Nothing in it is changed."""
    before = look(home)
    with pytest.raises(FileExistsError, match="is not empty"):
        copy(home, home)
    with pytest.raises(FileExistsError, match="it is no directory"):
        copy(home, home / FILE)
    assert look(home) == before
    lock = FolderLock(tmp_path / "used")
    with pytest.raises(DirectoryInUse):
        copy(home, tmp_path / "used")
    lock.release()
