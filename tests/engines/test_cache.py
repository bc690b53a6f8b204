"""Kernels survive a restart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from thalweg_server.engines.compiled import cache

CODE = """
import dill
from river import dummy, stats
from thalweg_server.core.observation import Flavor
from thalweg_server.engines.compiled import CompiledEngine
from thalweg_server.engines.river import RiverEngine
engine = CompiledEngine(RiverEngine())
engine.load(dill.dumps(dummy.StatisticRegressor(stats.Mean())), Flavor.REGRESSION, ())
kernels = engine._fleets.kernels._kernels.values()
print([kernel.cached for kernel in kernels], [len(k.run.stats.cache_misses) for k in kernels])
"""


def test_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    """Its kernel comes from the disk."""
    seen = []
    for _ in range(2):
        command = [sys.executable, "-c", CODE]
        environment = {"THALWEG_KERNEL_CACHE": str(tmp_path), "PATH": ""}
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        seen.append(done.stdout.strip())
    assert seen == ["[False] [1]", "[True] [0]"]


def test_a_folder_that_cannot_be_made_is_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By a private one."""
    (tmp_path / "file").touch()
    monkeypatch.setenv(cache.FOLDER_VARIABLE, str(tmp_path / "file" / "kernels"))
    folder = cache.default_folder()
    assert folder.is_dir()
    assert folder.stat().st_mode & 0o077 == 0


def test_a_changed_file_is_written_anew(tmp_path: Path) -> None:
    """What runs is what was generated."""
    source = "class run:\n    class stats:\n        cache_hits = {}\n    wrong = False\n"
    name = f"thalweg_kernel_{cache.key(source)}"
    path = tmp_path / name / f"{name}.py"
    path.parent.mkdir()
    path.write_text(source.replace("False", "True"))
    assert not cache.KernelCache(tmp_path).get(source).run.wrong  # type: ignore[attr-defined]
    assert path.read_text() == source
