"""What a jailed process tries in vain: each attempt returns where it succeeds, and raises if not.

Where something has to be there first, `PREPARATIONS` makes it while the process is still free, and
the attempt is given it. All others are given the process's link to the warden.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import importlib
import mmap
import os
import resource
import select
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from thalweg_server.jail import seccomp
from thalweg_server.jail.kernel import Kernel
from thalweg_server.jail.syscalls import machine

Attempt = Callable[[Any], Any]

GIBIBYTE = 1 << 30
UPROBE_CALLS = frozenset({335, 336} if os.uname().machine == "x86_64" else ())
"""`uretprobe` and `uprobe`: newer kernels let them past filters, and kill whoever makes them
from anywhere but the kernel's own trampoline."""

X32_BIT = 0x4000_0000
CALLS_MAX = 512
"""Numbers of system calls all lie below."""

PTRACE_TRACEME = 0
FIOASYNC = 0x5452
PR_SET_TIMERSLACK = 29
MACHINE_CODE_INT80_GETPID = bytes.fromhex("53b814000000cd805bc3")
"""x86: push rbx; mov eax, 20; int 0x80; pop rbx; ret. A call as 32-bit programs make it."""

_HERE = Path(__file__)
_DOOR = f"\0thalweg-jail-{os.getpid()}"
PURE_MODULE = "prison_library"
"""What nothing has imported, and whoever is free can: the prison makes it."""

C_MODULE = "_lsprof"
"""Likewise, of C: one of Python's own that the prison copies."""

_listeners: list[socket.socket] = []
_addresses: list[Any] = []


def open_doors() -> None:
    """Listens, in the warden, for what should not be able to connect."""
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind(_DOOR)
    inet = socket.create_server(("127.0.0.1", 0))
    abstract.listen()
    _listeners.extend((abstract, inet))
    _addresses.append(inet.getsockname())


def _file() -> Path:
    with tempfile.NamedTemporaryFile(delete=False) as file:
        return Path(file.name)


def _folder() -> Path:
    return Path(tempfile.mkdtemp())


def _connect_abstract(_: Any) -> None:
    socket.socket(socket.AF_UNIX).connect(_DOOR)


def _connect_inet(_: Any) -> None:
    socket.create_connection(_addresses[0]).close()


def _fork(_: Any) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _system(_: Any) -> None:
    if os.system("exit 7") != 7 << 8:
        raise PermissionError("no shell was run")


def _start_thread(_: Any) -> None:
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()


def _libc(name: str, *arguments: Any) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


def _make_executable(pages: mmap.mmap) -> None:
    address = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    _libc("mprotect", ctypes.c_void_p(address), mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC)


def _time_of_parent(_: Any) -> float:
    return time.clock_gettime(~os.getppid() << 3 | 2)


def _code() -> Callable[[], int]:
    pages = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    pages.write(MACHINE_CODE_INT80_GETPID)
    address = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    function = ctypes.CFUNCTYPE(ctypes.c_int)(address)
    return lambda: bool(pages) and function()


def _call_as_32_bit_program(call: Callable[[], int]) -> bool:
    return call() == os.getpid()


def _listed_calls() -> set[int]:
    here = machine()
    assert here is not None
    listed = {*seccomp.ALLOWED, *seccomp.checks(os.getpid()), "clone3"}
    return {here.numbers[name] for name in listed if name in here.numbers}


def _calls_not_refused(known: set[int]) -> list[int]:
    """Numbers of calls outside the list that the kernel looked at nevertheless."""
    tried = set(range(CALLS_MAX)) - known - UPROBE_CALLS
    return [number for number in sorted(tried) if _passes(number)]


def _x32_calls_not_refused(_: Any) -> list[int]:
    return [number for number in range(CALLS_MAX) if _passes(number | X32_BIT)]


def _passes(number: int) -> bool:
    try:
        Kernel().call(number, -1, -1, -1, -1, -1, -1)
    except OSError as error:
        return error.errno != errno.EPERM
    return True


def _flood(_: Any) -> int:
    block = b"x" * (1 << 20)
    return sum(os.write(1 + turn % 2, block) for turn in range(1024))


def _open_file() -> int:
    return os.open(_file(), os.O_WRONLY)


