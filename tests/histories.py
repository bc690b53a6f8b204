"""Random histories of a service, to be lived by several of them in the same way."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import dill
import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.errors import Refusal
from thalweg_server.core.events import Uploaded
from thalweg_server.core.limits import Limits
from thalweg_server.core.observation import Batch, Context, Flavor, Names, Question
from thalweg_server.core.ports import Answer, Engine
from thalweg_server.core.service import Service
from thalweg_server.core.storing import Store
from thalweg_server.core.together import Repeated
from thalweg_server.storage.memory import MemoryStore

DAY = 16_800
MODELS = ("apples", "pears", "plums", "quinces", "rye bread")
GLOBS = ("*", "p*", "?yes")
CANDIDATES = ("first", "second", "third")
STREAMS = ("", "tills", "tills of the night")
SHOPS = ("Zürich", "Bern", "", "x" * 50)


@dataclass(frozen=True, slots=True)
class Step:
    """One call: the name of the method below that makes it, and what it is given."""

    kind: str
    given: Sequence[Any]


@dataclass(slots=True)
class History:
    """Makes calls of every kind, with what may be wrong with them.

    Args:
        flavor: of the service.
        payloads: estimators as dill bytes.
        seed: of all that is random.
    """

    flavor: Flavor
    payloads: Sequence[bytes]
    seed: int
    source: np.random.Generator = field(init=False)
    now: float = 1.7e9

    def __post_init__(self) -> None:
        self.source = np.random.default_rng(self.seed)

    def steps(self, count: int) -> list[Step]:
        """Calls to make."""
        chances = {"upload": 3, "delete": 1, "predict": 5, "learn": 6, "stream": 6}
        kinds = [kind for kind, chance in chances.items() for _ in range(chance)]
        return [self._step(kinds[self.source.integers(len(kinds))]) for _ in range(count)]

    def _step(self, kind: str) -> Step:
        self.now += float(self.source.integers(1, 9_000)) / 7
        given = getattr(self, f"_{kind}")()
        return Step(kind, given)

    def _pick(self, choices: Sequence[Any]) -> Any:
        return choices[self.source.integers(len(choices))]

    def _upload(self) -> Sequence[Any]:
        template = self.source.random() < 0.6
        context = self._pick([(), (Context.ID,), (Context.ID, Context.DATE), (Context.DATE,)])
        event = Uploaded(
            model=self._pick(GLOBS if template else MODELS),
            candidate=self._pick(CANDIDATES),
            payload=self._pick(self.payloads),
            template=template,
            replace=self.source.random() < 0.5,
            apply_to_existing=template and self.source.random() < 0.5,
            context=context,
        )
        return (event,)

    def _delete(self) -> Sequence[Any]:
        template = self.source.random() < 0.2
        name = self._pick(GLOBS if template else MODELS)
        return name, self._pick(("", "", *CANDIDATES)), template

    def _predict(self) -> Sequence[Any]:
        prediction_id = self._pick(["", *(f"prediction {i}" for i in range(12))])
        return Question(self._pick(MODELS), self._day(), self._features()), prediction_id, self.now

    def _learn(self) -> Sequence[Any]:
        batches = [self._batch(1, ids=True) for _ in range(self.source.integers(1, 4))]
        return batches, self.now

    def _stream(self) -> Sequence[Any]:
        batch = self._batch(int(self.source.integers(1, 30)), ids=False)
        return self._pick(STREAMS), batch, bool(self.source.random() < 0.3), self.now

    def _day(self) -> int:
        return DAY + int(self.source.integers(30))

    def _features(self) -> dict[str, Any]:
        return {
            "a": float(self.source.normal()),
            "b": float(self.source.integers(4)),
            "promotion": bool(self.source.integers(2)),
            "shop": self._pick(SHOPS),
        }

    def _target(self) -> Any:
        if self.flavor is Flavor.REGRESSION:  # one in thirty does not fit a narrow row
            return float(self.source.integers(9)) + 0.1 * (self.source.random() < 0.03)
        return bool(self.source.integers(2)) if self.flavor is Flavor.BINARY else self._pick("xyz")

    def _batch(self, count: int, *, ids: bool) -> Batch:
        targets = [self._target() for _ in range(count)]
        numbers = self.flavor is Flavor.REGRESSION
        given: dict[str, Any] = {}
        if ids and self.source.random() < 0.5:
            given["request_ids"] = {0: f"request {self.source.integers(20)}"}
        if ids and self.source.random() < 0.4:
            given["prediction_ids"] = {0: f"prediction {self.source.integers(12)}"}
        asked = "prediction_ids" in given
        return Batch(
            names=Names(MODELS),
            index=self.source.integers(0, len(MODELS), count).astype(np.int32),
            days=np.array([self._day() for _ in range(count)], np.int32),
            targets=np.array(targets) if numbers else targets,
            rows=[{} if asked else self._features() for _ in range(count)],
            **given,
        )


def make_service(
    engine: Engine, limits: Limits | None = None, store: Store | None = None
) -> Service:
    """A service without models."""
    return Service(
        engine=engine,
        store=store or MemoryStore(),
        limits=limits or Limits(),
        clock=lambda: 0.0,
    )


def live(service: Service, steps: Sequence[Step]) -> list[Any]:
    """Makes the calls; returns what each was told, floats by their bits."""
    outcomes = []
    for step in steps:
        try:
            outcomes.append(plain(_CALLS[step.kind](service, *step.given)))
        except Refusal as refusal:
            outcomes.append((type(refusal).__name__, refusal.message))
    return outcomes


def told(service: Service) -> list[Any]:
    """All that callers can be told of the models as they are."""
    views = []
    for template in (False, True):
        held = service.registry.templates if template else service.registry.models
        views += [service.view(name, template=template) for name in held]
    # What was turned away is in no log.
    learned = {name: service.totals.rows[name] for name in ("learned", "failed")}
    return plain([list(service.registry.models), views, learned, _totals(service)])


def _totals(service: Service) -> Any:
    return list(service.totals.candidates())


def _predict(service: Service, question: Question, prediction_id: str, at: float) -> Any:
    reply = service.predict(question, everyone=True, prediction_id=prediction_id, at=at)
    return reply.answers, reply.chosen, reply.champion


def _learn(service: Service, batches: Sequence[Batch], at: float) -> Any:
    for position, told in service.schooling.learn_together([copied(b) for b in batches], at):
        if isinstance(told, Repeated | Refusal):
            yield position, type(told).__name__, str(told)
        else:
            yield position, told.model.name, told.order, told.answers


def _stream(service: Service, stream_id: str, batch: Batch, skip: bool, at: float) -> Any:
    stream = service.streams.open(stream_id, at)
    turn = service.schooling.turn(
        copied(batch),
        at=at,
        stream=stream,
        sequence=stream.logged + 1,
        skip_learned_dates=skip,
        predictions=True,
    )
    logged: SimpleQueue[int | None] = SimpleQueue()
    service.store.submit(turn.event, logged.put)
    service.backlog.put(turn, logged.get() or 0)
    while not service.schooling.step():
        pass
    service.streams.close(stream)
    report = turn.job.report
    errors = [(row, type(error).__name__, error.message) for row, error in report.errors]
    return stream.logged, report.learned, report.duplicates, errors, report.predictions


def _upload(service: Service, event: Uploaded) -> Any:
    return service.upload(event, None)


def _delete(service: Service, name: str, candidate: str, template: bool) -> None:
    service.delete(name, candidate, template=template)


_CALLS = {
    "predict": _predict,
    "learn": _learn,
    "stream": _stream,
    "upload": _upload,
    "delete": _delete,
}


def copied(batch: Batch) -> Batch:
    """The same rows, as another client would send them: batches keep what they looked up."""
    targets = batch.targets.copy() if isinstance(batch.targets, np.ndarray) else [*batch.targets]
    return Batch(
        names=Names(batch.names),
        index=batch.index,
        days=batch.days,
        targets=targets,
        rows=batch.rows,
        prediction_ids=batch.prediction_ids,
        request_ids=batch.request_ids,
    )


def plain(value: Any) -> Any:
    """What can be compared: floats by their bits, objects by what they hold."""
    if isinstance(value, Answer):
        value = [value.value, value.label, value.probabilities, value.error]
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack("<d", value)
    if isinstance(value, np.ndarray):
        return [plain(each) for each in value.tolist()]
    if isinstance(value, dict):
        return [(plain(key), plain(each)) for key, each in value.items()]
    if isinstance(value, list | tuple | Iterator):
        return [plain(each) for each in value]
    if hasattr(value, "__dataclass_fields__"):
        names = [name for name in value.__dataclass_fields__ if name != "state_bytes"]
        return [(name, plain(getattr(value, name))) for name in names]
    return (type(value).__name__, value)


def payloads(*estimators: Any) -> list[bytes]:
    """Estimators as callers send them."""
    return [dill.dumps(estimator, recurse=True) for estimator in estimators]


def bits(values: NDArray[Any]) -> bytes:
    """An array as bytes."""
    return values.tobytes()
