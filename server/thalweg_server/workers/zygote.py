"""The server's handle on the process that workers are forked from."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from thalweg_server.core.ports import Busy
from thalweg_server.workers.gate import Gate
from thalweg_server.workers.progress import Progress, shared_page
from thalweg_server.workers.wire import WAIT, Channel

ANSWER_BYTES_MAX = 1 << 16

UNHEARD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that are for the server, which still needs its workers when it has heard them."""

ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""Libraries that would start threads of their own, which a process behind closed doors has not."""

ONE_ORDER = {"PYTHONHASHSEED": "0"}
"""Texts in sets are in the same order in all workers: some estimators add up in it, and one that is
made again has to be what it was. How many texts a caller can send is bounded elsewhere.
"""


class WorkerFailed(Exception):
    """No worker can be had; says why."""


class NoJail(WorkerFailed):
    """The kernel cannot do what it takes to run code; says what it lacks."""


@dataclass(frozen=True, slots=True)
class Born:
    """A worker.

    Args:
        process: its number.
        channel: to it.
        progress: which item it is at.
        missing: what of the jail the kernel cannot do.
    """

    process: int
    channel: Channel
    progress: Progress
    missing: Sequence[str]


class Zygote:
    """Forks workers, within milliseconds. Any thread.

    Args:
        modules: what workers import beside River and Thalweg: classes that uploads name.
        allow_unjailed_code: whether uploads' code may run where the kernel cannot close doors.
    """

    def __init__(self, modules: Sequence[str] = (), *, allow_unjailed_code: bool = False) -> None:
        self._modules = tuple(modules)
        self.allow_unjailed_code = allow_unjailed_code
        self._gate = Gate()
        self._meanwhile = _nothing
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._ready = False
        self._missing: tuple[str, ...] = ()
        self._closed = False

    def start(self) -> None:
        """Starts the process and does not wait for it; idempotent."""
        with self._gate.passed():
            self._start()

    @property
    def missing(self) -> Sequence[str]:
        """What of the jail the kernel cannot do; waits until the process is there.

        Raises:
            WorkerFailed: it does not start.
        """
        with self._asked(_nothing):
            self._wake()
            return self._missing

    def fork(
        self,
        memory_bytes: int,
        *,
        coded: bool = False,
        meanwhile: Callable[[], None] | None = None,
    ) -> Born:
        """A new worker; raises WorkerFailed, NoJail.

        Args:
            memory_bytes: what it may take beyond what it begins with.
            coded: whether it will run code of an upload.
            meanwhile: called every few milliseconds of a wait.
        """
        meanwhile = meanwhile or _nothing
        ours, theirs = socket.socketpair()
        command = {"memory_bytes": memory_bytes}
        try:
            with theirs, shared_page() as page:
                progress = Progress(page.fileno())
                with self._asked(meanwhile):
                    self._wake()
                    self._check(coded=coded)
                    answer = self._ask(command, [theirs.fileno(), page.fileno()])
            channel = Channel(ours, meanwhile, wary=True)
            said = channel.receive()
        except BaseException as error:
            ours.close()
            if isinstance(error, WorkerFailed | Busy):
                raise
            raise WorkerFailed(f"a worker did not start: {error}") from error
        if not isinstance(said, list):
            channel.close()
            raise WorkerFailed(f"a worker could not close its doors: {said}")
        return Born(answer["process"], channel, progress, [str(each) for each in said])

    def ended(self, process: int) -> str:
        """How a worker ended that is gone, as words."""
        with contextlib.suppress(OSError, Busy), self._asked(_nothing):
            if self._ready:  # else it ended with the process before, and nobody knows how
                return str(self._tell({"ended": process}, []).get("status", "ended"))
        return "ended"

    def close(self) -> None:
        """Ends the process; idempotent. Its workers end with it."""
        with self._gate.passed():
            self._closed = True
            self._end()

    @contextmanager
    def _asked(self, meanwhile: Callable[[], None]) -> Iterator[None]:
        with self._gate.passed(meanwhile):
            self._meanwhile = meanwhile
            yield

    def _check(self, *, coded: bool) -> None:
        if coded and self._missing and not self.allow_unjailed_code:
            raise NoJail(
                f"this kernel lacks {', '.join(self._missing)}: uploads' code is not run behind "
                "doors that do not close; --allow-unjailed-code runs it all the same"
            )

    def _start(self) -> None:
        if self._closed:
            raise WorkerFailed("the server stops")
        if self._process is not None:
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = os.environ | dict.fromkeys(ONE_THREAD, "1") | ONE_ORDER
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        command = [sys.executable, "-P", "-m", __package__, str(theirs.fileno()), *self._modules]
        with theirs, _unheard():
            self._process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL
            )
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, WAIT)
        self._control, self._ready = ours, False

    def _wake(self) -> None:
        self._start()
        if not self._ready:
            try:
                answer = self._receive()
            except (OSError, ConnectionError) as error:
                self._end()
                raise WorkerFailed(
                    "the process that forks workers did not start: see its words on stderr"
                ) from error
            if "error" in answer:
                self._end()
                raise WorkerFailed(answer["error"])
            self._missing, self._ready = tuple(answer["abilities"]), True

    def _ask(self, command: dict[str, Any], files: list[int]) -> dict[str, Any]:
        """The answer to a command; one that has died is started anew, once."""
        for last in (False, True):
            try:
                self._wake()
                answer = self._tell(command, files)
            except (OSError, ConnectionError) as error:
                self._end()
                if last:
                    raise WorkerFailed(
                        f"the process that forks workers ended: {error}; see its words on stderr"
                    ) from error
            else:
                if "error" in answer:
                    raise WorkerFailed(answer["error"])
                return answer
        raise AssertionError("unreachable")

    def _tell(self, command: dict[str, Any], files: list[int]) -> dict[str, Any]:
        assert self._control is not None
        try:
            socket.send_fds(self._control, [json.dumps(command).encode()], files)
            return self._receive()
        except BaseException:
            self._end()  # or somebody else would have this one's answer
            raise

    def _receive(self) -> dict[str, Any]:
        assert self._control is not None
        body = None
        while body is None:
            try:
                body = self._control.recv(ANSWER_BYTES_MAX)
            except BlockingIOError:
                self._meanwhile()
        if not body:
            raise ConnectionError("it has closed its end")
        answer: dict[str, Any] = json.loads(body)
        return answer

    def _end(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process, self._control, self._ready = None, None, False


@contextmanager
def _unheard() -> Iterator[None]:
    """Processes that are started in here, and theirs, never hear what is not for them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, UNHEARD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _nothing() -> None:
    """Passes no time."""
