"""Kernels by their source: from memory, from the disk, or compiled."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from thalweg_server.core.ports import NotReady
from thalweg_server.engines.compiled import store
from thalweg_server.engines.compiled.compiling import Compilation
from thalweg_server.engines.compiled.errors import Unlowerable

FOLDER_VARIABLE = "THALWEG_KERNEL_CACHE"

KERNELS_MAX = 64
"""Kinds of pipelines that one server compiles: each takes seconds and some memory for good."""


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


class Compiling(NotReady):
    """The kernel is being compiled in another process."""

    def __init__(self, compilation: Compilation) -> None:
        super().__init__(compilation.done)
        self.compilation = compilation


@dataclass(slots=True)
class KernelCache:
    """Kernels, each imported once.

    Args:
        folder: where they are kept; None for the user's cache folder, or THALWEG_KERNEL_CACHE.
        patient: compiles in this process, at once.
    """

    folder: Path | None = None
    patient: bool = False
    _kernels: dict[str, Kernel] = field(default_factory=dict)
    _compilations: dict[str, Compilation] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def get(self, source: str) -> Kernel:
        """The kernel of a source.

        Raises:
            NotReady: it is being compiled.
            Unlowerable: it could not be compiled; a minute later it is tried again.
        """
        kernel = self._kernels.get(source)
        if kernel is None:
            begun = time.perf_counter()
            module, cached = self._find(source)
            kernel = Kernel(module.run, time.perf_counter() - begun, cached)
            self._kernels[source] = kernel
        return kernel

    def close(self) -> None:
        """Stops what is being compiled; idempotent."""
        for compilation in self._compilations.values():
            compilation.stop()

    def _find(self, source: str) -> tuple[ModuleType, bool]:
        compilation = self._compilations.get(source)
        if compilation is not None and not compilation.finished:
            raise Compiling(compilation)
        if compilation is not None and compilation.failed_lately:
            raise Unlowerable(compilation.reason)
        self._compilations.pop(source, None)
        folder = self._home()
        module = store.find(folder, source)
        if module is not None:
            return module, True
        if len(self._kernels) + len(self._compilations) >= KERNELS_MAX:
            raise Unlowerable(f"the server has compiled {KERNELS_MAX} kinds of pipelines")
        if compilation is not None and not compilation.reason:
            raise Unlowerable("its kernel was compiled and cannot be read")
        if self.patient:
            return _make(folder, source), False
        self._compilations[source] = Compilation(folder, source, self._turn)
        self._compilations[source].start()
        raise Compiling(self._compilations[source])

    def _home(self) -> Path:
        if self.folder is None:
            try:
                self.folder = user_folder()
            except OSError as error:
                self.folder = Path(tempfile.mkdtemp(prefix="thalweg-kernels-"))
                atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
                logging.getLogger(__name__).warning("kernels are not kept: %s", error)
        return self.folder


def _make(folder: Path, source: str) -> ModuleType:
    try:
        return store.make(folder, source)
    except OSError as error:
        raise Unlowerable(f"its kernel could not be stored: {error}") from error


def user_folder() -> Path:
    """The folder where a user's kernels are kept, made where there is none.

    Raises:
        OSError: it cannot be written, or others may write there: what they put there would run.
    """
    named = os.environ.get(FOLDER_VARIABLE)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(named) if named else Path(base) / "thalweg" / "kernels"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = folder.resolve()
    if not store.ours(folder):
        raise PermissionError(f"{folder} is another user's or can be written by others")
    with tempfile.TemporaryFile(dir=folder):
        return folder
