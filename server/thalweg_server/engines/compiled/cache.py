"""Compiled kernels on disk, so that a restart compiles nothing.

numba caches functions of real files only, beside them. So each kernel's source is written to a
folder keyed by its text and by the versions that its machine code depends on, and imported.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from thalweg_server.engines.compiled.errors import Unlowerable

FOLDER_VARIABLE = "THALWEG_KERNEL_CACHE"

KERNELS_MAX = 64
"""Kinds of pipelines that one server compiles: each takes seconds and some memory for good."""

VERSIONED = ("thalweg", "numba", "llvmlite", "numpy", "river")


@dataclass(frozen=True, slots=True)
class Kernel:
    """A compiled kernel.

    Args:
        run: the function.
        seconds: what it took to have it.
        cached: whether it came from the disk.
    """

    run: Callable[..., None]
    seconds: float
    cached: bool


@dataclass(slots=True)
class KernelCache:
    """Kernels by their source, each imported once.

    Args:
        folder: where they are kept; None for the user's cache folder, or THALWEG_KERNEL_CACHE.
    """

    folder: Path | None = None
    _kernels: dict[str, Kernel] = field(default_factory=dict)

    def get(self, source: str) -> Kernel:
        """The kernel of a source, from memory, from disk or from the compiler."""
        kernel = self._kernels.get(source)
        if kernel is None:
            if len(self._kernels) >= KERNELS_MAX:
                raise Unlowerable(f"the server has compiled {KERNELS_MAX} kinds of pipelines")
            if self.folder is None:
                self.folder = default_folder()
            kernel = self._kernels[source] = _load(self.folder, source)
        return kernel


def default_folder() -> Path:
    """A folder of the user's own that can be written, else a private temporary one."""
    named = os.environ.get(FOLDER_VARIABLE)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(named) if named else Path(base) / "thalweg" / "kernels"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return Path(tempfile.mkdtemp(prefix="thalweg-kernels-"))


def key(source: str) -> str:
    """What the machine code depends on, as a name for a folder."""
    parts = [source, platform.machine(), platform.python_implementation(), sys.version]
    parts += [f"{name} {version(name)}" for name in VERSIONED]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _load(folder: Path, source: str) -> Kernel:
    name = f"thalweg_kernel_{key(source)}"
    path = folder / name / f"{name}.py"
    begun = time.perf_counter()
    # numba tells by the file's time whether its code is old: a good file stays as it is.
    if not path.is_file() or path.read_text(encoding="utf-8") != source:
        _write(path, source)
    module = _import(name, path)
    stats = module.run.stats
    return Kernel(module.run, time.perf_counter() - begun, bool(stats.cache_hits))


def _write(path: Path, source: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write(source)
    Path(file.name).replace(path)


def _import(name: str, path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # numba looks the module up while it compiles
    spec.loader.exec_module(module)
    return module
