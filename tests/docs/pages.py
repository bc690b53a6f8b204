"""Runs what a page of the documentation says, as its reader would, and checks what it prints.

Blocks of `sh` and `python` are run, in order; a block of `text` behind them is what they print,
line by line, where `…` stands for anything. `thalweg serve …` alone in a block starts a server, on
free ports: the ports that the pages name stand for these. Blocks of `console` are not run.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LISTENS = re.compile(r"Thalweg listens on (\S+) \(gRPC\), metrics at https?://([^/]+)/")
_START_SECONDS = 60


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Language and text of each of a page's blocks."""
    return ((match[1], match[2]) for match in _BLOCK.finditer(page.read_text()))


class Reader:
    """Someone who types what the pages say.

    Args:
        folder: where; empty at first.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: list[subprocess.Popen[bytes]] = []
        self._printed = ""
        self._ports = {"50051": "50051", "9464": "9464"}
        self._environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "THALWEG_PORT": "0",
            "THALWEG_METRICS_PORT": "0",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def read(self, page: Path) -> int:
        """Do what a page says; return how many blocks were run."""
        run = 0
        for language, text in blocks(page):
            if language == "text":
                self._compare(text)
            elif language in ("sh", "python"):
                self._do(language, text)
                run += 1
        return run

    def _do(self, language: str, text: str) -> None:
        if text.startswith("thalweg serve "):
            self._serve(text)
            return
        program = ["bash", "-euo", "pipefail"] if language == "sh" else [sys.executable]
        done = subprocess.run(
            [*program, "-c", self._here(text)],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        self._printed = done.stdout

    def _serve(self, command: str) -> None:
        """Start a server in place of the one before."""
        self._stop()
        log = self._folder / "serve.log"
        with log.open("wb") as output:
            # exec: so that the signal that ends it does not end at the shell.
            self._servers.append(
                subprocess.Popen(
                    ["bash", "-c", f"exec {command}"],
                    cwd=self._folder,
                    env=self._environment,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            )
        deadline = time.monotonic() + _START_SECONDS
        while not (listens := _LISTENS.search(log.read_text())):
            assert self._servers[-1].poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        self._ports = {
            "50051": listens[1].rpartition(":")[2],
            "9464": listens[2].rpartition(":")[2],
        }
        self._environment["THALWEG_SERVER"] = f"127.0.0.1:{self._ports['50051']}"

    def _stop(self) -> None:
        for each in self._servers:
            each.send_signal(signal.SIGTERM)
            each.wait(timeout=_START_SECONDS)
        self._servers.clear()

    def _here(self, text: str) -> str:
        """The text, with the ports that this server really has."""
        for named, real in self._ports.items():
            text = re.sub(rf"(?<=:){named}\b", real, text)
        return text

    def _compare(self, text: str) -> None:
        """Check that each line was printed, in this order and perhaps among others."""
        printed = iter(self._printed.splitlines())
        for line in filter(None, map(str.rstrip, text.splitlines())):
            pattern = re.compile(".*".join(map(re.escape, line.split("…"))))
            assert any(pattern.fullmatch(each.rstrip()) for each in printed), (
                f"not printed: {line}\nwhat was:\n{self._printed}"
            )