REFUSED: dict[str, Attempt] = {
    # Files.
    "open to read": lambda _: _HERE.read_text(encoding="utf-8"),
    "open to write": lambda path: path.write_text("x", encoding="utf-8"),
    "open to append": lambda path: path.open("a").close(),
    "open own memory": lambda _: os.close(os.open("/proc/self/mem", os.O_RDWR)),
    "list a directory": lambda _: list(Path("/").iterdir()),
    "stat": lambda _: _HERE.stat(),
    "resolve a link": lambda _: Path("/proc/self/exe").readlink(),
    "change directory": lambda _: os.chdir("/"),
    "delete": lambda path: path.unlink(),
    "rename": lambda path: path.rename(path.with_suffix(".new")),
    "change mode": lambda path: path.chmod(0o777),
    "make a directory": lambda path: (path / "new").mkdir(),
    "make a link": lambda path: (path / "new").symlink_to("/"),
    "make a pipe file": lambda path: os.mkfifo(path / "new"),
    "import a pure module": lambda _: importlib.import_module(PURE_MODULE),
    "import a C module": lambda _: importlib.import_module(C_MODULE),
    # Descriptors.
    "duplicate": lambda link: os.dup(link.fileno()),
    "duplicate by fcntl": lambda _: fcntl.fcntl(0, fcntl.F_DUPFD, 0),
    "pipe": lambda _: os.pipe(),
    "epoll": lambda _: select.epoll(),
    "memory file": lambda _: os.memfd_create("x"),
    "event counter": lambda _: os.eventfd(0),
    # Network.
    "TCP socket": lambda _: socket.socket(socket.AF_INET),
    "UDP socket": lambda _: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "Unix socket": lambda _: socket.socket(socket.AF_UNIX),
    "pair of sockets": lambda _: socket.socketpair(),
    "connect by TCP": _connect_inet,
    "connect to an abstract socket": _connect_abstract,
    "send an open file": lambda link: socket.send_fds(link, [b" "], [0]),
    "receive an open file": lambda link: socket.recv_fds(link, 1, 1),
    "ask who is at the other end": lambda link: link.getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED
    ),
    # Processes.
    "fork": _fork,
    "shell": _system,
    "subprocess": lambda _: subprocess.run(["/bin/true"], check=True),
    "spawn": lambda _: os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0),
    "thread": _start_thread,
    "signal the parent": lambda _: os.kill(os.getppid(), signal.SIGCONT),
    "signal the parent by thread": lambda number: Kernel().call(
        number, os.getppid(), os.getppid(), signal.SIGCONT
    ),
    "be told of input by signal": lambda _: fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid()),
    "be told by signal, by ioctl": lambda link: fcntl.ioctl(link, FIOASYNC, b"\1\0\0\0"),
    "be traced": lambda _: _libc("ptrace", PTRACE_TRACEME, 0, 0, 0),
    "limits of the parent": lambda _: resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE),
    "own limits": lambda _: resource.getrlimit(resource.RLIMIT_AS),
    "priority of the parent": lambda _: os.getpriority(os.PRIO_PROCESS, os.getppid()),
    "processor time of the parent": _time_of_parent,
    "change the process": lambda _: Kernel().prctl(PR_SET_TIMERSLACK, 50_000),
    # Memory.
    "map code": lambda _: mmap.mmap(-1, 1, prot=mmap.PROT_READ | mmap.PROT_EXEC),
    "make memory executable": _make_executable,
}
"""All of these must fail in the jail, and succeed outside."""

ATTEMPTS: dict[str, Attempt] = {
    **REFUSED,
    "nothing": lambda _: None,
    "exec": lambda _: os.execv("/bin/sh", ["sh", "-c", "exit 7"]),
    "calls not refused": _calls_not_refused,
    "x32 calls not refused": _x32_calls_not_refused,
    "call as a 32-bit program": _call_as_32_bit_program,
    "allocate": lambda _: len(bytearray(GIBIBYTE)),
    "allocate little": lambda _: len(bytearray(64 << 20)),
    "flood": _flood,
    "fill an open file": lambda file: os.write(file, b"x"),
    "abort": lambda _: os.abort(),
    "segfault": lambda _: ctypes.string_at(0),
    "wait for ever": lambda _: select.select([], [], []),
}


def _number_of_tgkill() -> int:
    here = machine()
    assert here is not None
    return here.numbers["tgkill"]


PREPARATIONS: dict[str, Callable[[], Any]] = {
    **dict.fromkeys(("open to write", "open to append"), _file),
    **dict.fromkeys(("delete", "rename", "change mode"), _file),
    **dict.fromkeys(("make a directory", "make a link", "make a pipe file"), _folder),
    "make memory executable": lambda: mmap.mmap(-1, mmap.PAGESIZE),
    "call as a 32-bit program": _code,
    "signal the parent by thread": _number_of_tgkill,
    "calls not refused": _listed_calls,
    "fill an open file": _open_file,
}
