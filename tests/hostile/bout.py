"""One payload against one process: loads it and does what a server does, looking after each step.

Runs in the arena's fork; says after every stage what came of it.
"""

from __future__ import annotations

import atexit
import copy
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dill

from tests.hostile import world
from tests.hostile.attack import SECRET
from thalweg_server.core.policy import Policy
from thalweg_server.uploads import load

MEMORY_BYTES = 200 << 20
"""Growth beyond this is a harm even where the bound held."""

X = {"a": 1.0, "b": 2.0}
"""The features of the one observation."""

Y = 3.0
"""Its target."""

Report = Callable[[dict[str, Any]], object]


def loader(name: str) -> Callable[[bytes], Any]:
    """Return what turns a payload into an object: `dill`, or a policy's name."""
    if name == "dill":
        return dill.loads  # type: ignore[no-any-return]
    return lambda payload: load(payload, Policy(name))


def run(order: dict[str, Any], report: Report, before: world.World) -> None:
    """Let a payload loose.

    Args:
        order: `payload` (path), `nest` (the canary's folder), `loader`, and `last`: the stage after
            which to stop.
        report: told of each stage: its name, the harms seen so far, the error's type and text.
        before: what the process was made of.
    """
    payload = Path(order["payload"]).read_bytes()
    loads = loader(order["loader"])
    nest = Path(order["nest"])
    reads = _watch_reads(str(nest.parent / SECRET))
    before, memory = before + world.settings(), _peak_bytes()
    held: list[Any] = []
    stages: dict[str, Callable[[], Any]] = {
        "load": lambda: held.append(loads(payload)),
        "describe": lambda: (repr(held[0]), str(held[0])),
        "predict": lambda: held[0].predict_one(dict(X)),
        "learn": lambda: held[0].learn_one(dict(X), Y),
        "copy": lambda: copy.deepcopy(held[0]),
        "download": lambda: dill.dumps(held[0], recurse=True),
        "drop": lambda: _drop(held),
    }
    for stage, step in stages.items():
        report({"stage": stage, "begun": True})
        harms, error = attempt(step)
        grown = _peak_bytes() - memory
        over = stage == order["last"] or not held
        changed = world.changes(before) if over else []
        harms |= {"world"} if changed else set()
        harms |= {"file"} if any(nest.iterdir()) else set()
        harms |= {"read"} if reads else set()
        harms |= {"memory"} if grown > MEMORY_BYTES else set()
        report(
            {
                "stage": stage,
                "harms": sorted(harms),
                "changed": changed[:5],
                "grown": grown,
                "error": type(error).__name__ if error else "",
                "message": str(error)[:500] if error else "",
            }
        )
        if over:
            break


def attempt(step: Callable[[], Any]) -> tuple[set[str], BaseException | None]:
    """Take one step; return what harm its exception is, and the exception."""
    try:
        step()
    except MemoryError as error:
        return {"memory"}, error
    except RecursionError as error:
        return {"depth"}, error
    except Exception as error:
        return set(), error
    except BaseException as error:
        return {"escape"}, error
    return set(), None


def _drop(held: list[Any]) -> None:
    held[:] = [None]
    gc.collect()
    atexit._run_exitfuncs()


def _watch_reads(secret: str) -> list[str]:
    reads: list[str] = []

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        path = arguments[0] if event == "open" else None
        if isinstance(path, str | bytes) and os.fsdecode(path) == secret:
            reads.append(secret)

    sys.addaudithook(look)
    return reads


def _peak_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024
