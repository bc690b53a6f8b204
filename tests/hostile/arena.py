"""The process in which payloads are let loose: everything imported once, a fork for each.

Run as a program. Reads one order per line (JSON) and answers one outcome per line; an attack has
a process group, bounds and a pipe of its own, so that it hurts neither the arena nor the next one.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import resource
import select
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.hostile import bout, world

WAIT_SECONDS = 5.0
"""After this an attack that only waits is a hang: more than any other needs."""

CPU_SECONDS = 2
"""After this much computing the kernel ends an attack."""

MEMORY_BYTES = 1 << 30
"""Address space an attack gets beyond what the arena has mapped."""

FILE_BYTES = 64 << 20
"""No file, and no output, grows beyond this."""

OUTPUT_BYTES = 1 << 20
"""More output than this is a flood."""


def import_everything() -> None:
    """Import what payloads may name: what they import themselves would change the world."""
    import webbrowser  # noqa: F401

    import river
    import scipy.io  # noqa: F401

    import thalweg.features
    import thalweg.m5.features  # noqa: F401

    for module in pkgutil.walk_packages(river.__path__, "river."):
        if ".test" not in module.name:
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)


def confine(output: int) -> None:
    """Bound the calling process, and leave it no files but its report's and the output."""
    os.setsid()
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for kind, bound in [
        (resource.RLIMIT_AS, mapped + MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
    ]:
        resource.setrlimit(kind, (bound, bound))
    for number in (signal.SIGWINCH, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def strike(order: dict[str, Any], before: world.World, report: int, output: int) -> None:
    """Run one attack in this process, which then ends."""
    confine(output)
    try:
        bout.run(order, lambda line: os.write(report, json.dumps(line).encode() + b"\n"), before)
    finally:
        os._exit(0)


def watch(child: int, report: int) -> tuple[list[dict[str, Any]], int | None]:
    """Collect what an attack reports until it ends.

    Returns:
        The reports, and how the process ended as of `waitpid`; None where it had to be ended.
    """
    text, deadline, ended = b"", time.monotonic() + WAIT_SECONDS, False
    while not ended and (left := deadline - time.monotonic()) > 0:
        if select.select([report], [], [], left)[0]:
            part = os.read(report, 1 << 16)
            text, ended = text + part, not part
    status = None
    while status is None and time.monotonic() < deadline:
        done, code = os.waitpid(child, os.WNOHANG)
        status = code if done else None
        time.sleep(0 if done else 0.002)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    if status is None:
        os.waitpid(child, 0)
    return [json.loads(line) for line in text.splitlines() if line.endswith(b"}")], status


def outcome(order: dict[str, Any], before: world.World) -> dict[str, Any]:
    """Run one attack in a fork and return all that was seen of it."""
    signals: list[int] = []
    signal.signal(signal.SIGWINCH, lambda number, _: signals.append(number))
    with tempfile.TemporaryFile() as output:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            strike(order, before, writing, output.fileno())
        os.close(writing)
        reports, status = watch(child, reading)
        os.close(reading)
        size = os.fstat(output.fileno()).st_size
        output.seek(0)
        tail = output.read(2_000).decode(errors="replace")
    flooded, signalled = size > OUTPUT_BYTES, bool(signals)
    seen = {"reports": reports, "status": status, "tail": tail}
    return seen | {"flooded": flooded, "signalled": signalled}


def main() -> None:
    """Answer orders until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever an import prints is no answer
    import_everything()
    before = world.fingerprint()
    gc.collect()
    gc.freeze()  # a fork then shares its memory until it writes
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(outcome(json.loads(line), before)), file=answers, flush=True)


if __name__ == "__main__":
    main()
