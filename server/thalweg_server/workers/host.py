"""The server's handle on one worker: asks it, and ends it where it takes too long."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from thalweg_server.config import Patience
from thalweg_server.core.ports import Busy
from thalweg_server.workers.moulds import CHECKPOINT, MOULDS_MAX
from thalweg_server.workers.records import Base
from thalweg_server.workers.wire import Closed, Ended
from thalweg_server.workers.zygote import Born, Zygote

STATM_BYTES = 200
"""Of seven numbers."""

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Stopped(Exception):
    """The worker ended, or had to be ended, over what it was asked.

    Args:
        how: in words.
        item: the number of the item that it was at.
    """

    def __init__(self, how: str, item: int) -> None:
        super().__init__(how)
        self.item = item


class OutOfTime(Exception):
    """A worker took longer than it may; says how long."""


class Host:
    """A worker with the candidates that it holds. One thread at a time.

    Args:
        zygote: makes it.
        memory_bytes: what it may take beyond what it begins with.
        meanwhile: called every few milliseconds of a wait.
        coded: whether it will run code of an upload.

    Raises:
        WorkerFailed: there is none to be had.
    """

    def __init__(
        self,
        zygote: Zygote,
        memory_bytes: int,
        meanwhile: Callable[[], None] = lambda: None,
        *,
        coded: bool = False,
    ) -> None:
        self._zygote = zygote
        self._meanwhile = meanwhile
        self._born = zygote.fork(memory_bytes, coded=coded, meanwhile=meanwhile)
        self._statm = Path(f"/proc/{self._born.process}/statm")
        self._bases: OrderedDict[int, None] = OrderedDict()
        self.missing = self._born.missing
        self.held: dict[int, tuple[int, int]] = {}
        self.busy = False
        self.asked = 0
        self.alive = True
        self._status = ""
        self.first_bytes = self.memory_bytes

    def ask(self, message: Sequence[object], patience: Patience, steps: int = 1) -> list[Any]:
        """The one reply to a message; raises Stopped, Busy. See `all`."""
        return self.all(message, 1, patience, steps)[0]

    def all(
        self, message: Sequence[object], replies: int, patience: Patience, steps: int = 1
    ) -> list[list[Any]]:
        """The replies to a message, lists that are not empty.

        Args:
            message: an operation and its arguments.
            replies: how many there will be.
            patience: for each step.
            steps: what it takes, each of which the worker says that it begins.

        Raises:
            Stopped: the worker is no more. All that it was asked now is undone with it.
            Busy: it is being asked something by a call that waits.
        """
        if self.busy:
            raise Busy
        self.busy = True
        self.asked += 1
        born = self._born
        born.progress.begin(0)
        born.channel.wait = _Watch(born, patience, steps, self._meanwhile)
        try:
            born.channel.send(message)
            return [self._reply() for _ in range(replies)]
        except Closed:
            raise self._stopped(None) from None
        except Ended as error:
            raise self._stopped(f"its worker {error}") from None
        except OutOfTime as error:
            raise self._stopped(f"it took longer than {error} and was stopped") from None
        finally:
            self.busy = False

    def _reply(self) -> list[Any]:
        reply = self._born.channel.receive()
        if not isinstance(reply, list) or not reply:
            raise Ended("sent what is no reply")
        return reply

    def _stopped(self, how: str | None) -> Stopped:
        """Ends it, where it has not ended by itself (None)."""
        item = self._born.progress.item
        self.end()
        return Stopped(how or f"its worker {self._status}", item)

    @property
    def is_quiet(self) -> bool:
        """Whether it waits to be asked; one that is gone, or talks unasked, is to be ended."""
        return self.busy or self._born.channel.is_quiet

    def forget(self, slot: int) -> None:
        """A candidate is not wanted any more."""
        self.held.pop(slot, None)
        with contextlib.suppress(Ended):
            self._born.channel.send(["drop", [slot]])

    def payload(self, base: Base) -> bytes | None:
        """What to send of a base: nothing where the worker has it still."""
        if base.policy == CHECKPOINT:
            return base.payload
        return None if base.number in self._bases else base.payload

    def made(self, slot: int, base: Base, version: tuple[int, int]) -> None:
        """It has made a candidate, and keeps what it made it from as `serving` does."""
        self.held[slot] = version
        if base.policy != CHECKPOINT and base.number not in self._bases:
            self._bases[base.number] = None
            if len(self._bases) > MOULDS_MAX:
                self._bases.popitem(last=False)

    def failed(self, base: Base) -> None:
        """It could not make a candidate, and has let go of what it was to be made from."""
        self._bases.pop(base.number, None)

    @property
    def memory_bytes(self) -> int:
        """What it takes now; 0 where it is gone."""
        try:
            # Unbuffered and as bytes, in a third of the time: loaders are looked at each time.
            with self._statm.open("rb", buffering=0) as statm:
                return int(statm.read(STATM_BYTES).split()[1]) * PAGE_BYTES
        except (OSError, IndexError):  # it ended before, or meanwhile
            return 0

    def end(self) -> None:
        """Ends it; idempotent. What it holds is to be made again elsewhere."""
        if self.alive:
            self.alive = False
            self.held.clear()
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self._born.process, signal.SIGKILL)
            self._born.channel.close()
            self._born.progress.close()
            self._status = self._zygote.ended(self._born.process)


class _Watch:
    """Called while nothing comes: lets others have their turn, and ends a wait that is too long."""

    def __init__(
        self, born: Born, patience: Patience, steps: int, meanwhile: Callable[[], None]
    ) -> None:
        # The CPU time of another process: clock_getcpuclockid(3).
        self._clock = (~born.process << 3) | 2
        self._patience = patience
        self._progress = born.progress
        self._last = steps - 1
        self._meanwhile = meanwhile
        self._item = -1
        self._wall = self._cpu = 0.0

    def __call__(self) -> None:
        """See `wire.Channel`; raises OutOfTime."""
        # Forwards only, and so far: who writes there may have been taken over.
        wall, item = time.monotonic(), min(self._progress.item, self._last)
        try:
            cpu = time.clock_gettime(self._clock)
        except OSError:  # it is gone, which reading from it will tell
            cpu = 0.0
        if item > self._item:
            self._item, self._wall, self._cpu = item, wall, cpu
        elif cpu - self._cpu > self._patience.cpu_seconds:
            raise OutOfTime(f"{self._patience.cpu_seconds:g} s of work")
        elif wall - self._wall > self._patience.wall_seconds:
            raise OutOfTime(f"{self._patience.wall_seconds:g} s")
        self._meanwhile()
