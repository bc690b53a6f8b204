"""The process that all workers are forked from: it has imported what they need, and does no work.

    python -m thalweg_server.workers FD MODULE...

FD is a socket to the server, which sends what a worker may use, the worker's own socket, and a file
of one page. The modules are imported as well: behind closed doors nothing can be.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import signal
import socket
import sys
from typing import Any, NoReturn

from thalweg_server import jail
from thalweg_server.uploads import prepare
from thalweg_server.workers.progress import Progress
from thalweg_server.workers.serving import serve
from thalweg_server.workers.wire import Channel

COMMAND_BYTES_MAX = 1 << 16

ERROR_MAX = 1_000
"""Characters."""

DEPTH_MAX, STACK_BYTES = 20_000, 100 << 20
"""Calls within calls, of which each takes some KiB of stack where C calls Python. Linux keeps 128
MiB free for the stack of a process, whatever its limit was when it began.
"""


def main() -> int:
    """Forks a worker for every command, until the server closes its end."""
    control = socket.socket(fileno=int(sys.argv[1]))
    depth = _depth()
    jail.preload()
    for name in sys.argv[2:]:
        try:
            importlib.import_module(name)
        except BaseException as error:
            what = f"{type(error).__name__}: {error}"
            _answer(control, {"error": f"workers cannot import {name}: {what}"[:ERROR_MAX]})
            return 1
    prepare()
    gc.collect()
    gc.freeze()  # shared with all workers, as long as nobody writes to it
    _answer(control, {"abilities": jail.abilities().missing})
    while True:
        body, files, _, _ = socket.recv_fds(control, COMMAND_BYTES_MAX, 2)
        if not body:
            return 0
        command = json.loads(body)
        if "ended" in command:
            _answer(control, {"status": _status(command["ended"])})
        else:
            _answer(control, _fork(control, files, command | {"depth": depth}))


def _depth() -> int:
    """How deep calls within calls may go where they have to; makes the room."""
    _, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if hard != resource.RLIM_INFINITY and hard < STACK_BYTES:
        return sys.getrecursionlimit()
    resource.setrlimit(resource.RLIMIT_STACK, (STACK_BYTES, hard))
    return DEPTH_MAX


def _fork(control: socket.socket, files: list[int], command: dict[str, Any]) -> dict[str, Any]:
    try:
        child = os.fork()
    except OSError as error:
        return {"error": f"cannot fork: {error.strerror}"}
    else:
        if child == 0:
            control.close()
            _work(files, command)
        return {"process": child}
    finally:
        for file in files:
            os.close(file)


def _work(files: list[int], command: dict[str, Any]) -> NoReturn:
    """Closes the doors, then serves. Nothing may return into the parent's code."""
    status = 1
    try:
        file, page = files
        channel, progress = Channel(socket.socket(fileno=file)), Progress(page)
        abilities = jail.enter(jail.Bounds(memory_bytes=command["memory_bytes"]), socket=file)
        channel.send(list(abilities.missing))
        serve(channel, progress, command["depth"])
        status = 0
    except BaseException as error:
        with contextlib.suppress(BaseException):
            channel.send({"error": f"{type(error).__name__}: {error}"})
    finally:
        os._exit(status)


def _status(process: int) -> str:
    """How a worker ended, as words; it has to be killed or gone."""
    try:
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    except ChildProcessError:
        return "ended"
    if code >= 0:
        return f"ended with status {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:  # not all have a name
        return f"was ended by signal {-code}"


def _answer(control: socket.socket, answer: dict[str, Any]) -> None:
    control.send(json.dumps(answer).encode())


if __name__ == "__main__":
    sys.exit(main())
