"""A process that forks children, has each make an attempt, confined or not, and reports.

It runs no threads, so that its children can be jailed. One attempt is a line of JSON on its input,
what came of it one on its output. Run as `python -m tests.jail.warden`, or, by root, with the
number of a user that it is to become after its imports.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.jail import attempts, computing
from tests.jail.hiding import hide_from_kernel
from thalweg_server import jail
from thalweg_server.jail import entering, landlock, rlimits, seccomp
from thalweg_server.jail.kernel import Kernel
from thalweg_server.jail.syscalls import machine

MEMORY_BYTES = 256 << 20
BOUNDS = jail.Bounds(memory_bytes=MEMORY_BYTES)
TIMEOUT_SECONDS = 30


def _free(link: int) -> None:
    """Confined by nothing: attempts that are refused in the jail succeed like this."""


def _jailed(link: int) -> list[str]:
    return list(jail.enter(BOUNDS, socket=link).missing)


def _in_landlock_alone(link: int) -> None:
    here = machine()
    assert here is not None
    kernel = Kernel()
    kernel.prctl(entering.PR_SET_NO_NEW_PRIVS, 1)
    landlock.restrict(kernel, here, landlock.version(kernel, here))


def _with_limits_alone(link: int) -> None:
    rlimits.restrict(MEMORY_BYTES)


def _jailed_on_an_old_kernel(link: int) -> list[str]:
    hide_from_kernel("landlock_create_ruleset", "landlock_restrict_self")
    return _jailed(link)


def _jailed_without_filters(link: int) -> list[str]:
    hide_from_kernel("seccomp")
    return _jailed(link)


def _jailed_in_a_strict_container(link: int) -> list[str]:
    hide_from_kernel("landlock_create_ruleset", "landlock_restrict_self", "seccomp")
    return _jailed(link)


def _jailed_by_a_liar(link: int) -> list[str]:
    """The kernel takes filter and domain and does nothing."""
    entering.abilities = lambda: replace(jail.abilities(), landlock_abi=0)
    seccomp.restrict = lambda *_, **__: None
    return _jailed(link)


def _jailed_with_a_thread(link: int) -> list[str]:
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    return _jailed(link)


def _jailed_under_strict_limits(link: int) -> list[str]:
    most = rlimits.mapped_bytes() + (32 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    return _jailed(link)


WAYS: dict[str, Callable[[int], Any]] = {
    "free": _free,
    "jailed": _jailed,
    "landlock": _in_landlock_alone,
    "limits": _with_limits_alone,
    "old kernel": _jailed_on_an_old_kernel,
    "no filters": _jailed_without_filters,
    "container": _jailed_in_a_strict_container,
    "liar": _jailed_by_a_liar,
    "threads": _jailed_with_a_thread,
    "strict limits": _jailed_under_strict_limits,
}


def main() -> None:
    """Serves until its input ends."""
    jail.preload()
    if len(sys.argv) > 1:
        _become(int(sys.argv[1]))
    attempts.open_doors()
    for line in sys.stdin:
        order = json.loads(line)
        report = SCENES[order["attempt"]]() if order["attempt"] in SCENES else _fork(**order)
        print(json.dumps(report), flush=True)  # noqa: T201


def _become(user: int) -> None:
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    Kernel().prctl(entering.PR_SET_DUMPABLE, 1)  # as if it had been started by that user


def _fork(*, attempt: str, way: str) -> dict[str, Any]:
    ours, link = socket.socketpair()
    ours.settimeout(TIMEOUT_SECONDS)
    ours.sendall(b"x")  # something to receive
    child = os.fork()
    if child == 0:
        ours.close()
        _be_child(link, attempt, way)
    link.close()
    told = bytearray()
    try:
        while part := ours.recv(1 << 16):
            told += part
    except TimeoutError:
        os.kill(child, signal.SIGKILL)
        told.clear()
    except ConnectionResetError:  # it ended without reading what it was sent
        pass
    ours.close()
    _, status = os.waitpid(child, 0)
    report: dict[str, Any] = json.loads(told or "{}")
    return {"status": os.waitstatus_to_exitcode(status)} | report


def _be_child(link: socket.socket, attempt: str, way: str) -> None:
    report: dict[str, Any] = {}
    try:
        function = {**attempts.ATTEMPTS, **computing.ATTEMPTS}[attempt]
        thing = attempts.PREPARATIONS.get(attempt, lambda: link)()
        report["entered"] = WAYS[way](link.fileno())
        report["value"] = _plain(function(thing))
    except BaseException as error:
        report |= {"error": type(error).__name__, "text": str(error)}
        report["trace"] = traceback.format_exc()
    finally:
        link.sendall(json.dumps(report).encode())
        os._exit(0)


def _plain(value: Any) -> Any:
    try:
        json.dumps(value)
    except TypeError:
        return repr(value)
    return value


def _orphan() -> dict[str, Any]:
    """A jailed grandchild whose parent is killed; whether it dies as well."""
    ours, link = socket.socketpair()
    ours.settimeout(TIMEOUT_SECONDS)
    child = os.fork()
    if child == 0:
        if os.fork() == 0:
            signal.alarm(2 * TIMEOUT_SECONDS)  # should the parent's death not do
            _jailed(link.fileno())
            link.sendall(b"in")
            time.sleep(2 * TIMEOUT_SECONDS)
        signal.pause()
    link.close()
    started = ours.recv(2)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    try:
        return {"value": started == b"in" and ours.recv(1) == b""}
    except TimeoutError:
        return {"value": False}


def _look() -> dict[str, Any]:
    """What can be seen of a jailed process from outside."""
    ours, link = socket.socketpair()
    child = os.fork()
    if child == 0:
        _jailed(link.fileno())
        link.sendall(b"in")
        time.sleep(TIMEOUT_SECONDS)
    ours.recv(2)
    process = Path(f"/proc/{child}")
    status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
    try:
        files = sorted(str(file.readlink()).split(":")[0] for file in (process / "fd").iterdir())
    except PermissionError:
        files = ["hidden"]
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return {
        "files": files,
        "capabilities": int(status["CapPrm"], 16) | int(status["CapEff"], 16),
        "no_new_privs": status["NoNewPrivs"],
        "filter": status["Seccomp"],
    }


SCENES: dict[str, Callable[[], dict[str, Any]]] = {"orphan": _orphan, "look": _look}


if __name__ == "__main__":
    main()
