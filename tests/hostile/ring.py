"""Where an attack meets plain dill or the policy: the arena's process, and what it saw."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.hostile.attack import SECRET, Attack

ROOT = Path(__file__).resolve().parents[2]

REFUSALS = frozenset({"PayloadRefused", "BadPayload"})
"""How the loader turns a payload away."""

FAULTS = frozenset(
    {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was seen of one attack.

    Args:
        harms: what harm there was, by the stage in which it was first seen.
        loaded: whether an object came out.
        errors: the exceptions, by stage, as `type: text`.
        changed: names that are not what they were.
        grown_bytes: how much more memory the process used at its worst.
        tail: the beginning of its output.
    """

    harms: dict[str, set[str]]
    loaded: bool
    errors: dict[str, str]
    changed: tuple[str, ...]
    grown_bytes: int
    tail: str

    @property
    def refused(self) -> bool:
        """Whether the loader turned the payload away, in the way it should."""
        return self.errors.get("load", "").partition(":")[0] in REFUSALS


class Ring:
    """The arena, from the test's side. A context manager: leaving it ends the arena.

    Args:
        folder: where payloads and canaries are put, one folder for each bout.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def __enter__(self) -> Self:
        quiet = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        home = {"HOME": str(self._folder), "RIVER_DATA": str(self._folder)}
        self._arena = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.hostile.arena"],
            cwd=ROOT,
            env=os.environ | quiet | home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._hear() == "ready"
        return self

    def __exit__(self, *_: object) -> None:
        assert self._arena.stdin and self._arena.stdout
        self._arena.stdin.close()
        self._arena.stdout.close()
        self._arena.wait(10)

    def fight(self, attack: Attack, loader: str, *, last: str = "drop") -> Outcome:
        """Let an attack loose and return what came of it.

        Args:
            attack: which.
            loader: `dill`, or a policy's name.
            last: the stage after which to stop.
        """
        self._count += 1
        corner = self._folder / str(self._count)
        nest = corner / "nest"
        nest.mkdir(parents=True)
        (corner / SECRET).write_text("a,b\n1,2\n")
        payload = corner / "payload"
        payload.write_bytes(attack.payload(nest / "canary"))
        assert not any(nest.iterdir()), f"{attack.name} strikes where it is made"
        order = {"payload": str(payload), "nest": str(nest), "loader": loader, "last": last}
        assert self._arena.stdin
        print(json.dumps(order), file=self._arena.stdin, flush=True)
        return _read(json.loads(self._hear()), nest)

    def _hear(self) -> str:
        assert self._arena.stdout
        return self._arena.stdout.readline().strip()


def _read(seen: dict[str, Any], nest: Path) -> Outcome:
    finished = [report for report in seen["reports"] if "harms" in report]
    begun = [report["stage"] for report in seen["reports"]]
    harms: dict[str, set[str]] = {}
    known: set[str] = set()
    for report in finished:
        if fresh := set(report["harms"]) - known:
            harms[report["stage"]] = fresh
            known |= fresh
    ending = _ending(seen["status"], complete=bool(finished) and len(begun) == 2 * len(finished))
    ending |= {"file"} if any(nest.iterdir()) else set()
    ending |= {"output"} if seen["flooded"] else set()
    ending |= {"signal"} if seen["signalled"] else set()
    if begun and ending - known:
        # What only shows from outside belongs to the stage that was under way, which of those
        # that finished is not known: the tests stop at the stage they ask about.
        harms.setdefault(begun[-1], set()).update(ending - known)
    return Outcome(
        harms=harms,
        loaded=any(r["stage"] == "load" and not r["error"] for r in finished),
        errors={r["stage"]: f"{r['error']}: {r['message']}" for r in finished if r["error"]},
        changed=tuple(finished[-1]["changed"]) if finished else (),
        grown_bytes=max((r["grown"] for r in finished), default=0),
        tail=seen["tail"],
    )


def _ending(status: int | None, *, complete: bool) -> set[str]:
    """Return what harm the end of the process is."""
    if status is None:
        return {"hang"}
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number in FAULTS:
            return {"crash"}
        # SIGKILL comes from the hard bound on CPU time; any other signal was the attack's own.
        return {"hang"} if number in (signal.SIGXCPU, signal.SIGKILL) else {"exit"}
    return set() if complete else {"exit"}
