"""What the kernel can do to confine a process; asking restricts nothing."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass

from thalweg_server.jail import landlock, seccomp
from thalweg_server.jail.kernel import Kernel
from thalweg_server.jail.syscalls import machine

PR_GET_NO_NEW_PRIVS = 39


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the kernel lets this process do.

    Args:
        limits: resource limits.
        no_new_privs: giving up what programs and files could add; the next two need it.
        landlock_abi: version of Landlock's interface, 0 for none. From 1 on files are out of
            reach, from 4 on TCP, from 6 on signals and abstract sockets; the filter covers
            all of that as well.
        seccomp: filters of system calls, on a processor of which we know the numbers.
        all_threads: a filter can be put on all threads at once.
    """

    limits: bool
    no_new_privs: bool
    landlock_abi: int
    seccomp: bool
    all_threads: bool

    @property
    def missing(self) -> tuple[str, ...]:
        """What a whole jail would need, in words; empty where nothing is missing."""
        needs = {
            "resource limits": self.limits,
            "no_new_privs": self.no_new_privs,
            "Landlock": self.landlock_abi > 0,
            "seccomp filters": self.seccomp,
        }
        return tuple(name for name, is_there in needs.items() if not is_there)


def abilities() -> Abilities:
    """What this kernel lets this process do. Cheap, and changes nothing.

    A container's own filter may hide what the kernel has: then that is missing.
    """
    if sys.platform != "linux":
        return Abilities(
            limits=False, no_new_privs=False, landlock_abi=0, seccomp=False, all_threads=False
        )
    kernel, here = Kernel(), machine()
    no_new_privs = _has_no_new_privs(kernel)
    if here is None or not no_new_privs:  # without the one the others cannot be had
        return Abilities(
            limits=_has_limits(),
            no_new_privs=no_new_privs,
            landlock_abi=0,
            seccomp=False,
            all_threads=False,
        )
    return Abilities(
        limits=_has_limits(),
        no_new_privs=True,
        landlock_abi=landlock.version(kernel, here),
        seccomp=seccomp.can_filter(kernel, here),
        all_threads=seccomp.can_filter(kernel, here, seccomp.SECCOMP_FILTER_FLAG_TSYNC),
    )


def _has_no_new_privs(kernel: Kernel) -> bool:
    try:
        kernel.prctl(PR_GET_NO_NEW_PRIVS)
    except OSError:
        return False
    return True


def _has_limits() -> bool:
    try:
        resource.getrlimit(resource.RLIMIT_AS)
    except OSError:
        return False
    return True
