"""Entering: what the kernel lacks is named, and what should have worked and did not raises."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.jail.prison import Prison
from thalweg_server import jail
from thalweg_server.jail import descriptors

system = pytest.mark.system


def test_asking_restricts_nothing() -> None:
    """The process that asks is as free as before."""
    if missing := jail.abilities().missing:
        pytest.skip(f"this kernel lacks {', '.join(missing)}")
    status = dict(
        line.split(":\t", 1) for line in Path("/proc/self/status").read_text("ascii").splitlines()
    )
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("0", "0")


def test_what_is_missing_is_named() -> None:
    """In words for whoever runs the server."""
    able = jail.Abilities(
        limits=True, no_new_privs=True, landlock_abi=0, seccomp=False, all_threads=False
    )
    assert able.missing == ("Landlock", "seccomp filters")


@system
def test_a_whole_jail_lacks_nothing(prison: Prison) -> None:
    """Where the kernel can do everything, all of it is used."""
    assert prison.attempt("nothing")["entered"] == []


@system
def test_little_is_left_to_see(prison: Prison) -> None:
    """Open: the link and nowhere, which only root can still look at; no capability is left."""
    seen = prison.attempt("look")
    nowhere = ["/dev/null", "/dev/null", "/dev/null", "socket"]
    assert seen.pop("files") == (nowhere if prison.is_root else ["hidden"])
    assert seen == {"capabilities": 0, "no_new_privs": "1", "filter": "2"}


@system
def test_without_landlock_the_rest_holds(prison: Prison) -> None:
    """An old kernel: that is reported, and the filter refuses files by itself."""
    report = prison.attempt("open to read", "old kernel")
    assert (report["entered"], report["error"]) == (["Landlock"], "PermissionError")


@system
def test_without_filters_the_rest_holds(prison: Prison) -> None:
    """Where filters are forbidden, that is reported, and Landlock refuses signals to others."""
    report = prison.attempt("signal the parent", "no filters")
    assert (report["entered"], report["error"]) == (["seccomp filters"], "PermissionError")


@system
def test_a_container_that_forbids_both_leaves_limits(prison: Prison) -> None:
    """A container's own filter: what it hides is missing, and limits still hold."""
    report = prison.attempt("open to read", "container")
    assert report["entered"] == ["Landlock", "seccomp filters"]
    assert prison.attempt("allocate", "container")["error"] == "MemoryError"


@system
def test_a_kernel_that_lies_is_found_out(prison: Prison) -> None:
    """The filter was taken and does nothing: entering fails."""
    report = prison.attempt("nothing", "liar")
    assert report["error"] == "JailFailed"
    assert report["text"].startswith("the process can still open a file")


@system
def test_threads_are_refused(prison: Prison) -> None:
    """A thread would stay as it is: entering fails and says what starts such threads."""
    report = prison.attempt("nothing", "threads")
    assert report["error"] == "JailFailed"
    assert "the process has 2 threads" in report["text"]
    assert "OPENBLAS_NUM_THREADS=1" in report["text"]


@system
def test_stricter_limits_stay(prison: Prison) -> None:
    """A limit below what the jail would set is not raised."""
    assert prison.attempt("allocate little", "jailed")["value"] == 64 << 20
    assert prison.attempt("allocate little", "strict limits")["error"] == "MemoryError"


def test_bounds_below_zero_are_refused() -> None:
    """A negative limit would mean none."""
    with pytest.raises(ValueError, match="memory_bytes is -1"):
        jail.Bounds(memory_bytes=-1)


def _datagrams() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)


def _unconnected() -> tuple[socket.socket, ...]:
    return (socket.socket(socket.AF_UNIX),)


def _of_the_network() -> tuple[socket.socket, ...]:
    listener = socket.create_server(("127.0.0.1", 0))
    return socket.create_connection(listener.getsockname()), listener


@pytest.mark.parametrize("make", [_datagrams, _unconnected, _of_the_network])
def test_other_sockets_are_refused(make: Callable[[], tuple[socket.socket, ...]]) -> None:
    """Through these a process could reach others than its peer."""
    made = make()
    with pytest.raises(jail.JailFailed, match=f"descriptor {made[0].fileno()} is no"):
        descriptors.check_socket(made[0].fileno())
    for each in made:
        each.close()


def test_files_and_standard_output_are_refused() -> None:
    """A file is no socket, and standard output will lead nowhere."""
    reading, writing = os.pipe()
    with pytest.raises(jail.JailFailed, match=f"descriptor {reading} is no connected socket"):
        descriptors.check_socket(reading)
    os.close(reading)
    os.close(writing)
    with pytest.raises(jail.JailFailed, match="pass one above 2"):
        descriptors.check_socket(1)


def test_a_connected_pair_is_taken() -> None:
    """Streams and packets in order; the socket stays as it was."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
        ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
        descriptors.check_socket(theirs.fileno())
        theirs.send(b"x")
        assert ours.recv(1) == b"x"
        ours.close()
        theirs.close()
