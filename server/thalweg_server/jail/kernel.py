"""System calls that Python has no function for, through ctypes, and what is raised if one fails."""

from __future__ import annotations

import ctypes
import os
from typing import Any

ARGUMENTS_MAX = 6
"""A system call takes no more."""


class JailFailed(Exception):
    """A process could not be confined as far as its kernel can; it must not run foreign code."""


class Kernel:
    """The system calls of this process, by number. Linux only."""

    def __init__(self) -> None:
        libc: Any = ctypes.CDLL(None, use_errno=True)
        self._syscall: Any = libc.syscall
        self._syscall.restype = ctypes.c_long
        self._syscall.argtypes = [ctypes.c_long] * (1 + ARGUMENTS_MAX)
        self._prctl: Any = libc.prctl
        self._prctl.restype = ctypes.c_int
        self._prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4

    def call(self, number: int, *arguments: int) -> int:
        """Makes a system call and returns its result.

        Args:
            number: which one, on this machine.
            arguments: at most 6; pointers as addresses. Missing ones are 0.

        Raises:
            OSError: the kernel says no, with its reason as `errno`.
        """
        padding = (0,) * (ARGUMENTS_MAX - len(arguments))
        return _checked(self._syscall(number, *arguments, *padding))

    def prctl(self, option: int, value: int = 0) -> int:
        """Reads or sets an attribute of this process; see prctl(2).

        Raises:
            OSError: the kernel says no, with its reason as `errno`.
        """
        return _checked(self._prctl(option, value, 0, 0, 0))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
