"""Snapshots on disk: whole, checked, of these versions, or not used."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from thalweg_server.core.errors import CorruptStorage
from thalweg_server.core.events import Progress
from thalweg_server.core.storing import Sink, Source
from thalweg_server.storage import snapshot_sink
from thalweg_server.storage.manifest import OtherVersion
from thalweg_server.storage.snapshots import Snapshots

VERSIONS = {"river": "0.26.1", "python": "3.11"}

ARRAYS = {
    "floats": np.array([[0.1, -0.0, np.nan], [1e300, 5e-324, np.inf]]),
    "none/of/them": np.empty((0, 3), np.int64),
    "flags": np.array([True, False, True]),
    "columns": np.asfortranarray(np.arange(12, dtype=np.int32).reshape(3, 4))[::2],
    "one": np.array(7),
}

DUMPS = {f"cells/{n}": bytes([n]) * (n * 37) for n in range(20)}


def freeze(sink: Sink) -> None:
    """Some of everything."""
    for name, values in ARRAYS.items():
        sink.array(name, values)
        sink.data(name, name.encode())  # the same name is not the same part
        sink.dump(f"dump of {name}", 1, name.encode)
    sink.data("empty", b"")
    for name, payload in DUMPS.items():
        sink.dump(name, len(payload), partial(bytes, payload))


def read(source: Source) -> list[object]:
    """All of it."""
    arrays = [source.array(name) for name in ARRAYS]
    return [
        [(a.dtype.str, a.shape, a.tobytes()) for a in arrays],
        [source.data(name) for name in (*ARRAYS, "empty", *DUMPS)],
        [source.data(f"dump of {name}") for name in ARRAYS],
    ]


WHOLE = [
    [(a.dtype.str, a.shape, a.tobytes()) for a in ARRAYS.values()],
    [*(name.encode() for name in ARRAYS), b"", *DUMPS.values()],
    [name.encode() for name in ARRAYS],
]


@pytest.fixture
def snapshots(tmp_path: Path) -> Snapshots:
    """None yet."""
    return Snapshots(tmp_path, VERSIONS)


def write(
    snapshots: Snapshots,
    event: int = 5,
    previous: Path | None = None,
    freeze: Callable[[Sink], None] = freeze,
) -> Path:
    """A snapshot of some moment."""
    return snapshots.write(Progress(event + 1, 0, event), freeze, previous, created=2.5)


def test_what_was_written_is_read(snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays by their bits, types and shapes; bytes; dumps in as many members as it takes."""
    monkeypatch.setattr(snapshot_sink, "CHUNK_BYTES", 100)
    path = write(snapshots)
    snapshots.verify(path)
    progress, source = snapshots.open(path)
    assert progress == snapshots.progress(path) == Progress(6, 0, 5)
    assert read(source) == WHOLE
    assert source.manifest.created == 2.5
    values = source.array("floats")
    values[:] = 1.0  # its own
    source.fill("floats", lambda rows: values[:rows])
    assert values.tobytes() == ARRAYS["floats"].tobytes()
    for ask in (source.array, source.data):
        with pytest.raises(KeyError):
            ask("something else")


def test_a_snapshot_is_a_zip_file_that_numpy_reads(snapshots: Snapshots) -> None:
    """Nobody needs this server to look into it."""
    path = write(snapshots)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        with archive.open("arrays/floats.npy") as member:
            assert np.load(member).tobytes() == ARRAYS["floats"].tobytes()


def test_an_array_goes_only_where_it_fits(snapshots: Snapshots) -> None:
    """A row more would be another candidate's."""
    _, source = snapshots.open(write(snapshots))
    with pytest.raises(CorruptStorage, match="floats"):
        source.fill("floats", lambda rows: np.empty((rows, 4)))


def test_damage_anywhere_is_told_or_does_not_matter(snapshots: Snapshots) -> None:
    """Every byte of the file, one at a time: what is read is what was written, or an error."""
    path = write(snapshots)
    whole = path.read_bytes()
    source = np.random.default_rng(1)
    found = 0
    offsets = {*range(0, len(whole), 7), *range(len(whole) - 300, len(whole))}
    for offset in sorted(offsets):
        damaged = bytearray(whole)
        damaged[offset] ^= 1 << int(source.integers(8))
        path.write_bytes(damaged)
        try:
            snapshots.verify(path)
            assert read(snapshots.open(path)[1]) == WHOLE
        except CorruptStorage as error:
            assert str(path) in str(error)
            found += 1
            with pytest.raises(CorruptStorage):
                snapshots.verify(path)
                read(snapshots.open(path)[1])
    assert found > len(offsets) // 2


def test_a_torn_file_is_damaged(snapshots: Snapshots) -> None:
    """Wherever it ends, and where it has grown."""
    path = write(snapshots)
    whole = path.read_bytes()
    for end in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        for use in (snapshots.verify, snapshots.open):
            with pytest.raises(CorruptStorage, match="is damaged"):
                use(path)
    path.unlink()
    with pytest.raises(CorruptStorage, match="No such file"):
        snapshots.open(path)


