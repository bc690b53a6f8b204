"""The list of system calls that a jailed process may make, as a seccomp filter.

A filter is a program of the kernel's classic BPF machine: it sees the number and the arguments of
a call, not what pointers among them point at. So what can only be told by following one is
refused: every call that takes a path, and `sendmsg`, whose address and attached files lie in
memory that could still change.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from thalweg_server.jail.kernel import Kernel
from thalweg_server.jail.syscalls import Machine

ALLOWED = (
    # What is open: the socket, and /dev/null three times.
    *("recvfrom", "read", "write", "readv", "writev", "poll", "ppoll", "select", "pselect6"),
    *("close", "shutdown", "fstat", "lseek", "getsockname", "getpeername"),
    # Memory; `mmap` and `mprotect` are checked.
    *("brk", "munmap", "mremap", "madvise"),
    # Time.
    *("gettimeofday", "time", "times", "getrusage"),
    *("nanosleep", "setitimer", "getitimer", "sched_yield"),
    # The process's own signals.
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall"),
    # Who am I, random numbers, and the end.
    *("getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid"),
    *("getrandom", "exit", "exit_group"),
)
"""Calls that are allowed whatever their arguments are, the frequent ones first."""

FIONBIO = 0x5421
"""ioctl: whether a socket's calls wait. Its siblings make the kernel send signals to others."""

F_GETFD, F_GETFL = 1, 3
FUTEX_WAIT, FUTEX_WAKE, FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET = 0, 1, 9, 10
FUTEX_FLAGS = 0x80 | 0x100
"""Private to the process; by the clock on the wall."""

CLOCKS = (*range(8), 11)
"""The system's and one's own, from CLOCK_REALTIME to CLOCK_TAI; negative numbers are clocks of
other processes."""

SO_TYPE, SO_ERROR, SO_PROTOCOL, SO_DOMAIN = 3, 4, 38, 39
"""What Python asks a socket. Other options give a descriptor of the process at its other end."""


@dataclass(frozen=True, slots=True)
class Check:
    """A call that is allowed for some values of an argument.

    Args:
        argument: its place, from 0.
        values: any of these, each below 2^32.
        mask: bits that are looked at, of the lower 32.
        wide: the argument is a pointer: its upper half must be zero. Of an `int` the kernel
            itself drops the upper half.
    """

    argument: int
    values: tuple[int, ...]
    mask: int = 0xFFFF_FFFF
    wide: bool = False


def checks(pid: int) -> dict[str, Check]:
    """The calls that depend on an argument, for the process with this number."""
    not_executable = Check(argument=2, values=(0,), mask=mmap.PROT_EXEC)
    clock = Check(argument=0, values=CLOCKS)
    waits = (FUTEX_WAIT, FUTEX_WAKE, FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET)
    return {
        "sendto": Check(argument=4, values=(0,), wide=True),  # to the peer, and no other address
        "mmap": not_executable,
        "mprotect": not_executable,
        "clock_gettime": clock,
        "clock_getres": clock,
        "clock_nanosleep": clock,
        "getsockopt": Check(argument=2, values=(SO_TYPE, SO_ERROR, SO_PROTOCOL, SO_DOMAIN)),
        "futex": Check(argument=1, values=waits, mask=0xFFFF_FFFF & ~FUTEX_FLAGS),
        "ioctl": Check(argument=1, values=(FIONBIO,)),
        "fcntl": Check(argument=1, values=(F_GETFD, F_GETFL)),
        "tgkill": Check(argument=0, values=(pid,)),  # how `abort` ends the process itself
    }


LOAD_WORD, AND, JUMP_IF_EQUAL, RETURN = 0x20, 0x54, 0x15, 0x06
NUMBER_OFFSET, AUDIT_OFFSET, ARGUMENTS_OFFSET = 0, 4, 16
"""Where the machine finds what was called: `struct seccomp_data`, little-endian."""

ALLOW, REFUSE, KILL = 0x7FFF_0000, 0x0005_0000 | errno.EPERM, 0x8000_0000
UNKNOWN_CALL = 0x0005_0000 | errno.ENOSYS

SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_TSYNC = 1


@dataclass(frozen=True, slots=True)
class Instruction:
    """One step of a filter: an operation, how many steps a jump skips, and a constant."""

    operation: int
    constant: int
    if_true: int = 0
    if_false: int = 0

    def packed(self) -> bytes:
        """As `struct sock_filter`."""
        return struct.pack("=HBBI", self.operation, self.if_true, self.if_false, self.constant)


def program(machine: Machine, pid: int) -> tuple[Instruction, ...]:
    """The filter for the process with this number, on this machine.

    Everything that is not allowed fails with EPERM. The numbers of x32 calls have a bit more and
    are in no table; the calls of 32-bit programs come under another machine's name.
    """
    return tuple(_steps(machine, pid))


def _steps(machine: Machine, pid: int) -> Iterator[Instruction]:
    yield Instruction(LOAD_WORD, AUDIT_OFFSET)
    yield Instruction(JUMP_IF_EQUAL, machine.audit, if_true=1)
    yield Instruction(RETURN, KILL)
    yield Instruction(LOAD_WORD, NUMBER_OFFSET)
    for name in ALLOWED:
        if name in machine.numbers:
            yield from _on_call(machine.numbers[name], (Instruction(RETURN, ALLOW),))
    for name, check in checks(pid).items():
        yield from _on_call(machine.numbers[name], tuple(_checked(check)))
    # "No such call" has libc try the older `clone`, whose refusal Python reports as it should.
    yield from _on_call(machine.numbers["clone3"], (Instruction(RETURN, UNKNOWN_CALL),))
    yield Instruction(RETURN, REFUSE)


def _on_call(number: int, body: tuple[Instruction, ...]) -> Iterator[Instruction]:
    """A body for one call, which ends with a return; the others go on behind it."""
    yield Instruction(JUMP_IF_EQUAL, number, if_false=len(body))
    yield from body


def _checked(check: Check) -> Iterator[Instruction]:
    offset = ARGUMENTS_OFFSET + 8 * check.argument
    if check.wide:
        yield Instruction(LOAD_WORD, offset + 4)
        yield Instruction(JUMP_IF_EQUAL, 0, if_true=1)
        yield Instruction(RETURN, REFUSE)
    yield Instruction(LOAD_WORD, offset)
    yield Instruction(AND, check.mask)
    for value in check.values:
        yield Instruction(JUMP_IF_EQUAL, value, if_false=1)
        yield Instruction(RETURN, ALLOW)
    yield Instruction(RETURN, REFUSE)


def can_filter(kernel: Kernel, machine: Machine, flags: int = 0) -> bool:
    """Whether the kernel takes filters with these flags; restricts nothing.

    It is asked for a filter at address 0: who could take one finds that nothing is there.
    """
    try:
        kernel.call(machine.numbers["seccomp"], SECCOMP_SET_MODE_FILTER, flags, 0)
    except OSError as error:
        return error.errno == errno.EFAULT
    return False


def restrict(kernel: Kernel, machine: Machine, *, pid: int, all_threads: bool) -> None:
    """Puts this process under its filter, for good; needs no_new_privs.

    Args:
        kernel: makes the call.
        machine: what this process runs on.
        pid: this process's number.
        all_threads: also threads that are there unknown to us; newer kernels only.

    Raises:
        OSError: the kernel did not take the filter.
    """
    steps = program(machine, pid)
    code = ctypes.create_string_buffer(b"".join(step.packed() for step in steps))
    # `struct sock_fprog`: a length, and where the steps lie, aligned as a pointer.
    header = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(code)))
    flags = SECCOMP_FILTER_FLAG_TSYNC if all_threads else 0
    stray = kernel.call(
        machine.numbers["seccomp"], SECCOMP_SET_MODE_FILTER, flags, ctypes.addressof(header)
    )
    if stray:  # TSYNC: a thread that has a filter of its own
        raise OSError(errno.EBUSY, f"thread {stray} is under a filter that is not ours")
