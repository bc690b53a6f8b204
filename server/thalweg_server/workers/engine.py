"""The engine that has workers run any River estimator. See `core.ports.Engine`.

Candidates live here as records; a worker makes one when it is first asked for it, and forgets it
with everything else when it ends. So a worker is never mourned, only replaced.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg_server.config import WorkerLimits
from thalweg_server.core.errors import EstimatorFailed
from thalweg_server.core.limits import Limits
from thalweg_server.core.observation import Batch, Column, Context, Flavor, Question, line_of
from thalweg_server.core.policy import SAFE, Origin
from thalweg_server.core.ports import Answer, Health, Loaded, Outcomes, Vitals
from thalweg_server.core.storing import Sink, Source
from thalweg_server.engines.cell import outcomes_of
from thalweg_server.engines.structures import Malformed, unpack
from thalweg_server.workers.asking import Asking
from thalweg_server.workers.freezing import freeze_records, thaw_records
from thalweg_server.workers.house import House
from thalweg_server.workers.loading import Uploads
from thalweg_server.workers.moulds import CHECKPOINT
from thalweg_server.workers.records import Base, Record
from thalweg_server.workers.wire import packed
from thalweg_server.workers.zygote import Zygote


class WorkerEngine:
    """Runs estimators in workers.

    Args:
        zygote: makes workers; whoever gives it closes it.
        bounds: what workers may take.
        state_bytes_max: what one candidate's state may take as it grows.
    """

    name = "river"

    def __init__(
        self,
        zygote: Zygote,
        bounds: WorkerLimits | None = None,
        state_bytes_max: int = Limits().state_bytes_max,
    ) -> None:
        bounds = bounds or WorkerLimits()
        self._records: dict[int, Record] = {}
        self._quarantined: set[int] = set()
        self._next_slot = self._next_base = 0
        self._uploads = Uploads(zygote, bounds.memory_bytes, bounds.loading, bounds.loaders)
        self._house = House(zygote, bounds)
        self._asking = Asking(self._records, self._house, bounds, state_bytes_max, self._base)

    def __len__(self) -> int:
        return len(self._records)

    # --- Coming and going ---------------------------------------------------------------------

    def load(
        self, payload: bytes, flavor: Flavor, context: Sequence[Context], origin: Origin = SAFE
    ) -> Loaded:
        """See `Engine.load`."""
        facts = self._uploads.load(payload, origin.policy, flavor)
        base = self._base(payload, origin.policy.value)
        slot = self._add(Record(base, flavor, tuple(context), origin, structure=facts.structure))
        return Loaded(slot, facts.estimator, facts.classes, facts.size_bytes)

    def adopt(self, estimator: Any, flavor: Flavor, context: tuple[Context, ...]) -> int:
        """A new slot for an estimator of the server's own making, which is taken apart at once."""
        payload = pickle.dumps(estimator, pickle.HIGHEST_PROTOCOL)
        return self._add(Record(self._base(payload, CHECKPOINT), flavor, context, SAFE))

    def clone(self, slot: int) -> int:
        """See `Engine.clone`. A copy is made when it is first asked for."""
        return self._add(self._records[slot].copy())

    def drop(self, slots: Sequence[int]) -> None:
        """See `Engine.drop`."""
        for slot in slots:
            self._house.forget(slot, self._records.pop(slot).origin)
            self._asking.condemned.pop(slot, None)
            self._quarantined.discard(slot)

    def estimator(self, slot: int) -> Any:
        """An estimator like that of a slot, where it can be lowered.

        Raises:
            EstimatorFailed: it cannot, or its worker cannot say.
        """
        record = self._records[slot]
        structure, record.structure = record.structure, None  # wanted once
        if structure is None:
            structure = self._asking.made(slot, "structure")
        try:
            return unpack(structure)
        except Malformed as error:
            raise EstimatorFailed(f"its worker described it wrongly: {error}") from error

    # --- Asking and teaching ------------------------------------------------------------------

    def predict(self, slots: Sequence[int], questions: Sequence[Question]) -> list[Answer]:
        """See `Engine.predict`."""
        records = self._records
        asked = [
            packed(question.x(records[slot].context))
            for slot, question in zip(slots, questions, strict=True)
        ]
        return self._asking.predict(slots, asked)

    def predict_many(
        self,
        slots: NDArray[np.int64],
        days: NDArray[np.int64],
        columns: Mapping[str, Column],
        names: Sequence[str] = (),
    ) -> NDArray[np.float64]:
        """See `Engine.predict_many`."""
        questions = [
            Question(names[line] if names else "", day, line_of(columns, line))
            for line, day in enumerate(days.tolist())
        ]
        return np.array([each.number for each in self.predict(slots.tolist(), questions)])

    def learn(
        self,
        slots: NDArray[np.int64],
        rows: NDArray[np.int64],
        batch: Batch,
        *,
        predict: bool = True,
    ) -> Outcomes:
        """See `Engine.learn`."""
        numbered = slots.tolist()
        lessons = self._lessons(numbered, rows.tolist(), batch, predict)
        replies = self._asking.learn(numbered, lessons)
        answers = [answer for answer, _ in replies]
        unlearned = [item for item, (_, missed) in enumerate(replies) if missed]
        numeric = bool(numbered) and self._records[numbered[0]].flavor is Flavor.REGRESSION
        return outcomes_of(answers, unlearned, numeric=numeric)

    # --- Telling ------------------------------------------------------------------------------

    def dump(self, slot: int) -> bytes:
        """See `Engine.dump`."""
        payload: bytes = self._asking.made(slot, "dump")
        return payload

    def state_bytes(self, slot: int) -> int:
        """See `Engine.state_bytes`: River's own estimate, which walks the object."""
        try:
            return int(self._asking.made(slot, "size"))
        except EstimatorFailed:  # an estimate is no reason to fail
            return 0

    def placement(self, slot: int) -> tuple[str, str]:
        """See `Engine.placement`."""
        return self.name, "the river engine runs every estimator"

    def census(self, slots: NDArray[np.int64]) -> Mapping[str, int]:
        """See `Engine.census`."""
        return {self.name: len(slots)}

    def meanwhile(self, function: Callable[[], None]) -> None:
        """See `Engine.meanwhile`."""
        self._house.meanwhile = function

    def health(self, slot: int) -> Health:
        """See `Engine.health`."""
        record = self._records[slot]
        return Health(record.strikes, record.quarantined)

    def condemned(self) -> Mapping[int, str]:
        """See `Engine.condemned`."""
        return self._asking.condemned

    def quarantine(self, slot: int, reason: str) -> None:
        """See `Engine.quarantine`."""
        self._asking.condemned.pop(slot, None)
        record = self._records[slot]
        record.quarantined = reason
        self._quarantined.add(slot)
        self._house.forget(slot, record.origin)

    @property
    def vitals(self) -> Vitals:
        """See `Engine.vitals`."""
        return Vitals(
            workers=self._house.workers,
            replaced=self._house.replaced,
            strikes=self._asking.strikes,
            quarantined=len(self._quarantined),
            resident_bytes=self._house.resident_bytes,
        )

    def freeze(self, sink: Sink) -> None:
        """See `Engine.freeze`. Asks no worker, so that a forked process can do it."""
        freeze_records(self._records, self._next_slot, self._next_base, sink)

    def thaw(self, source: Source) -> None:
        """See `Engine.thaw`. No worker is asked before somebody wants an answer."""
        records, self._next_slot, self._next_base = thaw_records(source)
        self._records |= records
        self._quarantined = {slot for slot, each in records.items() if each.quarantined}

    def close(self) -> None:
        """See `Engine.close`."""
        self._house.close()
        self._uploads.close()

    # --- Within -------------------------------------------------------------------------------

    def _base(self, payload: bytes, policy: str) -> Base:
        number, self._next_base = self._next_base, self._next_base + 1
        return Base(number, payload, policy)

    def _add(self, record: Record) -> int:
        slot, self._next_slot = self._next_slot, self._next_slot + 1
        self._records[slot] = record
        if record.quarantined:
            self._quarantined.add(slot)
        return slot

    def _lessons(
        self, slots: Sequence[int], rows: Sequence[int], batch: Batch, predict: bool
    ) -> list[bytes]:
        """Each row as its slot is to see it; candidates of a model come one behind the other."""
        lessons: list[bytes] = []
        seen: tuple[int, tuple[Context, ...]] = (-1, ())
        for slot, row in zip(slots, rows, strict=True):
            context = self._records[slot].context
            if (row, context) != seen:
                seen = row, context
                x, target = batch.question(row).x(context), batch.target(row)
                lesson = packed([x, target, predict])
            lessons.append(lesson)
        return lessons
