"""Estimators that misbehave, each in one way and at one moment. Only ever in a worker's process."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from river import base
from river._river_rust.stats import RsQuantile

IMPORTED_IN = os.getpid()
"""Workers are forked after the import: in the process that has imported this, nothing is done."""

MIB = 1 << 20

HOARD_BYTES = 4096 * MIB
"""Where a hoarder gives up that nobody stops."""


def loop() -> NoReturn:
    """Computes for ever."""
    while True:
        pass


def sleep() -> None:
    """Does nothing for a long time."""
    time.sleep(600)


def nap() -> None:
    """Does nothing for a moment, which anybody may."""
    time.sleep(0.2)


def segfault() -> None:
    """Reads what is not its own, as a mistake in a C extension does."""
    ctypes.string_at(0)


def bomb() -> None:
    """Asks for a tebibyte at once."""
    bytearray(1 << 40)


def hoard() -> None:
    """Asks for a mebibyte, again and again."""
    hoarded = []
    while len(hoarded) * MIB < HOARD_BYTES:
        hoarded.append(bytearray(MIB))


def leave() -> None:
    """Ends the process."""
    os._exit(3)


def signal_itself() -> None:
    """Ends the process by a signal that has no name of its own."""
    os.kill(os.getpid(), signal.SIGRTMIN + 5)


def exit_politely() -> None:
    """Raises what ends a program."""
    sys.exit("enough")


def interrupt() -> None:
    """Raises what Ctrl-C raises."""
    raise KeyboardInterrupt


def recurse() -> None:
    """Calls itself without end."""
    recurse()


class Mirror:
    """Describes itself by itself."""

    def __repr__(self) -> str:
        """Calls itself by way of C."""
        return repr(self)


def recurse_in_c() -> None:
    """Calls itself without end, with C in between, which takes more of the stack."""
    repr(Mirror())


def panic() -> None:
    """Has Rust raise what is no Exception."""
    RsQuantile(0.5).__setstate__(b"garbage")


def flood() -> None:
    """Prints ten megabytes."""
    for _ in range(10_000):
        print("x" * 1_000)  # noqa: T201


def read_file() -> None:
    """Opens what is not its own."""
    open("/etc/passwd").close()  # noqa: PTH123


def fork() -> None:
    """Makes another process."""
    if os.fork() == 0:
        os._exit(0)


def fail() -> None:
    """Raises what any estimator may."""
    raise ValueError("not today")


ACTIONS: dict[str, Callable[[], object]] = {
    action.__name__: action
    for action in (
        *(nap, loop, sleep, segfault, bomb, hoard, leave, signal_itself, exit_politely, interrupt),
        *(recurse, recurse_in_c, panic, flood, read_file, fork, fail),
    )
}


def act(how: str) -> None:
    """Misbehaves."""
    if os.getpid() == IMPORTED_IN:
        raise AssertionError(f"{how} is for workers, and this process is none")
    ACTIONS[how]()


class Misbehaving(base.Regressor):
    """Adds up what it learns, but for its moment.

    Args:
        how: what it does then: a key of ACTIONS.
        when: "predict" or "learn", where `x` says "bad"; "load"; or "dump", once it has learned.
    """

    def __init__(self, how: str = "fail", when: str = "predict") -> None:
        self.how = how
        self.when = when
        self.total = 0.0
        self.learned = 0

    def learn_one(self, x: Any, y: Any) -> None:
        """Adds up."""
        if self.when == "learn" and x.get("bad"):
            act(self.how)
        self.total += y
        self.learned += 1

    def predict_one(self, x: Any) -> Any:
        """Answers the sum."""
        if self.when == "predict" and x.get("bad"):
            act(self.how)
        return self.total

    def __getstate__(self) -> dict[str, Any]:
        """See pickle."""
        if self.when == "dump" and self.learned:
            act(self.how)
        return dict(vars(self))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """See pickle."""
        vars(self).update(state)
        if self.when == "load":
            act(self.how)


class MisbehavingCopied(Misbehaving):
    """Misbehaves when it is copied, as it is whenever a candidate is made from it."""

    def __deepcopy__(self, memory: dict[int, Any]) -> Any:
        """See copy."""
        act(self.how)
        return MisbehavingCopied(self.how, self.when)


class Unpicklable(base.Regressor):
    """Cannot be pickled once it has learned; adds up."""

    def __init__(self) -> None:
        self.total = 0.0
        self.made: Any = None

    def learn_one(self, x: Any, y: Any) -> None:
        """Adds up."""
        self.total += y
        self.made = (each for each in ())

    def predict_one(self, x: Any) -> Any:
        """Answers the sum."""
        return self.total


class Slow(base.Regressor):
    """Works for a while at each lesson; adds up.

    Args:
        cpu_seconds: of work.
    """

    def __init__(self, cpu_seconds: float = 0.05) -> None:
        self.cpu_seconds = cpu_seconds
        self.total = 0.0

    def learn_one(self, x: Any, y: Any) -> None:
        """Works, then adds up."""
        end = time.process_time() + self.cpu_seconds
        while time.process_time() < end:
            pass
        self.total += y

    def predict_one(self, x: Any) -> Any:
        """Answers the sum."""
        return self.total


class Wordless:
    """Has no text."""

    def __str__(self) -> str:
        """Raises."""
        raise KeyboardInterrupt


class Odd(base.Classifier):
    """Answers the label that it was made with, whatever that is."""

    def __init__(self, label: Any = None) -> None:
        self.label = label

    @property
    def _multiclass(self) -> bool:
        return True

    def learn_one(self, x: Any, y: Any) -> None:
        """Learns nothing."""

    def predict_proba_one(self, x: Any) -> Any:
        """Is certain."""
        return {self.label: 1.0}
