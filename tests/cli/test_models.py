"""`thalweg models`: a table, an object per line, or a table that stays up to date."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.cli.conftest import Run, line_of
from thalweg_server.background import BackgroundServer

SALES = {"milk": (3, 1), "bread": (2, 2), "eggs": (9, 0)}
CLI = (sys.executable, "-m", "thalweg.cli")
M5_NAME = "HOUSEHOLD_2_516_WI_3"
"""As long as the names of the M5 items get."""


class Screen:
    """A terminal, and what a program has shown on it.

    Args:
        columns, lines: its size.
    """

    def __init__(self, columns: int, lines: int) -> None:
        self._ours, self.theirs = os.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def until(self, text: str) -> str:
        """Return what comes, up to the arrival of a text, or to the end without one."""
        seen = ""
        while not text or text not in seen:
            try:
                seen += os.read(self._ours, 65_536).decode()
            except OSError:  # nobody has it open any more
                assert not text, seen
                break
        return seen

    def close(self) -> None:
        """Take it away."""
        os.close(self._ours)


@contextmanager
def terminal(
    server: BackgroundServer, *args: str, columns: int = 80, lines: int = 24
) -> Iterator[tuple[subprocess.Popen[bytes], Screen]]:
    """Yield a command that runs on a terminal of that size, and its screen."""
    screen = Screen(columns, lines)
    sized = {"COLUMNS", "LINES", "NO_COLOR"}
    env = {name: value for name, value in os.environ.items() if name not in sized}
    env |= {"THALWEG_SERVER": server.address, "TERM": "xterm"}
    streams = {"stdin": screen.theirs, "stdout": screen.theirs, "stderr": screen.theirs}
    with closing(screen), subprocess.Popen([*CLI, *args], env=env, **streams) as running:
        os.close(screen.theirs)
        try:
            yield running, screen
        finally:
            running.kill()


def plain(text: str) -> list[str]:
    """Return the lines of a screen without colours and movements."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "").splitlines()


@pytest.fixture
def shop(run: Run) -> None:
    """Three models that have learned two days, eggs with the largest error, bread the smallest."""
    for name, sold in SALES.items():
        assert run("upload", name, "thalweg.m5:knn", "--context", "date").exit_code == 0
        for day, units in enumerate(sold, 21):
            learned = run("learn", name, str(units), "--date", f"2016-05-{day}")
            assert learned.exit_code == 0, learned.stderr


def names(text: str) -> list[str]:
    """Return what the lines below the headings begin with."""
    headings, *lines = text.splitlines()
    assert headings.startswith("model")
    return [line.split()[0] for line in lines]


@pytest.mark.usefixtures("shop")
def test_models_are_listed_as_a_table_or_an_object_per_line(run: Run) -> None:
    """Sorted, limited, filtered; control characters of names stay on their line."""
    run("upload", "a\nb", "thalweg.m5:lm", "--candidate", "lm")
    assert names(run("models", "--order-by", "name desc").stdout) == [
        *("milk", "eggs", "bread"),
        "a\\nb",
    ]
    limited = run("models", "--limit", "1")
    assert names(limited.stdout) == ["a\\nb"]
    assert "--limit 0" in limited.stderr
    rows = [json.loads(line) for line in run("models", "--json").stdout.splitlines()]
    assert [row["model"] for row in rows] == ["a\nb", "bread", "eggs", "milk"]
    [line] = run("models", "--glob", "m*", "--json").stdout.splitlines()
    assert json.loads(line)["learned_through"] == "2016-05-22"


@pytest.mark.usefixtures("shop")
def test_the_worst_models_lead(run: Run) -> None:
    """By the error of the champion, which has a star; asked for two, it does not offer more."""
    run("upload", "eggs", "thalweg.m5:lm", "--candidate", "lm", "--context", "date")
    result = run("models", "--worst", "2")
    assert [line.split()[:2] for line in result.stdout.splitlines()[1::2]] == [
        ["eggs", "default*"],
        ["milk", "default*"],
    ]
    assert result.stderr == ""
    assert names(run("models", "--worst", "2", "--glob", "[bm]*").stdout) == []
    assert names(run("models", "--worst", "1", "--glob", "b*").stdout) == ["bread"]


@pytest.mark.parametrize("columns", [80, 120])
def test_the_table_fits_the_terminal(server: BackgroundServer, run: Run, columns: int) -> None:
    """Names of M5 items are whole, longer ones are cut, and figures never are."""
    figures = "knn* 2 2016-05-22 MAE 10.000 10.000 2"
    for name in (M5_NAME, "x" * 200):
        run("upload", name, "thalweg.m5:knn", "--candidate", "knn", "--context", "date")
        for day, units in enumerate((1, 20), 21):
            run("learn", name, str(units), "--date", f"2016-05-{day}")
        with terminal(server, "models", "--glob", f"{name[0]}*", columns=columns) as (_, screen):
            lines = plain(screen.until(""))
        assert max(map(len, lines)) <= columns
        shown, rest = lines[1].split(maxsplit=1)
        assert " ".join(rest.split()) == figures
        assert shown == M5_NAME if name == M5_NAME else shown.endswith("x…")


@pytest.mark.usefixtures("shop")
def test_watch_keeps_the_table_in_its_place(server: BackgroundServer, run: Run) -> None:
    """On a terminal: cut to its height, and drawn over the one before, until Ctrl-C."""
    with terminal(server, "models", "--watch", lines=5) as (running, screen):
        first = screen.until("than fit")
        run("learn", "bread", "2", "--date", "2016-05-23")
        second = screen.until("2016-05-23")
        running.send_signal(signal.SIGINT)
        rest = screen.until("")
        assert running.wait(timeout=10) == 130
    _, *rows, below = plain(first)
    assert [row.split()[0] for row in rows] == ["bread", "eggs"]
    assert "1 line more than fit" in below
    assert "\x1b[1A" in second  # a line up
    assert plain(rest)[-1] == "thalweg: interrupted"


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("machine", [True, False])
def test_watch_prints_again_and_again_where_there_is_no_terminal(
    server: BackgroundServer, run: Run, machine: bool
) -> None:
    """Blocks with their time, or with --json a line with all models per listing."""
    command = [*CLI, "models", "--worst", "1", "--watch", "--server", server.address]
    with subprocess.Popen(
        command + ["--json"] * machine, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as watching:
        assert watching.stdout is not None
        for learned in (2, 3):
            block = [watching.stdout.readline().decode() for _ in range(1 if machine else 4)]
            if machine:
                listing = json.loads(block[0])
                [model] = listing["models"]
                assert (model["model"], model["learned"]) == ("eggs", learned)
                assert listing["at"].endswith("+00:00")
            else:
                assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\n", block[0])
                assert block[2].split()[:3] == ["eggs", "default*", str(learned)]
                assert block[3] == "\n"
            run("learn", "eggs", "5", "--date", "2016-05-23")
        watching.send_signal(signal.SIGINT)
        _, complaint = watching.communicate(timeout=10)
    assert (watching.returncode, complaint) == (130, b"thalweg: interrupted\n")


def test_watch_ends_in_one_line_where_the_server_goes(run: Run) -> None:
    """After the time that --timeout gives it to come back."""
    result = run("models", "--watch", "--server", "127.0.0.1:1", "--timeout", "1")
    assert result.exit_code == 1
    assert "no answer from 127.0.0.1:1 (--server)" in line_of(result)
