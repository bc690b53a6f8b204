"""The engine that lowers what it can to fleets and leaves the rest to River."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dill
import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.errors import EstimatorFailed
from thalweg_server.core.observation import Batch, Context, Flavor, Question
from thalweg_server.core.ports import Answer, Loaded, Outcomes
from thalweg_server.engines.compiled import feed
from thalweg_server.engines.compiled.errors import SchemaNeeded, Unlowerable
from thalweg_server.engines.compiled.feed import Feed
from thalweg_server.engines.compiled.fleet import Fleets
from thalweg_server.engines.compiled.lesson import Lesson
from thalweg_server.engines.compiled.lowering import Lowering, reason_of
from thalweg_server.engines.compiled.places import PENDING, RIVER, Places
from thalweg_server.engines.compiled.steps.base import Inputs, fits_narrow
from thalweg_server.engines.compiled.template import DATELESS, DONE, RAISED
from thalweg_server.engines.river import RiverEngine, size_of

RAISES = {
    DATELESS: "ValueError: Invalid isoformat string: ''",
    RAISED + 1: "OverflowError: (34, 'Numerical result out of range')",
}
"""What River raises where a kernel stops."""


class CompiledEngine:
    """Runs candidates in fleets where it knows their steps, else in a river engine. See `Engine`.

    Every number is River's: what a kernel cannot reproduce exactly moves a candidate to the
    river engine, for good, before anything of it has changed. Slots stay valid when it does.
    """

    name = "compiled"

    def __init__(self, fallback: RiverEngine, fleets: Fleets | None = None) -> None:
        self._river = fallback
        self._fleets = fleets or Fleets()
        self._lowering = Lowering(self._fleets)
        self._places = Places()
        self._flavor = Flavor.REGRESSION

    def __len__(self) -> int:
        return len(self._places)

    def load(self, payload: bytes, flavor: Flavor, context: Sequence[Context]) -> Loaded:
        """See `Engine.load`."""
        loaded = self._river.load(payload, flavor, context)
        self._flavor = flavor
        estimator = self._river.estimator(loaded.slot)
        place, reason = (RIVER, loaded.slot), ""
        try:
            if flavor is not Flavor.REGRESSION:
                raise Unlowerable("only regression is compiled")
            place = self._lowering.lower(estimator, Inputs(raw=True), tuple(context))
        except SchemaNeeded:
            self._lowering.wait(loaded.slot, estimator, tuple(context))
            place = (PENDING, loaded.slot)
        except Exception as error:
            reason = reason_of(error)
        if place[0] != RIVER:
            self._river.drop([loaded.slot])
        slot = self._places.hold(*place, reason)
        return Loaded(slot=slot, estimator=loaded.estimator, classes=loaded.classes)

    def clone(self, slot: int) -> int:
        """See `Engine.clone`."""
        fleet, row = self._places.of(slot)
        if fleet >= 0:
            return self._places.hold(fleet, self._fleets[fleet].clone(row))
        if fleet == PENDING:
            self._lowering.waiting[row].waiting += 1
            return self._places.hold(fleet, row)
        return self._places.hold(RIVER, self._river.clone(row), self._places.reasons[slot])

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
            self._places.forget(slot)

    def placement(self, slot: int) -> tuple[str, str]:
        """Which engine runs it, and why it is not this one."""
        if self._places.fleets[slot] >= 0:
            return "compiled", ""
        if self._places.fleets[slot] == PENDING:
            return "river", "it is compiled once its first row tells its features"
        return "river", self._places.reasons[slot]

    def state_bytes(self, slot: int) -> int:
        """See `Engine.state_bytes`."""
        fleet, row = self._places.of(slot)
        if fleet >= 0:
            return self._fleets[fleet].row_bytes
        if fleet == RIVER:
            return self._river.state_bytes(row)
        return size_of(self._lowering.waiting[row].estimator)

    def estimator(self, slot: int) -> Any:
        """The live estimator where River runs it, else a new one with its state."""
        fleet, row = self._places.of(slot)
        return self._river.estimator(row) if fleet == RIVER else self._lifted(fleet, row)

    def dump(self, slot: int) -> bytes:
        """See `Engine.dump`."""
        fleet, row = self._places.of(slot)
        if fleet == RIVER:
            return self._river.dump(row)
        try:
            return bytes(dill.dumps(self._lifted(fleet, row), recurse=True))
        except Exception as error:
            raise EstimatorFailed(f"the estimator cannot be serialised: {error}") from error

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
        fleets = self._places.fleets[at]
        if (fleets == RIVER).all():
            return self._river.learn(self._places.rows[at], lines, batch, predict=predict)
        lesson = Lesson(feed.of_batch(batch), at, lines, predict)
        if (fleets == PENDING).any():
            self._bind(lesson, np.flatnonzero(fleets == PENDING))
            fleets = self._places.fleets[at]
        lesson.river += np.flatnonzero(fleets == RIVER).tolist()
        for number in np.unique(fleets[fleets >= 0]).tolist():
            self._learn_fleet(number, lesson, np.flatnonzero(fleets == number))
        self._learn_river(lesson, batch)
        return lesson.outcomes()

    def predict(self, slots: Sequence[int], questions: Sequence[Question]) -> list[Answer]:
        """See `Engine.predict`."""
        values = np.full(len(slots), np.nan)
        at = np.asarray(slots, np.int64)
        asked = feed.of_questions(questions)
        rest = self._predict_fleets(at, np.arange(len(slots)), asked, values)
        answers = [Answer(value=None if v != v else v) for v in values.tolist()]  # noqa: PLR0124
        for item in rest:
            answers[item] = self._ask_river(int(at[item]), questions[item])
        return answers

    def predict_many(
        self,
        slots: NDArray[Any],
        days: NDArray[Any],
        columns: Mapping[str, Any],
        names: Sequence[str] = (),
    ) -> NDArray[np.float64]:
        """Asks slots[i] about days[i] and line i of the columns; NaN: no usable answer.

        Never changes a candidate, wherever it runs. Some of those in the river engine want to
        know the `names` of their models.
        """
        at = np.asarray(slots, np.int64)
        values = np.full(len(at), np.nan)
        asked = feed.of_columns(days, columns)
        for item in self._predict_fleets(at, np.arange(len(at)), asked, values):
            question = feed.question(item, days, columns, names)
            answer = self._ask_river(int(at[item]), question)
            values[item] = answer.number
        return values

    def _predict_fleets(
        self,
        at: NDArray[np.int64],
        rows: NDArray[np.int64],
        asked: Feed,
        values: NDArray[np.float64],
    ) -> list[int]:
        """Fills in what kernels can answer; returns the items left for River."""
        fleets = self._places.fleets[at]
        left = [np.flatnonzero(fleets < 0)]
        for number in np.unique(fleets[fleets >= 0]).tolist():
            fleet, items = self._fleets[number], np.flatnonzero(fleets == number)
            fits = asked.acceptable(fleet, rows[items])
            left.append(items[~fits])
            items = items[fits]
            answers = fleet.run(
                self._places.rows[at[items]],
                asked.days[rows[items]],
                asked.targets[rows[items]],
                asked.table(fleet, rows[items]),
                predict=True,
                learn=False,
            )
            values[items] = answers.values
            left.append(items[answers.status != DONE])
        return [int(item) for item in np.sort(np.concatenate(left))]

    def _ask_river(self, slot: int, question: Question) -> Answer:
        fleet, row = self._places.of(slot)
        if fleet == RIVER:
            return self._river.predict([row], [question])[0]
        context = self._fleets[fleet].context if fleet >= 0 else self._lowering.waiting[row].context
        guest = self._adopt(self._lifted(fleet, row), context)
        try:
            return self._river.predict([guest], [question])[0]
        finally:
            self._river.drop([guest])

    def _learn_fleet(self, number: int, lesson: Lesson, items: NDArray[np.int64]) -> None:
        fleet = self._fleets[number]
        rows, lines = self._places.rows[lesson.slots[items]], lesson.rows[items]
        fits = lesson.feed.acceptable(fleet, lines)
        fits &= np.isfinite(lesson.feed.targets[lines])
        if not fits.all():
            # A candidate's rows stay in order: what comes after a misfit goes to River with it.
            misfits, first = np.unique(rows[~fits], return_index=True)
            begin = dict(zip(misfits.tolist(), np.flatnonzero(~fits)[first].tolist(), strict=True))
            for item, row in enumerate(rows.tolist()):
                fits[item] = item < begin.get(row, len(rows))
        keep = np.flatnonzero(fits)
        answers = fleet.run(
            rows[keep],
            lesson.feed.days[lines[keep]],
            lesson.feed.targets[lines[keep]],
            lesson.feed.table(fleet, lines[keep]),
            predict=lesson.predict,
            learn=True,
        )
        lesson.values[items[keep]] = answers.values
        for item in np.flatnonzero(answers.status).tolist():
            status = int(answers.status[item])
            if status in RAISES:
                lesson.raised(int(items[keep[item]]), RAISES[status])
            else:
                fits[keep[item]] = False
        self._learn_elsewhere(number, lesson, items[~fits])

    def _learn_elsewhere(self, number: int, lesson: Lesson, items: NDArray[np.int64]) -> None:
        """Moves candidates that a kernel was unsure of, and has their rows learned there."""
        wider: dict[int, list[int]] = {}
        for item in items.tolist():
            slot = int(lesson.slots[item])
            if self._places.fleets[slot] == number:
                self._move(slot, int(lesson.rows[item]), lesson)
            fleet = int(self._places.fleets[slot])
            (lesson.river if fleet == RIVER else wider.setdefault(fleet, [])).append(item)
        for fleet, rest in wider.items():
            self._learn_fleet(fleet, lesson, np.array(rest, np.int64))

    def _learn_river(self, lesson: Lesson, batch: Batch) -> None:
        items = sorted(lesson.river)
        if items:
            slots, rows = self._places.rows[lesson.slots[items]], lesson.rows[items]
            outcomes = self._river.learn(slots, rows, batch, predict=lesson.predict)
            lesson.answered(items, outcomes)

    def _bind(self, lesson: Lesson, items: NDArray[np.int64]) -> None:
        """Lowers candidates that have waited for their first row."""
        for item in items.tolist():
            slot = int(lesson.slots[item])
            fleet, number = self._places.of(slot)
            if fleet != PENDING:  # bound by an earlier row
                continue
            context = self._lowering.waiting[number].context
            inputs = lesson.feed.of(int(lesson.rows[item])).inputs(context)
            place = self._lowering.bind(number, inputs)
            if isinstance(place, str):
                river = self._adopt(self._lowering.estimator(number), context)
                self._places.put(slot, RIVER, river, place)
            else:
                self._places.put(slot, *place)
            self._lowering.release(number)

    def _lifted(self, fleet: int, row: int) -> Any:
        if fleet >= 0:
            return self._fleets[fleet].lift(row)
        return self._lowering.estimator(row)

    def _move(self, slot: int, line: int, lesson: Lesson) -> None:
        """To a fleet with wider numbers where there is one, else to River for good."""
        number, row = self._places.of(slot)
        fleet = self._fleets[number]
        estimator = fleet.lift(row)
        fleet.drop(row)
        target = lesson.feed.targets[line]
        if fleet.plan.narrow and np.isfinite(target) and not fits_narrow(target):
            self._places.put(slot, *self._lowering.widen(estimator, fleet))
            return
        reason = "a row had features or values that it does not compile"
        self._places.put(slot, RIVER, self._adopt(estimator, fleet.context), reason)

    def _adopt(self, estimator: Any, context: tuple[Context, ...]) -> int:
        return self._river.adopt(estimator, self._flavor, context)
