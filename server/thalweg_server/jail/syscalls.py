"""Numbers of the system calls that the jail allows, checks or makes, by processor.

From the kernel's own tables: `asm/unistd_64.h` and `asm-generic/unistd.h`, with which a test
compares them. They never change once given.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Machine:
    """A processor, as seccomp sees it.

    Args:
        audit: how the kernel names it and its way of making calls, from `linux/audit.h`.
        numbers: of system calls, by name. A call that the processor lacks is not in there.
    """

    audit: int
    numbers: Mapping[str, int]


X86_64 = Machine(
    audit=0xC000003E,
    numbers={
        "read": 0,
        "write": 1,
        "close": 3,
        "fstat": 5,
        "poll": 7,
        "lseek": 8,
        "mmap": 9,
        "mprotect": 10,
        "munmap": 11,
        "brk": 12,
        "rt_sigaction": 13,
        "rt_sigprocmask": 14,
        "rt_sigreturn": 15,
        "ioctl": 16,
        "readv": 19,
        "writev": 20,
        "select": 23,
        "sched_yield": 24,
        "mremap": 25,
        "madvise": 28,
        "nanosleep": 35,
        "getitimer": 36,
        "setitimer": 38,
        "getpid": 39,
        "sendto": 44,
        "recvfrom": 45,
        "shutdown": 48,
        "getsockname": 51,
        "getpeername": 52,
        "getsockopt": 55,
        "exit": 60,
        "fcntl": 72,
        "gettimeofday": 96,
        "getrusage": 98,
        "times": 100,
        "getuid": 102,
        "getgid": 104,
        "geteuid": 107,
        "getegid": 108,
        "getppid": 110,
        "capset": 126,
        "sigaltstack": 131,
        "gettid": 186,
        "time": 201,
        "futex": 202,
        "restart_syscall": 219,
        "clock_gettime": 228,
        "clock_getres": 229,
        "clock_nanosleep": 230,
        "exit_group": 231,
        "tgkill": 234,
        "pselect6": 270,
        "ppoll": 271,
        "seccomp": 317,
        "getrandom": 318,
        "clone3": 435,
        "landlock_create_ruleset": 444,
        "landlock_restrict_self": 446,
    },
)

AARCH64 = Machine(
    audit=0xC00000B7,
    numbers={
        "fcntl": 25,
        "ioctl": 29,
        "close": 57,
        "lseek": 62,
        "read": 63,
        "write": 64,
        "readv": 65,
        "writev": 66,
        "pselect6": 72,
        "ppoll": 73,
        "fstat": 80,
        "capset": 91,
        "exit": 93,
        "exit_group": 94,
        "futex": 98,
        "nanosleep": 101,
        "getitimer": 102,
        "setitimer": 103,
        "clock_gettime": 113,
        "clock_getres": 114,
        "clock_nanosleep": 115,
        "sched_yield": 124,
        "restart_syscall": 128,
        "tgkill": 131,
        "sigaltstack": 132,
        "rt_sigaction": 134,
        "rt_sigprocmask": 135,
        "rt_sigreturn": 139,
        "times": 153,
        "getrusage": 165,
        "gettimeofday": 169,
        "getpid": 172,
        "getppid": 173,
        "getuid": 174,
        "geteuid": 175,
        "getgid": 176,
        "getegid": 177,
        "gettid": 178,
        "getsockname": 204,
        "getpeername": 205,
        "sendto": 206,
        "recvfrom": 207,
        "getsockopt": 209,
        "shutdown": 210,
        "brk": 214,
        "munmap": 215,
        "mremap": 216,
        "mmap": 222,
        "mprotect": 226,
        "madvise": 233,
        "seccomp": 277,
        "getrandom": 278,
        "clone3": 435,
        "landlock_create_ruleset": 444,
        "landlock_restrict_self": 446,
    },
)


def machine() -> Machine | None:
    """The processor that this process runs on; None if there is no table for it."""
    if sys.platform != "linux" or sys.maxsize < 2**32:  # 32-bit programs have other numbers
        return None
    return {"x86_64": X86_64, "aarch64": AARCH64}.get(os.uname().machine)
