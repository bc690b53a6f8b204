"""Kernels come from the disk or from a child, and nothing that is broken or foreign is run."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dill
import pytest
from river import dummy, stats

from thalweg_server.core.observation import Flavor
from thalweg_server.core.ports import NotReady
from thalweg_server.engines.compiled import CompiledEngine, cache, store
from thalweg_server.engines.compiled.compiling import Compilation
from thalweg_server.engines.compiled.errors import Unlowerable
from thalweg_server.engines.compiled.fleet import Fleets
from thalweg_server.engines.river import RiverEngine

pytestmark = pytest.mark.timeout(600)

CODE = """
import dill
from river import dummy, stats
from thalweg_server.core.observation import Flavor
from thalweg_server.engines.compiled import CompiledEngine
from thalweg_server.engines.compiled.cache import KernelCache
from thalweg_server.engines.compiled.fleet import Fleets
from thalweg_server.engines.river import RiverEngine
engine = CompiledEngine(RiverEngine(), Fleets(KernelCache(patient=True)))
engine.load(dill.dumps(dummy.StatisticRegressor(stats.Mean())), Flavor.REGRESSION, ())
kernels = engine._fleets.kernels._kernels.values()
print([kernel.cached for kernel in kernels], [len(k.run.stats.cache_misses) for k in kernels])
"""

SOURCE = """
from numba import njit

@njit("int64(int64)", cache=True)
def run(x):
    return x + 1
"""


def kept(folder: Path) -> Path:
    """The folder of the one kernel in a cache."""
    (home,) = folder.iterdir()
    return home


def compiled(folder: Path, source: str = SOURCE) -> cache.Kernel:
    """A kernel from a server of its own."""
    return cache.KernelCache(folder, patient=True).get(source)


def test_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    """Its kernel comes from the disk."""
    seen = []
    for _ in range(2):
        command = [sys.executable, "-c", CODE]
        environment = {"THALWEG_KERNEL_CACHE": str(tmp_path), "PATH": ""}
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        seen.append(done.stdout.strip())
    assert seen == ["[False] [1]", "[True] [0]"]


def test_a_candidate_waits_for_a_child_that_compiles_its_kernel(tmp_path: Path) -> None:
    """Two loads for the same child, and this process compiles nothing."""
    engine = CompiledEngine(RiverEngine(), Fleets(cache.KernelCache(tmp_path)))
    payload = dill.dumps(dummy.StatisticRegressor(stats.Mean()))
    children = []
    for _ in range(2):
        with pytest.raises(NotReady) as raised:
            engine.load(payload, Flavor.REGRESSION, ())
        assert isinstance(raised.value, cache.Compiling)
        children.append(raised.value.compilation)
    assert len(engine) == len(engine._river) == 0
    assert children[0] is children[1]
    waiting = threading.Thread(target=raised.value.wait)
    waiting.start()
    waiting.join()
    slot = engine.load(payload, Flavor.REGRESSION, ()).slot
    assert engine.placement(slot) == ("compiled", "")
    assert [kernel.cached for kernel in engine._fleets.kernels._kernels.values()] == [True]


def test_asking_for_a_kernel_that_is_not_there_takes_no_time(tmp_path: Path) -> None:
    """The thread that runs models goes on while the child starts."""
    kernels = cache.KernelCache(tmp_path)
    begun = time.perf_counter()
    with pytest.raises(NotReady) as raised:
        kernels.get(SOURCE)
    assert time.perf_counter() - begun < 0.5
    raised.value.wait()
    assert kernels.get(SOURCE).run(1) == 2  # type: ignore[func-returns-value]


def failure(kernels: cache.KernelCache, source: str) -> str:
    """Why a child could not compile a source."""
    with pytest.raises(NotReady) as raised:
        kernels.get(source)
    raised.value.wait()
    with pytest.raises(Unlowerable) as refused:
        kernels.get(source)
    return str(refused.value)


def test_a_child_that_fails_says_why(tmp_path: Path) -> None:
    """For a minute to all who ask; then it is tried again."""
    kernels = cache.KernelCache(tmp_path)
    source = "raise ValueError('no kernel')"
    assert "ValueError: no kernel" in failure(kernels, source)
    with pytest.raises(Unlowerable):
        kernels.get(source)
    kernels._compilations[source]._ended -= 61
    assert "ValueError: no kernel" in failure(kernels, source)
    assert list(tmp_path.iterdir()) == []


def test_a_child_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """And leaves nothing that would be taken for a kernel."""
    compilation = Compilation(tmp_path, SOURCE, threading.Lock(), seconds=0.05)
    compilation.start()
    compilation.wait()
    assert compilation.reason == "its kernel was not compiled within 0.05 seconds"
    assert store.find(tmp_path, SOURCE) is None


def test_a_stopped_child_leaves_no_kernel(tmp_path: Path) -> None:
    """Nor does one that still waits for its turn."""
    kernels = cache.KernelCache(tmp_path)
    sources = [SOURCE, f"{SOURCE}\n"]
    for source in sources:
        with pytest.raises(NotReady):
            kernels.get(source)
    waiting = list(kernels._compilations.values())
    kernels.close()
    for compilation in waiting:
        compilation.wait()
        assert compilation.reason
    assert [store.find(tmp_path, source) for source in sources] == [None, None]


def test_what_interrupted_compilations_leave_is_removed(tmp_path: Path) -> None:
    """Once nobody can be at work there any more."""
    for name, age in {"old": 7_200, "new": 60}.items():
        left = tmp_path / f"{store.UNFINISHED}{name}"
        left.mkdir()
        os.utime(left, (time.time() - age, time.time() - age))
    compiled(tmp_path)
    assert [path.name for path in tmp_path.glob(f"{store.UNFINISHED}*")] == [
        f"{store.UNFINISHED}new"
    ]


def change_source(home: Path) -> None:
    """Another text of the same length."""
    (file,) = home.glob("*.py")
    file.write_text(file.read_text().replace("x + 1", "x + 2"))


def truncate(pattern: str) -> Callable[[Path], None]:
    """Half of a file is lost."""

    def damage(home: Path) -> None:
        (file,) = home.glob(pattern)
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    return damage


def remove(pattern: str) -> Callable[[Path], None]:
    """A file is lost."""

    def damage(home: Path) -> None:
        (file,) = home.glob(pattern)
        file.unlink()

    return damage


def open_to_all(home: Path) -> None:
    """Anyone may have written there."""
    home.chmod(0o777)


DAMAGES = {
    "source": change_source,
    "index": truncate("__pycache__/*.nbi"),
    "code": truncate("__pycache__/*.nbc"),
    "seal": truncate("seal.json"),
    "no index": remove("__pycache__/*.nbi"),
    "no seal": remove("seal.json"),
    "open": open_to_all,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_kernel_is_compiled_anew(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """What runs is what was generated."""
    assert not compiled(tmp_path).cached
    damage(kept(tmp_path))
    assert store.find(tmp_path, SOURCE) is None
    again = compiled(tmp_path)
    assert (again.cached, again.run(1)) == (False, 2)  # type: ignore[func-returns-value, comparison-overlap]
    assert compiled(tmp_path).cached


def test_a_copied_folder_is_as_good(tmp_path: Path) -> None:
    """Though its files have other times, by which numba would compile them anew."""
    compiled(tmp_path)
    for path in kept(tmp_path).rglob("*"):
        os.utime(path, (1, 1))
    module = store.find(tmp_path, SOURCE)
    assert module is not None
    assert not module.run.stats.cache_misses


def test_nothing_is_run_from_a_folder_that_others_can_write(tmp_path: Path) -> None:
    """Nor from another user's."""
    compiled(tmp_path)
    tmp_path.chmod(0o770)
    assert store.find(tmp_path, SOURCE) is None
    with pytest.raises(Unlowerable, match="can be written by others"):
        compiled(tmp_path)
    tmp_path.chmod(0o700)
    assert store.find(tmp_path, SOURCE) is not None


