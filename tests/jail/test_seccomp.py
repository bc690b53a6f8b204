"""The filter, run by a small machine of our own: also for processors that we are not on."""

from __future__ import annotations

import errno
import itertools
import re
import struct
from pathlib import Path

import pytest

from thalweg_server.jail import landlock, seccomp
from thalweg_server.jail.syscalls import AARCH64, X86_64, Machine

PID = 4711
MACHINES = {"x86_64": X86_64, "aarch64": AARCH64}
I386 = 0x40000003
HIGH = 1 << 32

ALLOWED, REFUSED = "allowed", errno.errorcode[errno.EPERM]

CASES = [
    ("recvfrom", (), ALLOWED),
    ("exit_group", (), ALLOWED),
    ("sendto", (3, 0, 1, 0, 0, 0), ALLOWED),
    ("sendto", (3, 0, 1, 0, 1, 0), REFUSED),
    ("sendto", (3, 0, 1, 0, HIGH, 0), REFUSED),
    ("mmap", (0, 1, 3), ALLOWED),
    ("mmap", (0, 1, 4), REFUSED),
    ("mmap", (0, 1, 7), REFUSED),
    ("mprotect", (0, 1, 1), ALLOWED),
    ("mprotect", (0, 1, 5), REFUSED),
    ("futex", (0, 0x80), ALLOWED),
    ("futex", (0, 0x189), ALLOWED),
    ("futex", (0, 6), REFUSED),
    ("ioctl", (3, 0x5421), ALLOWED),
    ("ioctl", (3, 0x8901), REFUSED),
    ("ioctl", (3, 0x5452), REFUSED),
    ("fcntl", (3, 3), ALLOWED),
    ("fcntl", (3, 0), REFUSED),
    ("fcntl", (3, 8), REFUSED),
    ("tgkill", (PID, PID, 6), ALLOWED),
    ("tgkill", (PID + 1, PID, 6), REFUSED),
    ("clock_gettime", (2,), ALLOWED),
    ("clock_gettime", (0xFFFF_FFF6,), REFUSED),
    ("getsockopt", (3, 1, 3), ALLOWED),
    ("getsockopt", (3, 1, 17), REFUSED),
    ("clone3", (), errno.errorcode[errno.ENOSYS]),
    ("seccomp", (), REFUSED),
    ("capset", (), REFUSED),
    ("landlock_create_ruleset", (), REFUSED),
]


def _run(machine: Machine, audit: int, number: int, arguments: tuple[int, ...] = ()) -> str:
    """What the filter says to a call."""
    padded = (*arguments, *(0,) * (6 - len(arguments)))
    data = struct.pack("<IIQ6Q", number, audit, 0, *padded)
    steps, place, value = seccomp.program(machine, PID), 0, 0
    while True:
        step = steps[place]
        place += 1
        if step.operation == seccomp.LOAD_WORD:
            (value,) = struct.unpack_from("<I", data, step.constant)
        elif step.operation == seccomp.AND:
            value &= step.constant
        elif step.operation == seccomp.JUMP_IF_EQUAL:
            place += step.if_true if value == step.constant else step.if_false
        else:
            return _verdict(step.constant)


def _verdict(constant: int) -> str:
    if constant == 0x7FFF_0000:
        return ALLOWED
    return "killed" if constant == 0x8000_0000 else errno.errorcode[constant & 0xFFFF]


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
@pytest.mark.parametrize(("name", "arguments", "verdict"), CASES)
def test_arguments_decide(
    machine: Machine, name: str, arguments: tuple[int, ...], verdict: str
) -> None:
    """Calls that depend on an argument, on every processor."""
    assert _run(machine, machine.audit, machine.numbers[name], arguments) == verdict


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_nothing_else_is_allowed(machine: Machine) -> None:
    """Every number that is not in the table, x32 ones too."""
    for bit, number in itertools.product((0, 1 << 30), range(512)):
        if number | bit not in machine.numbers.values():
            assert _run(machine, machine.audit, number | bit) == REFUSED


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_calls_in_the_name_of_another_processor_kill(machine: Machine) -> None:
    """The same numbers mean other calls there."""
    for audit in {X86_64.audit, AARCH64.audit, I386} - {machine.audit}:
        assert _run(machine, audit, machine.numbers["read"]) == "killed"


HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@pytest.mark.parametrize("name", MACHINES)
def test_numbers_are_the_kernels(name: str) -> None:
    """Compared with the kernel's own headers, where they are installed."""
    if not HEADERS[name].exists():
        pytest.skip(f"{HEADERS[name]} is not installed")
    text = HEADERS[name].read_text("utf-8")
    found = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text))
    theirs = {call: int(found[call]) for call in MACHINES[name].numbers}
    assert theirs == MACHINES[name].numbers


@pytest.mark.parametrize(
    ("abi", "files", "net", "scoped"),
    [(1, 0x1FFF, 0, 0), (3, 0x7FFF, 0, 0), (4, 0x7FFF, 3, 0), (7, 0xFFFF, 3, 3)],
)
def test_landlock_denies_all_that_a_version_knows(
    abi: int, files: int, net: int, scoped: int
) -> None:
    """And nothing that it does not: a kernel refuses rights it has not heard of."""
    assert landlock.ruleset(abi) == struct.pack("=QQQ", files, net, scoped)
