"""Candidates in workers beside the River loops that they have to equal, bit for bit."""

from __future__ import annotations

import copy
import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dill
import numpy as np

from tests.histories import plain
from tests.structure import difference
from thalweg_server.core.observation import NO_DAY, Batch, Context, Flavor, Names, Question
from thalweg_server.core.policy import Origin, Policy
from thalweg_server.core.ports import Answer, Loaded, NotReady, Outcomes
from thalweg_server.workers import WorkerEngine

TRUSTED = Origin(Policy.TRUSTED, "tester")

SECONDS = 60.0
"""How long anything here is waited for."""


def payload_of(estimator: Any) -> bytes:
    """An estimator as callers send it."""
    return bytes(dill.dumps(estimator, recurse=True))


def load(
    engine: WorkerEngine,
    estimator: Any,
    flavor: Flavor = Flavor.REGRESSION,
    context: Sequence[Context] = (),
    origin: Origin = TRUSTED,
) -> Loaded:
    """Uploads an estimator, or bytes, and waits until it is there."""
    payload = estimator if isinstance(estimator, bytes) else payload_of(estimator)
    while True:
        try:
            return engine.load(payload, flavor, context, origin)
        except NotReady as making:
            making.wait()


def batch_of(xs: Sequence[Any], targets: Sequence[Any]) -> Batch:
    """Rows of one model."""
    count, numbers = len(xs), all(type(target) is float for target in targets)
    return Batch(
        names=Names(["m"]),
        index=np.zeros(count, np.int32),
        days=np.full(count, NO_DAY, np.int32),
        targets=np.array(targets, float) if numbers else list(targets),
        rows=list(xs),
    )


def learn(
    engine: WorkerEngine, slots: Sequence[int], xs: Sequence[Any], targets: Sequence[Any] | None
) -> Outcomes:
    """slots[i] learns xs[i]; without targets, 1.0 each."""
    batch = batch_of(xs, [1.0] * len(xs) if targets is None else targets)
    return engine.learn(np.array(slots, np.int64), np.arange(len(xs)), batch)


def ask(engine: WorkerEngine, slot: int, x: Any = None) -> Answer:
    """What one slot answers."""
    return engine.predict([slot], [Question("m", NO_DAY, {} if x is None else x)])[0]


def state_of(process: int) -> str:
    """A process's state as ps has it; empty where there is none."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[0]


def wait_until_gone(process: int) -> None:
    """Returns once a process does nothing any more; fails where it goes on."""
    end = time.monotonic() + SECONDS
    while state_of(process) not in ("", "Z", "X"):
        assert time.monotonic() < end, f"process {process} is still there"
        time.sleep(0.001)


def processes(engine: WorkerEngine) -> dict[str, int]:
    """The workers of an engine by domain."""
    hosts = engine._house._hosts.items()
    return {domain: host._born.process for domain, host in hosts if host.alive}


def kill_all(engine: WorkerEngine) -> None:
    """Ends an engine's workers without a word to it."""
    for process in processes(engine).values():
        os.kill(process, signal.SIGKILL)
        wait_until_gone(process)


@dataclass(slots=True)
class Twin:
    """A candidate, and River's estimator beside it."""

    slot: int
    river: Any
    flavor: Flavor
    context: tuple[Context, ...] = ()


@dataclass(slots=True)
class Twins:
    """Candidates of an engine, each with its twin.

    Args:
        engine: what is tested.
    """

    engine: WorkerEngine
    twins: list[Twin] = field(default_factory=list)

    def add(
        self, estimator: Any, flavor: Flavor = Flavor.REGRESSION, context: Sequence[Context] = ()
    ) -> Twin:
        """Uploads an estimator and keeps a copy."""
        payload = payload_of(estimator)
        loaded = load(self.engine, payload, flavor, context)
        twin = Twin(loaded.slot, dill.loads(payload), flavor, tuple(context))
        self.twins.append(twin)
        return twin

    def clone(self, twin: Twin) -> Twin:
        """One that goes on from another."""
        slot = self.engine.clone(twin.slot)
        self.twins.append(Twin(slot, copy.deepcopy(twin.river), twin.flavor, twin.context))
        return self.twins[-1]

    def drop(self, twin: Twin) -> None:
        """Forgets one."""
        self.engine.drop([twin.slot])
        self.twins.remove(twin)

    def learn(
        self,
        twins: Sequence[Twin],
        xs: Sequence[Any],
        targets: Sequence[Any],
        *,
        predict: bool = True,
    ) -> None:
        """twins[i] learns xs[i] on both sides; all answers have to be the same."""
        batch, slots = batch_of(xs, targets), np.array([twin.slot for twin in twins])
        outcomes = self.engine.learn(slots, np.arange(len(xs)), batch, predict=predict)
        assert not outcomes.unlearned, (outcomes.errors, outcomes.answers)
        for item, (twin, x, target) in enumerate(zip(twins, xs, targets, strict=True)):
            seen = Question("m", NO_DAY, x).x(twin.context)
            expected = answered(twin.river, twin.flavor, seen) if predict else Answer()
            twin.river.learn_one(seen, target)
            got = outcomes.between(item, item + 1)[0]
            assert bits(got) == bits(expected), (item, got, expected)

    def ask(self, twins: Sequence[Twin], xs: Sequence[Any]) -> None:
        """Asks both sides without learning; all answers have to be the same."""
        questions = [Question("m", NO_DAY, x) for x in xs]
        answers = self.engine.predict([twin.slot for twin in twins], questions)
        for twin, question, got in zip(twins, questions, answers, strict=True):
            river = copy.deepcopy(twin.river)
            expected = answered(river, twin.flavor, question.x(twin.context))
            assert bits(got) == bits(expected), (got, expected)

    def assert_same_state(self, *, ignoring: Sequence[str] = ()) -> None:
        """Downloads equal River's estimators structurally."""
        for twin in self.twins:
            dumped = dill.loads(self.engine.dump(twin.slot))
            differs = difference(dumped, twin.river, ignoring=ignoring)
            assert not differs, differs


def bits(answer: Answer) -> Any:
    """An answer to compare: floats by their bits, classes in any order.

    Some classifiers keep their classes in sets, and another process has those in another order.
    """
    given = answer.probabilities
    if given is not None:
        given = dict(sorted(given.items(), key=lambda pair: str(pair[0])))
    return plain([answer.value, answer.label, given, answer.error])


def answered(estimator: Any, flavor: Flavor, x: Any) -> Answer:
    """What River answers, as the port has it."""
    if flavor is Flavor.REGRESSION:
        value = estimator.predict_one(x)
        return Answer(value if value is not None and np.isfinite(value) else None)
    try:
        given: Mapping[Any, float] = estimator.predict_proba_one(x)
    except NotImplementedError:
        return Answer(label=estimator.predict_one(x))
    if not given:
        return Answer()
    return Answer(label=max(given, key=given.__getitem__), probabilities=given)
