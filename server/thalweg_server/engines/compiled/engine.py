"""The engine that lowers what it can to fleets and leaves the rest to River."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.observation import Batch, Context, Flavor, Question
from thalweg_server.core.policy import SAFE, Origin
from thalweg_server.core.ports import Answer, Health, Loaded, NotReady, Outcomes, Vitals
from thalweg_server.core.storing import Sink, Source
from thalweg_server.engines.compiled import feed
from thalweg_server.engines.compiled.answering import Answering
from thalweg_server.engines.compiled.errors import SchemaNeeded, Unlowerable
from thalweg_server.engines.compiled.feed import Feed
from thalweg_server.engines.compiled.few import FEW_MAX, Few
from thalweg_server.engines.compiled.fleet import Fleets
from thalweg_server.engines.compiled.freezing import Freezing
from thalweg_server.engines.compiled.inquiry import Inquiries
from thalweg_server.engines.compiled.lesson import RAISES, Lesson
from thalweg_server.engines.compiled.lowering import Lowering, reason_of
from thalweg_server.engines.compiled.moving import elsewhere
from thalweg_server.engines.compiled.newcomers import Newcomers
from thalweg_server.engines.compiled.places import PENDING, RIVER, Places
from thalweg_server.engines.compiled.runs import Run, do_all
from thalweg_server.engines.compiled.steps.base import Inputs
from thalweg_server.engines.fallback import Fallback
from thalweg_server.engines.pickling import serialise
from thalweg_server.engines.river import size_of


class CompiledEngine:
    """Runs candidates in fleets where it knows their steps, else in a river engine. See `Engine`.

    Every number is River's: what a kernel cannot reproduce exactly moves a candidate to the
    river engine, for good, before anything of it has changed. Slots stay valid when it does.
    """

    name = "compiled"

    def __init__(self, fallback: Fallback, fleets: Fleets | None = None) -> None:
        self._river = fallback
        self._fleets = Fleets() if fleets is None else fleets
        self._lowering = Lowering(self._fleets)
        self._places = Places()
        self._newcomers = Newcomers(self._lowering, self._places, self._river)
        inquiries = Inquiries(self._fleets)
        self._answering = Answering(self._river, self._lowering, self._places, inquiries)
        self._few = Few(self._places, inquiries)
        self._freezing = Freezing(self._lowering, self._places, self._newcomers, self._river)
        self._fed: tuple[Batch, Feed] | None = None
        self._flavor = Flavor.REGRESSION

    def __len__(self) -> int:
        return len(self._places)

    def load(
        self, payload: bytes, flavor: Flavor, context: Sequence[Context], origin: Origin = SAFE
    ) -> Loaded:
        """See `Engine.load`."""
        loaded = self._river.load(payload, flavor, context, origin)
        self._flavor = flavor
        place, reason = (RIVER, loaded.slot), ""
        try:
            if flavor is Flavor.MULTICLASS:
                raise Unlowerable("models of several classes are not compiled")
            estimator = self._river.estimator(loaded.slot)
            place = self._lowering.lower(estimator, Inputs(raw=True), tuple(context))
        except SchemaNeeded:
            self._lowering.wait(loaded.slot, estimator, tuple(context))
            place = (PENDING, loaded.slot)
        except NotReady:
            self._river.drop([loaded.slot])
            raise
        except Exception as error:
            reason = reason_of(error)
        if place[0] != RIVER:
            self._river.drop([loaded.slot])
        slot = self._places.hold(*place, reason)
        return replace(loaded, slot=slot)

    def clone(self, slot: int) -> int:
        """See `Engine.clone`."""
        fleet, row = self._places.of(slot)
        if fleet >= 0:
            return self._places.hold(fleet, self._fleets[fleet].clone(row))
        if fleet == PENDING:
            self._lowering.waiting[row].waiting += 1
            return self._places.hold(fleet, row)
        new = self._places.hold(RIVER, self._river.clone(row), self._places.reasons[slot])
        self._newcomers.copy(slot, new)
        return new

    def drop(self, slots: Sequence[int]) -> None:
        """See `Engine.drop`."""
        for slot in slots:
            fleet, row = self._places.of(slot)
            if fleet >= 0:
                self._fleets[fleet].drop(row)
            elif fleet == RIVER:
                self._river.drop([row])
            else:
                self._lowering.release(row)
            self._newcomers.forget(slot)
            self._places.forget(slot)

    def placement(self, slot: int) -> tuple[str, str]:
        """Which engine runs it, and why it is not this one."""
        if self._places.fleets[slot] >= 0:
            return "compiled", ""
        if self._places.fleets[slot] == PENDING:
            return "river", "it is compiled once its first row tells its features"
        return "river", self._places.reasons[slot]

    def census(self, slots: NDArray[np.int64]) -> Mapping[str, int]:
        """See `Engine.census`."""
        compiled = int(np.count_nonzero(self._places.fleets[slots] >= 0))
        return {"compiled": compiled, "river": len(slots) - compiled}

    def state_bytes(self, slot: int) -> int:
        """See `Engine.state_bytes`."""
        fleet, row = self._places.of(slot)
        if fleet >= 0:
            return self._fleets[fleet].row_bytes
        if fleet == RIVER:
            return self._river.state_bytes(row)
        return size_of(self._lowering.waiting[row].estimator)

    def freeze(self, sink: Sink) -> None:
        """See `Engine.freeze`. Raises EstimatorFailed where one cannot be serialised."""
        self._freezing.freeze(self._flavor, sink)

    def thaw(self, source: Source) -> None:
        """See `Engine.thaw`."""
        self._flavor = self._freezing.thaw(source)

    def close(self) -> None:
        """See `Engine.close`."""
        self._fleets.close()
        self._river.close()

    def estimator(self, slot: int) -> Any:
        """The live estimator where River runs it, else a new one with its state."""
        fleet, row = self._places.of(slot)
        return self._river.estimator(row) if fleet == RIVER else self._lowering.lifted(fleet, row)

    def dump(self, slot: int) -> bytes:
        """See `Engine.dump`."""
        fleet, row = self._places.of(slot)
        if fleet == RIVER:
            return self._river.dump(row)
        return serialise(self._lowering.lifted(fleet, row))

    def learn(
        self,
        slots: Sequence[int] | NDArray[Any],
        rows: Sequence[int] | NDArray[Any],
        batch: Batch,
        *,
        predict: bool = True,
    ) -> Outcomes:
        """See `Engine.learn`. Takes arrays without a Python object per item."""
        at, lines = np.asarray(slots, np.int64), np.asarray(rows, np.int64)
        if len(self._newcomers):
            self._newcomers.promote(at.tolist())
        fleets = self._places.fleets[at]
        if (fleets == RIVER).all():
            return self._river.learn(self._places.rows[at], lines, batch, predict=predict)
        lesson = Lesson(batch, at, lines, predict, self._flavor)
        left = np.arange(len(at))
        if len(at) <= FEW_MAX:
            left = left[self._few.learn(lesson) :]
        if len(left):
            self._learn(lesson, left)
        return lesson.outcomes()

    def meanwhile(self, function: Callable[[], None]) -> None:
        """See `Engine.meanwhile`."""
        self._river.meanwhile(function)

    def health(self, slot: int) -> Health:
        """See `Engine.health`. Kernels are the server's own, and behave."""
        fleet, row = self._places.of(slot)
        return self._river.health(row) if fleet == RIVER else Health()

    def condemned(self) -> Mapping[int, str]:
        """See `Engine.condemned`."""
        condemned = self._river.condemned()
        return {self._places.find(RIVER, row): reason for row, reason in condemned.items()}

    def quarantine(self, slot: int, reason: str) -> None:
        """See `Engine.quarantine`."""
        fleet, row = self._places.of(slot)
        if fleet == RIVER:
            self._river.quarantine(row, reason)
            self._places.reasons[slot] = reason
        # else what was stopped has been compiled since, and cannot misbehave any more

    @property
    def vitals(self) -> Vitals:
        """See `Engine.vitals`."""
        return self._river.vitals

    def _learn(self, lesson: Lesson, items: NDArray[np.int64]) -> None:
        if self._fed is None or self._fed[0] is not lesson.batch:
            self._fed = (lesson.batch, feed.of_batch(lesson.batch))  # a batch comes in slices
        lesson.feed = self._fed[1]
        fleets = self._places.fleets[lesson.slots[items]]
        if (fleets == PENDING).any():
            self._bind(lesson, items[fleets == PENDING])
            fleets = self._places.fleets[lesson.slots[items]]
        lesson.river += items[fleets == RIVER].tolist()
        numbers = np.unique(fleets[fleets >= 0]).tolist()
        self._learn_fleets(lesson, {number: items[fleets == number] for number in numbers})
        self._learn_river(lesson)

    def predict(self, slots: Sequence[int], questions: Sequence[Question]) -> list[Answer]:
        """See `Engine.predict`."""
        asked = zip(slots, questions, strict=True)
        return [self._answering.one(*each, self._flavor) for each in asked]

    def predict_many(
        self,
        slots: NDArray[Any],
        days: NDArray[Any],
        columns: Mapping[str, Any],
        names: Sequence[str] = (),
    ) -> NDArray[np.float64]:
        """See `Engine.predict_many`. Asks slots[i] about days[i] and line i of the columns."""
        at = np.asarray(slots, np.int64)
        return self._answering.many(at, days, columns, names, self._flavor)

    def _learn_fleets(self, lesson: Lesson, places: Mapping[int, NDArray[np.int64]]) -> None:
        """Has each fleet learn the items that are for its rows, and others what it cannot."""
        fits = {number: self._fits(number, lesson, items) for number, items in places.items()}
        kept = {number: items[fits[number]] for number, items in places.items()}
        runs = [self._run(number, lesson, items) for number, items in kept.items()]
        do_all(runs, self._fleets.crew)
        wider: dict[int, list[int]] = {}
        for (number, items), run in zip(kept.items(), runs, strict=True):
            left = places[number][~fits[number]].tolist() + self._take(lesson, items, run)
            self._learn_elsewhere(number, lesson, sorted(left), wider)
        if wider:
            self._learn_fleets(lesson, {n: np.array(rest) for n, rest in wider.items()})

    def _fits(self, number: int, lesson: Lesson, items: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these items a fleet can take."""
        lines = lesson.rows[items]
        fits = lesson.feed.acceptable(self._fleets[number], lines)
        fits &= np.isfinite(lesson.feed.targets[lines])
        if not fits.all():
            # A candidate's rows stay in order: what comes after a misfit goes to River with it.
            slots = lesson.slots[items]
            misfits, first = np.unique(slots[~fits], return_index=True)
            begin = dict(zip(misfits.tolist(), np.flatnonzero(~fits)[first].tolist(), strict=True))
            for item, slot in enumerate(slots.tolist()):
                fits[item] = item < begin.get(slot, len(slots))
        return fits

    def _run(self, number: int, lesson: Lesson, items: NDArray[np.int64]) -> Run:
        fleet, lines = self._fleets[number], lesson.rows[items]
        rows = self._places.rows[lesson.slots[items]]
        days, targets = lesson.feed.days[lines], lesson.feed.targets[lines]
        table = lesson.feed.table(fleet, lines)
        return Run(fleet, rows, days, targets, table, predict=lesson.predict)

    def _take(self, lesson: Lesson, items: NDArray[np.int64], run: Run) -> list[int]:
        """Takes over what a run made of these items; returns those that it has not learned."""
        lesson.values[items] = run.values
        left = []
        for at in np.flatnonzero(run.status).tolist():
            status, item = int(run.status[at]), int(items[at])
            if status in RAISES:
                lesson.raised(item, RAISES[status])
            else:
                left.append(item)
        return left

    def _learn_elsewhere(
        self,
        number: int,
        lesson: Lesson,
        items: Sequence[int],
        wider: dict[int, list[int]],
    ) -> None:
        """Moves candidates that a kernel was unsure of; their rows go to River or to `wider`."""
        for item in items:
            slot = int(lesson.slots[item])
            if self._places.fleets[slot] == number:
                self._move(slot, int(lesson.rows[item]), lesson)
            fleet = int(self._places.fleets[slot])
            (lesson.river if fleet == RIVER else wider.setdefault(fleet, [])).append(item)

    def _learn_river(self, lesson: Lesson) -> None:
        items = sorted(lesson.river)
        if items:
            slots, rows = self._places.rows[lesson.slots[items]], lesson.rows[items]
            outcomes = self._river.learn(slots, rows, lesson.batch, predict=lesson.predict)
            lesson.answered(items, outcomes)

    def _bind(self, lesson: Lesson, items: NDArray[np.int64]) -> None:
        """Lowers candidates that have waited for their first row."""
        for item in items.tolist():
            slot = int(lesson.slots[item])
            fleet, number = self._places.of(slot)
            if fleet == PENDING:  # else bound by an earlier row
                context = self._lowering.waiting[number].context
                inputs = lesson.feed.of(int(lesson.rows[item])).inputs(context)
                self._newcomers.bind(slot, inputs, self._flavor)

    def _move(self, slot: int, line: int, lesson: Lesson) -> None:
        """To a fleet with more room where there is one, else to River for good."""
        number, row = self._places.of(slot)
        fleet = self._fleets[number]
        estimator = fleet.lift(row)
        fleet.drop(row)
        place = elsewhere(self._lowering, estimator, fleet, float(lesson.feed.targets[line]))
        if isinstance(place, str):
            self._places.put(slot, RIVER, self._adopt(estimator, fleet.context), place)
        else:
            self._places.put(slot, *place)

    def _adopt(self, estimator: Any, context: tuple[Context, ...]) -> int:
        return self._river.adopt(estimator, self._flavor, context)
