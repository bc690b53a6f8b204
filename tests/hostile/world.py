"""What a process is made of, and whether it still is.

Every class, function and module of the packages that a payload could reach, and the settings of
the interpreter. Compared by identity within one process; containers of modules and classes by
what they hold.
"""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
import threading
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PACKAGES = frozenset(
    """river numpy builtins thalweg thalweg_server dill copyreg pickle copy random collections
    functools operator sys os posix datetime statistics math __main__ types io codecs importlib
    signal abc enum array itertools""".split()  # noqa: SIM905
)
"""The packages that are watched."""

ROUTINE = frozenset(
    """__warningregistry__ __annotations__ __abstractmethods__ _abc_impl __doc__ last_type
    last_value last_traceback __builtins__ __weakref__ __slotnames__ __signature__
    _abc_registry path_importer_cache""".split()  # noqa: SIM905
)
"""Names that change without anyone's doing."""

CONTAINER_MAX = 5_000
"""Containers with more items are taken to stay."""


@dataclass(frozen=True, slots=True)
class Space:
    """A namespace or container, and what it held.

    Args:
        path: where it was found.
        holder: what is looked at again.
        look: how.
        content: what was there then.
    """

    path: str
    holder: Any
    look: Callable[[Any], Any]
    content: Any


World = list[Space]


def fingerprint() -> World:
    """Return what there is; it keeps everything it names alive."""
    world: World = []
    seen: set[int] = set()
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in PACKAGES and isinstance(module, types.ModuleType):
            world.append(_space(name, module, _namespace))
            for key, value in list(vars(module).items()):
                world.extend(_inside(f"{name}.{key}", value, seen))
    return world


def settings() -> World:
    """Return the interpreter's settings."""
    return [_space("<settings>", None, lambda _: dict(_settings()))]


def changes(before: World) -> list[str]:
    """Return the paths at which the world is another one than it was."""
    return [path for space in before for path in _compared(space)]


def _space(path: str, holder: Any, look: Callable[[Any], Any]) -> Space:
    return Space(path, holder, look, look(holder))


def _namespace(holder: Any) -> dict[str, Any]:
    return dict(vars(holder))


def _function(holder: types.FunctionType) -> tuple[Any, ...]:
    attributes = tuple(holder.__dict__.items()) if holder.__dict__ else ()
    return holder.__code__, holder.__defaults__, holder.__kwdefaults__, attributes


def _inside(path: str, value: Any, seen: set[int]) -> Iterator[Space]:
    """Yield what is in a value of a namespace, each once."""
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    if id(value) in seen or path.rpartition(".")[2] in ROUTINE:
        return
    seen.add(id(value))
    if isinstance(value, types.FunctionType):
        yield _space(path, value, _function)
    elif type(value) in (dict, list, set) and len(value) <= CONTAINER_MAX:
        yield _space(path, value, type(value))
    elif isinstance(value, type) and value.__module__.partition(".")[0] in PACKAGES:
        yield _space(path, value, _namespace)
        for key, each in list(vars(value).items()):
            yield from _inside(f"{path}.{key}", each, seen)


def _compared(space: Space) -> Iterator[str]:
    """Yield what differs. Equality looks at identity first, which is all that most need."""
    now, then = space.look(space.holder), space.content
    try:
        if now == then:
            return
    except ValueError:  # an array is another one: it cannot say whether it is equal
        pass
    if not isinstance(now, dict):
        yield space.path
        return
    for key in dict.fromkeys([*then, *now]):
        if key in ROUTINE or (key in now and key in then and _same(now[key], then[key])):
            continue
        # A module that was imported since is an attribute of its package since.
        if key in then or not isinstance(now[key], types.ModuleType):
            yield f"{space.path}.{key}"


def _same(left: Any, right: Any) -> bool:
    try:
        return left is right or bool(left == right)
    except ValueError:
        return False


def _settings() -> Iterator[tuple[str, Any]]:
    yield "cwd", Path.cwd()
    yield "umask", _umask()
    yield "environment", dict(os.environ)
    yield "recursion limit", sys.getrecursionlimit()
    yield "switch interval", sys.getswitchinterval()
    yield "garbage collection", (gc.isenabled(), gc.get_threshold())
    yield "warning filters", list(warnings.filters)
    yield "random state", random.getstate()
    yield "threads", [t.name for t in threading.enumerate()]
    yield "tracing", (sys.gettrace(), sys.getprofile())
    yield "handlers", [signal.getsignal(s) for s in sorted(signal.valid_signals())]


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
