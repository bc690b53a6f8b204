"""The port of the core to what runs candidates: `Engine`, and what the two tell each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.observation import Batch, Column, Context, Flavor, Question, Target
from thalweg_server.core.policy import SAFE, Origin
from thalweg_server.core.storing import Sink, Source


@dataclass(slots=True)
class Answer:
    """What one candidate answered. Never changed, but not frozen: that would cost more to make
    than the scoring of it.

    `value` is a regression's finite prediction, `label` and `probabilities` a classification's,
    in River's own types; all None where there is no usable answer. `error` is what it raised.
    """

    value: float | None = None
    label: Target | None = None
    probabilities: Mapping[Target, float] | None = None
    error: str = ""

    @property
    def usable(self) -> bool:
        """Whether it can be scored and sent."""
        return self.value is not None or self.label is not None

    @property
    def number(self) -> float:
        """As one number: the value, or the probability of true; NaN where there is none."""
        if self.value is not None:
            return self.value
        if not isinstance(self.label, bool):
            return math.nan
        if self.probabilities is None:
            return float(self.label)
        return self.probabilities.get(True, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """What became of `Engine.learn`, item by item in the order given.

    Args:
        answers: of classification, the answer before learning, one per item, with whatever
            predict or learn raised.
        values: of regression, the prediction before learning, NaN where none is usable, and
        errors: item to what its predict or learn raised, as "ValueError: ...".
        unlearned: items whose learn raised.
    """

    answers: Sequence[Answer] = ()
    values: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    errors: Mapping[int, str] = field(default_factory=dict)
    unlearned: frozenset[int] = frozenset()

    def between(self, first: int, last: int) -> Sequence[Answer]:
        """The answers of items first to last - 1, with whatever their predict or learn raised."""
        if self.answers:
            return self.answers[first:last]
        values = self.values[first:last].tolist()
        return [
            Answer(None if math.isnan(value) else value, error=self.errors.get(item, ""))
            for item, value in enumerate(values, first)
        ]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A candidate that an engine took in.

    Args:
        slot: the engine's own number for it.
        estimator: River's repr.
        classes: kinds of the class labels it knows already; empty where it knows none.
        size_bytes: that its state takes; 0 where nobody has measured it.
    """

    slot: int
    estimator: str
    classes: frozenset[type] = frozenset()
    size_bytes: int = 0


class NotReady(Exception):
    """`Engine.load` needs first what takes long to make, and has taken nothing in.

    Args:
        ready: done when it is made, or cannot be: then load again. Not to be waited for in the
            thread that runs the engine.
    """

    def __init__(self, ready: Future[Any]) -> None:
        super().__init__("what the engine needs is still being made")
        self.ready = ready

    def wait(self) -> None:
        """Returns when it is made, or cannot be."""
        wait([self.ready])


class Busy(Exception):
    """What is asked for is in the middle of another call, which this one was made to pass the
    time of: to be asked again when that is over. Nothing has changed.
    """


@dataclass(frozen=True, slots=True)
class Health:
    """How a candidate behaves.

    Args:
        strikes: how often it had to be stopped.
        quarantined: why it is asked and taught no more; empty where it is.
    """

    strikes: int = 0
    quarantined: str = ""


@dataclass(frozen=True, slots=True)
class Vitals:
    """How an engine's processes are.

    Args:
        workers: that there are.
        replaced: since the start.
        strikes: candidates stopped since the start.
        quarantined: candidates that are.
        resident_bytes: memory of all workers.
    """

    workers: int = 0
    replaced: int = 0
    strikes: int = 0
    quarantined: int = 0
    resident_bytes: int = 0


class Engine(Protocol):
    """Runs candidates, each known by a slot number.

    Takes and returns plain values, arrays and bytes, never protobuf and never a live estimator,
    so that an engine can move into another process. Called by one thread at a time. Whatever an
    estimator raises comes back as an outcome and never as an exception of these methods.
    """

    name: str

    def load(
        self, payload: bytes, flavor: Flavor, context: Sequence[Context], origin: Origin = SAFE
    ) -> Loaded:
        """Takes in a serialised estimator.

        Raises:
            BadPayload, NotAnEstimator, PayloadRefused, LimitReached: it is none, or none that
                may be; nothing is held.
            NotReady: not yet; nothing is held.
        """

    def clone(self, slot: int) -> int:
        """A new slot with a copy of this one, learned state included."""

    def drop(self, slots: Sequence[int]) -> None:
        """Forgets slots."""

    def predict(self, slots: Sequence[int], questions: Sequence[Question]) -> list[Answer]:
        """Asks slots[i] questions[i]. Never changes a candidate, not even by a bit."""

    def predict_many(
        self,
        slots: NDArray[np.int64],
        days: NDArray[np.int64],
        columns: Mapping[str, Column],
        names: Sequence[str] = (),
    ) -> NDArray[np.float64]:
        """Asks slots[i] about days[i] and line i of the columns, as `predict` does.

        Answers as numbers: a regression's value, a binary's probability of true, NaN where there
        is no usable one. `names` are the models' names, which some estimators ask to see.
        """

    def learn(
        self,
        slots: NDArray[np.int64],
        rows: NDArray[np.int64],
        batch: Batch,
        *,
        predict: bool = True,
    ) -> Outcomes:
        """In order, slots[i] predicts row rows[i] (unless told not to), then learns it."""

    def dump(self, slot: int) -> bytes:
        """The candidate as dill bytes of a River estimator; raises EstimatorFailed."""

    def state_bytes(self, slot: int) -> int:
        """Estimated size of the candidate's state in memory."""

    def placement(self, slot: int) -> tuple[str, str]:
        """Name of the engine that runs it, and why it is not a faster one."""

    def census(self, slots: NDArray[np.int64]) -> Mapping[str, int]:
        """How many of these each engine runs, by its name in `placement`. Any thread."""

    def meanwhile(self, function: Callable[[], None]) -> None:
        """Has a function called every few milliseconds while another process is waited for.

        It may ask this engine, which raises Busy where that process would have to answer.
        """

    def health(self, slot: int) -> Health:
        """How the candidate behaves."""

    def condemned(self) -> Mapping[int, str]:
        """Slots that were stopped too often and are not in quarantine yet, and why."""

    def quarantine(self, slot: int, reason: str) -> None:
        """Has a candidate raise the reason from now on, whenever it is asked or taught."""

    @property
    def vitals(self) -> Vitals:
        """How its processes are. Any thread."""

    def freeze(self, sink: Sink) -> None:
        """Writes all slots and their state. Changes nothing; may run in a forked process."""

    def thaw(self, source: Source) -> None:
        """Takes over what `freeze` wrote, under the same slots; the engine is empty before.

        Raises:
            NotReady: a kernel is being compiled: wait, then thaw again.
        """

    def close(self) -> None:
        """Lets go of threads and processes; idempotent. Nothing may be asked afterwards."""