def test_nothing_is_run_from_another_users_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where only that user can write."""
    compiled(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert store.find(tmp_path, SOURCE) is None


def test_a_full_disk_leaves_a_candidate_to_river(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With that reason, and nothing half written."""

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "rename", full)
    engine = CompiledEngine(RiverEngine(), Fleets(cache.KernelCache(tmp_path, patient=True)))
    payload = dill.dumps(dummy.StatisticRegressor(stats.Mean()))
    slot = engine.load(payload, Flavor.REGRESSION, ()).slot
    name, reason = engine.placement(slot)
    assert name == "river"
    assert "No space left" in reason
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", ["below a file", "open to others"])
def test_a_folder_of_no_use_is_replaced_by_a_private_one(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    shape: str,
) -> None:
    """And the log says why."""
    (tmp_path / "file").touch()
    folder = tmp_path / "open" if shape == "open to others" else tmp_path / "file" / "kernels"
    if shape == "open to others":
        folder.mkdir()
        folder.chmod(0o777)
    monkeypatch.setenv(cache.FOLDER_VARIABLE, str(folder))
    kernels = cache.KernelCache(patient=True)
    assert kernels.get(SOURCE).run(1) == 2  # type: ignore[func-returns-value]
    assert kernels.folder is not None
    assert kernels.folder.stat().st_mode & 0o077 == 0
    assert "kernels are not kept" in caplog.text


def test_a_private_folder_goes_with_the_server(tmp_path: Path) -> None:
    """Temporary folders do not pile up."""
    code = "from thalweg_server.engines.compiled.cache import KernelCache as K; print(K()._home())"
    (tmp_path / "file").touch()
    environment = {"THALWEG_KERNEL_CACHE": str(tmp_path / "file" / "kernels"), "PATH": ""}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert "thalweg-kernels-" in done.stdout
    assert not Path(done.stdout.strip()).exists()


def test_another_process_may_be_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its kernel stays, and ours is good all the same."""

    def late(self: Path, target: Path) -> Path:
        shutil.copytree(self, target)
        raise OSError(errno.ENOTEMPTY, "another process has put its kernel here")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", late)
        assert compiled(tmp_path).run(1) == 2
    assert store.is_kept(tmp_path, SOURCE)
    home = kept(tmp_path)
    before = home.stat().st_ino
    store.make(tmp_path, SOURCE)
    assert home.stat().st_ino == before
