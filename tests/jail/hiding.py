"""System calls taken away beforehand, as by an old kernel or by a container's own filter."""

from __future__ import annotations

import ctypes
import struct

from thalweg_server.jail import entering, seccomp
from thalweg_server.jail.kernel import Kernel
from thalweg_server.jail.seccomp import JUMP_IF_EQUAL, LOAD_WORD, RETURN, Instruction
from thalweg_server.jail.syscalls import machine


def hide_from_kernel(*names: str) -> None:
    """Has these calls fail as unknown from now on, in this process."""
    here = machine()
    assert here is not None
    steps = [Instruction(LOAD_WORD, seccomp.NUMBER_OFFSET)]
    for name in names:
        steps.append(Instruction(JUMP_IF_EQUAL, here.numbers[name], if_false=1))
        steps.append(Instruction(RETURN, seccomp.UNKNOWN_CALL))
    steps.append(Instruction(RETURN, seccomp.ALLOW))
    code = ctypes.create_string_buffer(b"".join(step.packed() for step in steps))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(code)))
    kernel = Kernel()
    kernel.prctl(entering.PR_SET_NO_NEW_PRIVS, 1)
    kernel.call(
        here.numbers["seccomp"], seccomp.SECCOMP_SET_MODE_FILTER, 0, ctypes.addressof(header)
    )
