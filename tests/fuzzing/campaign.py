"""Sends step after step to a server, and looks after it: the first thing amiss ends it."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzzing.methods import Answer, Call, wrong_with
from tests.fuzzing.steps import Steps
from tests.fuzzing.target import Target

CHECK_STEPS = 100
"""After how many steps the server is looked at."""
RESET_STEPS = 5_000
"""After how many it begins anew: a failure follows from no more than these."""


class Found(Exception):
    """Something is amiss; its text tells what, and how to have it again."""


@dataclass(slots=True)
class Tally:
    """What happened so far.

    Args:
        calls: by rpc, code and reason.
        steps: made.
        uploads: damaged estimators that were tried,
        accepted: and taken.
        replaced: workers that ended and were replaced.
        growth_mb: of the front process' memory at most.
        slowest: seconds that a call took at most, and which rpc it was.
    """

    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    steps: int = 0
    uploads: int = 0
    accepted: int = 0
    replaced: int = 0
    growth_mb: float = 0.0
    slowest: tuple[float, str] = (0.0, "")

    def __str__(self) -> str:
        slow, method = self.slowest
        return (
            f"{self.steps} steps, {self.calls.total()} calls, {self.accepted} of {self.uploads} "
            f"uploads accepted, {self.replaced} workers replaced, memory grew by "
            f"{self.growth_mb:.0f} MB at most, slowest call {slow:.1f} s ({method or 'none'})"
        )

    def table(self) -> str:
        """Calls by rpc and by how they ended."""
        lines = [f"{m:14} {label:42} {n:8}" for (m, label), n in sorted(self.calls.items())]
        return "\n".join(lines)


class Campaign:
    """One server, and the steps it takes.

    Args:
        seed: of all chance.
        target: the server.
        folder: where the calls before a failure are written to; None = nowhere.
        tally: counts; several campaigns may share one.
    """

    def __init__(self, seed: int, target: Target, folder: Path | None, tally: Tally) -> None:
        self.tally = tally
        self._seed = seed
        self._target = target
        self._folder = folder
        self._steps = Steps(seed, target.flavor)
        self._step = 0
        self._wiped = False
        self._journal: list[Call] = []
        self._replaced_before = tally.replaced

    def run(self, first: int, go_on: Callable[[int], bool]) -> None:
        """Make steps from the first one for as long as `go_on(step)`; raises Found."""
        self._step = first
        while go_on(self._step):
            if self._wiped or self._step % RESET_STEPS == 0:
                self._prepare()
            self._steps.run(self._step, self._ask)
            self._step += 1
            self.tally.steps += 1
            if self._step % CHECK_STEPS == 0:
                self._check()
        self._check()

    def repeat(self, calls: list[Call]) -> None:
        """Make these calls, and look after each; raises Found."""
        for call in calls:
            if self._wiped:
                self._prepare()
            self._ask(call)
            self._check()

    def _ask(self, call: Call) -> Answer:
        self._journal.append(call)
        answer = self._target.call(call)
        tally = self.tally
        tally.calls[call.method, answer.label] += 1
        tally.slowest = max(tally.slowest, (answer.seconds, call.method))
        if call.method == "UploadModel":
            tally.uploads += 1
            tally.accepted += answer.ok
        if problem := wrong_with(call, answer):
            self._fail("\n".join(filter(None, (problem, self._target.ailment()))))
        # What an Init did is not known to the canaries. No step depends on what comes of it.
        self._wiped = self._wiped or (call.method == "Init" and answer.ok)
        return answer

    def _prepare(self) -> None:
        self._wiped = False
        try:
            self._target.prepare()
        except AssertionError as error:
            self._fail(f"the server could not be set up anew: {error}")

    def _check(self) -> None:
        if self._wiped:
            self._prepare()
        if problem := self._target.ailment():
            self._fail(problem)
        try:
            figures = self._target.figures()
        except (OSError, ValueError) as error:
            self._fail(f"the metrics page: {error!r}")
        replaced = int(figures.get("thalweg_workers_replaced_total", 0))
        self.tally.replaced = self._replaced_before + replaced
        self.tally.growth_mb = max(self.tally.growth_mb, self._target.growth_mb)
        self._journal.clear()

    def _fail(self, problem: str) -> None:
        """Raise Found, with the calls since the server was last seen well in a file."""
        if self._folder is None:
            raise Found(problem)
        flavor, begun = self._target.flavor, self._step - self._step % RESET_STEPS
        path = self._folder / f"fuzz-{self._seed}-{flavor}-{self._step}.jsonl"
        lines = [{"seed": self._seed, "flavor": flavor, "step": self._step, "problem": problem}]
        lines += [_written(call) for call in self._journal]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        raise Found(
            f"{problem}\nin step {self._step} of flavor {flavor}, seed {self._seed}. Its calls, "
            f"and those since the server was last seen well, are in {path}; repeat them by\n"
            f"    python -m tests.fuzzing --replay {path}\n"
            f"or, where these are not enough, all since the server began anew:\n"
            f"    python -m tests.fuzzing --seed {self._seed} --flavor {flavor} "
            f"--first {begun} --last {self._step}"
        )


def read_calls(path: Path) -> tuple[str, list[Call]]:
    """The flavor and the calls of a failure's file."""
    head, *lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    calls = [Call(line["method"], tuple(map(base64.b64decode, line["messages"]))) for line in lines]
    return head["flavor"], calls


def until(end: float) -> Callable[[int], bool]:
    """Whether a moment of `time.monotonic()` has not come."""
    return lambda _: time.monotonic() < end


def _written(call: Call) -> dict[str, object]:
    texts = [base64.b64encode(message).decode() for message in call.messages]
    return {"method": call.method, "messages": texts}
