"""Entering the jail: the steps, in their order, and the proof that it holds."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import signal
import socket as sockets
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from thalweg_server.jail import descriptors, landlock, rlimits, seccomp
from thalweg_server.jail.abilities import Abilities, abilities
from thalweg_server.jail.kernel import JailFailed, Kernel
from thalweg_server.jail.syscalls import Machine, machine

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38

CAPABILITY_VERSION = 0x2008_0522
"""Of the struct that `capset` takes: three sets of 64 bits, in halves."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a jailed process may use.

    Args:
        memory_bytes: how far its address space may grow beyond what is mapped on entering. Past
            that, allocations fail (MemoryError). Address space is what is asked for, touched or
            not, so it is never less than memory.
    """

    memory_bytes: int

    def __post_init__(self) -> None:
        """Raises ValueError for a bound below 0."""
        if self.memory_bytes < 0:
            raise ValueError(f"memory_bytes is {self.memory_bytes}: give 0 or more")


def enter(bounds: Bounds, *, socket: int) -> Abilities:
    """Confines this process, for good: from here on it computes and uses the socket.

    It may read and write the socket (`send`, `recv`, `read`, `write`; not `sendmsg`, `recvmsg`,
    which can carry files, and no `dup`), use memory up to its bound, sleep, tell the time and end.
    It opens nothing, starts no thread or process, maps no code and signals nobody; what is
    written to standard output goes nowhere. Capabilities are given up.
    It is killed when the *thread* that started it ends: start it from one that stays. It must
    not share memory with others: start it by exec, or fork it from such a process.

    Args:
        bounds: how much it may use.
        socket: descriptor of a connected Unix stream, above 2. Every other one is closed.

    Returns:
        What was used. What the kernel lacks was left out and is named in `missing`: the caller
        decides whether foreign code may run all the same.

    Raises:
        JailFailed: the process has threads, the socket is none, or the kernel did not do what it
            can. The process may be confined in part: end it.
    """
    able = abilities()
    if not able.limits:  # not Linux, and so none of it
        return able
    descriptors.check_socket(socket)
    kernel, here = Kernel(), machine()
    with _step("look for threads"):
        _check_threads()
    with _step("close what is open"):
        descriptors.leave_only(socket)
    with _step("limit resources"):
        rlimits.restrict(bounds.memory_bytes)
    _hide(kernel)
    if here is not None:
        _give_up(kernel, here, able)
    _prove(able)
    return able


def _hide(kernel: Kernel) -> None:
    with _step("be killed with the parent"):
        kernel.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with _step("hide from debuggers"):  # and from /proc: what had to be read there has been read
        kernel.prctl(PR_SET_DUMPABLE, 0)


def _give_up(kernel: Kernel, here: Machine, able: Abilities) -> None:
    """The order matters: the filter last, it forbids the others' calls."""
    with _step("give up capabilities"):
        _drop_capabilities(kernel, here)
    if able.no_new_privs:  # without capabilities the next two need it
        with _step("set no_new_privs"):
            kernel.prctl(PR_SET_NO_NEW_PRIVS, 1)
    if able.landlock_abi:
        with _step("enter a Landlock domain"):
            landlock.restrict(kernel, here, able.landlock_abi)
    if able.seccomp:
        with _step("install the filter of system calls"):
            seccomp.restrict(kernel, here, pid=os.getpid(), all_threads=able.all_threads)


def _drop_capabilities(kernel: Kernel, here: Machine) -> None:
    header = ctypes.create_string_buffer(struct.pack("=Ii", CAPABILITY_VERSION, 0))
    none = ctypes.create_string_buffer(24)
    kernel.call(here.numbers["capset"], ctypes.addressof(header), ctypes.addressof(none))


def _check_threads() -> None:
    threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208
    if threads != 1:
        raise JailFailed(
            f"the process has {threads} threads, and a jail holds one: start it with "
            "OPENBLAS_NUM_THREADS=1, OMP_NUM_THREADS=1 and MKL_NUM_THREADS=1, and enter before "
            "anything starts threads"
        )


def _prove(able: Abilities) -> None:
    """Tries what must fail now; raises JailFailed if it does not."""
    if able.seccomp or able.landlock_abi:
        _must_fail("open a file", lambda: os.close(os.open("/", os.O_RDONLY)))
    if able.seccomp:
        _must_fail("open a socket", lambda: sockets.socket().close())
        _must_fail("map code", lambda: mmap.mmap(-1, 1, prot=mmap.PROT_EXEC).close())


def _must_fail(what: str, attempt: Callable[[], None]) -> None:
    try:
        attempt()
    except OSError:
        return
    raise JailFailed(f"the process can still {what}: the kernel does not do what it says")


@contextlib.contextmanager
def _step(what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, OverflowError, ValueError) as error:
        raise JailFailed(f"the process cannot {what}: {error}") from error
