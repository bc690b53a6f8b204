"""Where an estimator comes from: a file of dill bytes, or `module:function` that makes one."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from thalweg.cli.group import Failure


def load(source: str) -> Any:
    """Return dill bytes or an estimator.

    Raises:
        Failure: neither a file nor something that gives an estimator.
    """
    path = Path(source)
    if path.is_file():
        return path.read_bytes()
    module, colon, name = source.partition(":")
    if not colon or not module or not name:
        raise Failure(f"{source}: neither a file nor module:function")
    return _made(source, _attribute(source, module, name))


def _attribute(source: str, module: str, name: str) -> Any:
    sys.path.insert(0, "")  # the user's own modules lie where the user stands
    try:
        found = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise Failure(f"{source}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove("")
    return found


def _made(source: str, found: Any) -> Any:
    """Return the estimator that a function makes or, where it is none, that is there already."""
    if isinstance(found, bytes) or (hasattr(found, "learn_one") and not isinstance(found, type)):
        return found
    if not callable(found):
        raise Failure(f"{source}: neither an estimator nor a function that makes one")
    try:
        return found()
    except Exception as error:
        raise Failure(f"{source}() raised {type(error).__name__}: {error}") from error