def test_a_member_that_is_missing_is_told(snapshots: Snapshots, tmp_path: Path) -> None:
    """Even where the file is a whole ZIP file."""
    path = write(snapshots)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "new.zip", "w") as new:
        for info in old.infolist():
            if info.filename != "arrays/flags.npy":
                new.writestr(info.filename, old.read(info))
    (tmp_path / "new.zip").replace(path)
    with pytest.raises(CorruptStorage, match="flags"):
        snapshots.open(path)


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        ({**VERSIONS, "river": "0.27.0"}, r"written with River 0\.26\.1, this is 0\.27\.0"),
        ({**VERSIONS, "python": "3.12"}, r"written with Python 3\.11, this is 3\.12"),
        ({**VERSIONS, "numba": "0.68"}, r"written with numba none, this is 0\.68"),
    ],
)
def test_another_version_is_refused_and_named(
    versions: dict[str, str], words: str, snapshots: Snapshots, tmp_path: Path
) -> None:
    """State is only what it was to the code that wrote it."""
    path = write(snapshots)
    others = Snapshots(tmp_path, versions)
    with pytest.raises(OtherVersion, match=words) as raised:
        others.open(path)
    assert "start that version once more, or delete the snapshot" in str(raised.value)
    others.verify(path)  # it is whole


def test_another_format_is_refused_and_named(
    snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is read any further, and it is not taken for damage."""
    monkeypatch.setattr("thalweg_server.storage.manifest.FORMAT", 1)
    path = write(snapshots)
    monkeypatch.undo()
    with pytest.raises(OtherVersion, match=r"is of format 1, .* reads format 2") as raised:
        snapshots.open(path)
    assert f"snapshot {path}" in str(raised.value)
    assert "delete the snapshot to replay the log" in str(raised.value)


def test_the_newest_come_first_and_the_others_go(snapshots: Snapshots, tmp_path: Path) -> None:
    """By how far the log is applied, not by when they were written; rows of a batch count."""
    moments = [Progress(9, 5, 12), Progress(10, 0, 9), Progress(9, 5, 11), Progress(9, 10, 12)]
    paths = [snapshots.write(each, freeze, None, created=0.0) for each in moments]
    folder = tmp_path / "snapshots"
    (folder / ".unfinished-snapshot.zip").write_bytes(b"torn")
    (folder / "snapshot-of-the-cat.zip").write_bytes(b"")
    order = [paths[1], paths[3], paths[0], paths[2]]
    assert snapshots.newest() == order
    assert snapshots.prune(keep=2) == order[:2]
    assert sorted(p.name for p in folder.iterdir()) == sorted(
        ["snapshot-of-the-cat.zip", *(p.name for p in order[:2])]
    )


@pytest.mark.parametrize(
    "error", [RecursionError("deep"), OSError(28, "full"), KeyboardInterrupt()]
)
def test_nothing_is_left_of_a_snapshot_that_failed(
    error: BaseException, snapshots: Snapshots, tmp_path: Path
) -> None:
    """An older one of the same moment stays."""
    old = write(snapshots).read_bytes()

    def fail() -> bytes:
        raise error

    def half(sink: Sink) -> None:
        freeze(sink)
        sink.dump("last", 1, fail)

    with pytest.raises(type(error)):
        write(snapshots, freeze=half)
    with pytest.raises(type(error)):
        write(snapshots, 6, freeze=half)
    assert [path.read_bytes() for path in (tmp_path / "snapshots").iterdir()] == [old]


def test_what_a_killed_writer_has_left_makes_room_for_the_next(snapshots: Snapshots) -> None:
    """Whatever moment it was of."""
    (snapshots.folder / ".unfinished-snapshot-of-another-moment.zip").write_bytes(b"torn")
    path = write(snapshots)
    assert list(snapshots.folder.iterdir()) == [path]


def test_a_disk_that_forgets_is_noticed_before_the_snapshot_is_there(
    snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read back first."""

    def damage(file: int) -> None:
        for path in snapshots.folder.iterdir():
            whole = bytearray(path.read_bytes())
            whole[len(whole) // 2] ^= 1
            path.write_bytes(whole)

    monkeypatch.setattr("thalweg_server.storage.snapshots._forget", damage)
    with pytest.raises(CorruptStorage):
        write(snapshots)
    assert list(snapshots.folder.iterdir()) == []


def test_dumps_of_the_same_version_are_copied(snapshots: Snapshots) -> None:
    """And those that have changed, or are damaged in the older snapshot, are made."""
    made: list[str] = []

    def make(name: str, version: int) -> bytes:
        made.append(name)
        return f"{name} {version}".encode()

    def freezing(versions: dict[str, int]) -> Callable[[Sink], None]:
        def dump(sink: Sink) -> None:
            for name, version in versions.items():
                sink.dump(name, version, partial(make, name, version))

        return dump

    def parts(path: Path) -> list[bytes]:
        return [snapshots.open(path)[1].data(name) for name in "abc"]

    first = write(snapshots, 1, freeze=freezing({"a": 1, "b": 1, "c": 7}))
    assert made == ["a", "b", "c"]
    second = write(snapshots, 2, first, freezing({"c": 7, "a": 1, "b": 2}))
    assert made[3:] == ["b"]
    assert parts(second) == [b"a 1", b"b 2", b"c 7"]
    whole = second.read_bytes()
    second.write_bytes(whole.replace(b"c 7", b"c 8"))
    third = write(snapshots, 3, second, freezing({"a": 1, "b": 2, "c": 7}))
    assert made[4:] == ["a", "b", "c"]
    assert parts(third) == [b"a 1", b"b 2", b"c 7"]
    second.write_bytes(whole[:50])
    fourth = write(snapshots, 4, second, freezing({"a": 1, "b": 2, "c": 7}))
    assert parts(fourth) == [b"a 1", b"b 2", b"c 7"]
    assert len(made) == 10
