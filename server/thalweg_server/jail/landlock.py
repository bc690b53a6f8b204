"""Landlock: a domain in which no file, no port and no other process can be reached.

What is open already stays usable. Rights are handled, that is, denied, as far as the kernel knows
them; no rule gives any back.
"""

from __future__ import annotations

import ctypes
import os
import struct

from thalweg_server.jail.kernel import Kernel
from thalweg_server.jail.syscalls import Machine

CREATE_RULESET_VERSION = 1

FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many rights to files a version of the interface knows: the lowest bits. In 2 linking and
renaming across directories came, in 3 truncating, in 5 ioctl on devices."""

NET_RIGHTS = {4: 2}
"""Likewise: binding and connecting TCP."""

SCOPES = {6: 2}
"""Likewise: abstract Unix sockets of others, signals to others."""


def version(kernel: Kernel, machine: Machine) -> int:
    """The kernel's version of the interface; 0 where there is none or it is forbidden to us."""
    number = machine.numbers["landlock_create_ruleset"]
    try:
        return kernel.call(number, 0, 0, CREATE_RULESET_VERSION)
    except OSError:
        return 0


def ruleset(abi: int) -> bytes:
    """`struct landlock_ruleset_attr`: everything that a version knows is denied.

    Older kernels take the longer struct of newer ones, as long as the rest of it is zero.
    """
    return struct.pack("=QQQ", *(_bits(known, abi) for known in (FILE_RIGHTS, NET_RIGHTS, SCOPES)))


def restrict(kernel: Kernel, machine: Machine, abi: int) -> None:
    """Puts this process into an empty domain, for good; needs no_new_privs.

    Raises:
        OSError: the kernel did not do it.
    """
    attributes = ctypes.create_string_buffer(ruleset(abi), 24)
    rules = kernel.call(
        machine.numbers["landlock_create_ruleset"], ctypes.addressof(attributes), 24, 0
    )
    try:
        kernel.call(machine.numbers["landlock_restrict_self"], rules, 0)
    finally:
        os.close(rules)


def _bits(known: dict[int, int], abi: int) -> int:
    count = max((bits for since, bits in known.items() if since <= abi), default=0)
    return (1 << count) - 1
