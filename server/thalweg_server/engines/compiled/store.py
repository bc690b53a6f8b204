"""Machine code on disk: one folder per kernel, whole or not there.

numba caches functions of real files only, beside them. So each kernel's source is written to a
folder of its own, imported there, and the folder gets its name when all of it is written.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from llvmlite import binding  # type: ignore[import-untyped]

VERSIONED = ("thalweg", "numba", "llvmlite", "numpy", "river")

SEAL = "seal.json"
"""Written last: what the files of a kernel's folder are."""

UNFINISHED, UNFINISHED_SECONDS_MAX = ".unfinished-", 3_600
"""Folders of compilations under way, and how old they are when nobody can be at work there."""


def name_of(source: str) -> str:
    """A kernel's name: what its machine code depends on."""
    settings = sorted(f"{k}={v}" for k, v in os.environ.items() if k.startswith("NUMBA_"))
    parts = [source, platform.machine(), platform.python_implementation(), sys.version]
    parts += [binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten(), *settings]
    parts += [f"{name} {version(name)}" for name in VERSIONED]
    return f"thalweg_kernel_{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:32]}"


def ours(folder: Path) -> bool:
    """Whether only this user can have written what is in a folder."""
    found = folder.lstat()
    mine = found.st_uid == os.geteuid() and stat.S_ISDIR(found.st_mode)
    return mine and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def is_kept(folder: Path, source: str) -> bool:
    """Whether a kernel is there, whole, unchanged and ours."""
    home = folder / name_of(source)
    try:
        return ours(folder) and ours(home) and _whole(home, source)
    except (OSError, ValueError, LookupError, TypeError):  # no seal, or a broken one
        return False


def find(folder: Path, source: str) -> ModuleType | None:
    """A kernel's module; None where it is not kept, or numba cannot read it."""
    if not is_kept(folder, source):
        return None
    name = name_of(source)
    try:
        return _import(name, folder / name, source)
    except Exception:  # numba lets through whatever it meets in its files
        return None


def make(folder: Path, source: str) -> ModuleType:
    """Compiles a kernel and stores it, in place of whatever there is.

    Raises:
        OSError: the disk is full, the folder cannot be written, or is somebody else's.
    """
    if not ours(folder):
        raise PermissionError(f"{folder} is another user's or can be written by others")
    _sweep(folder)
    name = name_of(source)
    with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=folder) as unfinished:
        home = Path(unfinished) / name
        home.mkdir(mode=0o700)
        _file(home, name).write_text(source, encoding="utf-8")
        module = _import(name, home, source)
        seal = json.dumps({"time": _file(home, name).stat().st_mtime_ns, "files": _digests(home)})
        (home / SEAL).write_text(seal, encoding="utf-8")
        _put(home, folder, source)
    return module


def _put(home: Path, folder: Path, source: str) -> None:
    """Moves a finished kernel to its place, unless another process was faster."""
    if is_kept(folder, source):
        return
    shutil.rmtree(folder / home.name, ignore_errors=True)
    try:
        home.rename(folder / home.name)
    except OSError:
        if not is_kept(folder, source):
            raise


def _file(home: Path, name: str) -> Path:
    return home / f"{name}.py"


def _whole(home: Path, source: str) -> bool:
    seal = json.loads((home / SEAL).read_text(encoding="utf-8"))
    file = _file(home, home.name)
    if file.read_text(encoding="utf-8") != source or _digests(home) != seal["files"]:
        return False
    # numba tells by the file's time whether its code is old; a copy of the folder has another.
    if file.stat().st_mtime_ns != seal["time"]:
        os.utime(file, ns=(seal["time"], seal["time"]))
    return True


def _digests(home: Path) -> dict[str, str]:
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(home.rglob("*"))
        if path.is_file() and path.name != SEAL
    }


def _import(name: str, home: Path, source: str) -> ModuleType:
    """Runs the source itself, never a file of bytecode that may be beside it."""
    module = ModuleType(name)
    module.__file__ = str(_file(home, name))
    sys.modules[name] = module  # numba looks the module up while it compiles
    try:
        with _cache_beside():
            exec(compile(source, module.__file__, "exec"), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextlib.contextmanager
def _cache_beside() -> Iterator[None]:
    """Has numba keep its files beside the source, wherever it is told to keep others."""
    import numba  # noqa: PLC0415 -- takes long, and some servers need none

    settings: Any = numba.config
    named, settings.CACHE_DIR = settings.CACHE_DIR, ""
    try:
        yield
    finally:
        settings.CACHE_DIR = named


def _sweep(folder: Path) -> None:
    """Removes what interrupted compilations have left."""
    for left in folder.glob(f"{UNFINISHED}*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > UNFINISHED_SECONDS_MAX:
                shutil.rmtree(left)
