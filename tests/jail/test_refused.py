"""What a jailed process tries and cannot do, as root and as nobody."""

from __future__ import annotations

import platform
import signal

import pytest

from tests.jail.attempts import GIBIBYTE, REFUSED
from tests.jail.prison import Prison

pytestmark = pytest.mark.system

REFUSALS = {
    "thread": "RuntimeError",
    "import a pure module": "ModuleNotFoundError",
    "import a C module": "ModuleNotFoundError",
}
"""How Python reports a refusal, where it is not PermissionError."""

OUT_OF_LANDLOCKS_REACH = {
    "open to read",
    "open to write",
    "open to append",
    "open own memory",
    "list a directory",
    "delete",
    "rename",
    "make a directory",
    "make a link",
    "make a pipe file",
    "connect by TCP",
    "connect to an abstract socket",
    "signal the parent",
}


@pytest.mark.parametrize("attempt", REFUSED)
def test_what_works_outside_is_refused_inside(prison: Prison, attempt: str) -> None:
    """Each attempt succeeds in a free process and fails in a jailed one."""
    free = prison.attempt(attempt, "free")
    assert "value" in free, free
    jailed = prison.attempt(attempt)
    assert jailed["error"] == REFUSALS.get(attempt, "PermissionError"), jailed


def test_no_program_is_executed(prison: Prison) -> None:
    """Outside, a shell takes the process's place and ends with 7."""
    assert prison.attempt("exec", "free") == {"status": 7}
    assert prison.attempt("exec")["error"] == "PermissionError"


def test_every_other_call_is_refused_by_number(prison: Prison) -> None:
    """All numbers that are not listed, called directly, past Python and libc."""
    assert prison.attempt("calls not refused")["value"] == []


@pytest.mark.skipif(platform.machine() != "x86_64", reason="a second table of calls is x86's")
def test_x32_calls_are_refused(prison: Prison) -> None:
    """Numbers with the bit of x32 are refused, the allowed ones as well."""
    assert prison.attempt("x32 calls not refused")["value"] == []


@pytest.mark.skipif(platform.machine() != "x86_64", reason="32-bit calls in between are x86's")
def test_calls_of_32_bit_programs_kill(prison: Prison) -> None:
    """Their numbers mean something else: `int 0x80` ends the process."""
    assert prison.attempt("call as a 32-bit program")["status"] == -signal.SIGSYS


def test_memory_is_bounded(prison: Prison) -> None:
    """Four times the bound is a MemoryError, which the process survives."""
    assert prison.attempt("allocate", "free")["value"] == GIBIBYTE
    jailed = prison.attempt("allocate")
    assert (jailed["error"], jailed["status"]) == ("MemoryError", 0)


def test_output_goes_nowhere(prison: Prison) -> None:
    """A gibibyte to standard output and error: the warden's own lines stay readable."""
    assert prison.attempt("flood")["value"] == GIBIBYTE
    assert prison.attempt("nothing")["value"] is None


def test_a_crash_ends_that_process_alone(prison: Prison) -> None:
    """`abort` and a wild pointer end it by the signal they should; no core is written."""
    assert prison.attempt("abort") == {"status": -signal.SIGABRT}
    assert prison.attempt("segfault") == {"status": -signal.SIGSEGV}


def test_it_dies_with_its_parent(prison: Prison) -> None:
    """Killed by the kernel, whatever it does."""
    assert prison.attempt("orphan") == {"value": True}


@pytest.mark.parametrize("attempt", sorted(OUT_OF_LANDLOCKS_REACH))
def test_landlock_alone_keeps_files_and_others_out_of_reach(prison: Prison, attempt: str) -> None:
    """Should the filter have a hole, Landlock still holds."""
    assert prison.attempt(attempt, "landlock")["error"] == "PermissionError"


def test_limits_alone_bound_memory_and_files(prison: Prison) -> None:
    """Should filter and Landlock have holes, limits still hold."""
    assert prison.attempt("allocate", "limits")["error"] == "MemoryError"
    assert prison.attempt("TCP socket", "limits")["text"] == "[Errno 24] Too many open files"
    assert prison.attempt("fill an open file", "limits")["text"] == "[Errno 27] File too large"
