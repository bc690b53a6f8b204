"""Progressive validation: every candidate predicts, is scored, then learns."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter

from thalweg_server.core.admission import Admission, Duplicate
from thalweg_server.core.errors import EstimatorFailed, Refusal
from thalweg_server.core.events import Learned
from thalweg_server.core.ledger import Done, Ledger, Pending
from thalweg_server.core.model import Judge, Model, best_answer
from thalweg_server.core.observation import Batch, Flavor, Target
from thalweg_server.core.ports import Answer, Engine, Outcomes
from thalweg_server.core.registry import Registry
from thalweg_server.core.totals import Totals

_MULTICLASS = Flavor.MULTICLASS


@dataclass(slots=True)
class Lesson:
    """What became of one row. Not frozen because one is made per row.

    Args:
        row: its position in the batch.
        model: who learned it.
        order: positions of the candidates, the champion first, as they stood before.
        answers: what each candidate answered before it learned, and what it raised.
        failed: whether every candidate raised.
    """

    row: int
    model: Model
    order: Sequence[int]
    answers: Sequence[Answer]
    failed: bool = field(init=False)

    def __post_init__(self) -> None:
        self.failed = "" not in [answer.error for answer in self.answers]

    @property
    def candidates(self) -> list[str]:
        """Names of the candidates that answered."""
        return [candidate.name for candidate in self.model.candidates]

    @property
    def champion(self) -> Answer:
        """The answer that a caller would have got."""
        return self.answers[best_answer(self.order, self.answers)]

    def failure(self) -> EstimatorFailed:
        """The error where every candidate raised."""
        errors = "; ".join(
            f"{name}: {answer.error}"
            for name, answer in zip(self.candidates, self.answers, strict=True)
        )
        return EstimatorFailed(
            f"every candidate of {self.model.name!r} raised, and the observation is used up: "
            f"{errors}",
            consumed="true",
        )


@dataclass(slots=True)
class Learner:
    """Applies `Learned` events: the same events in the same order give the same models."""

    engine: Engine
    registry: Registry
    ledger: Ledger
    judge: Judge
    totals: Totals

    def apply(self, event: Learned) -> Iterator[Lesson | tuple[int, Refusal]]:
        """Learns the event's rows in order; a row whose model cannot be made is a Refusal."""
        run: list[tuple[int, Model]] = []
        for each in event.rows:
            row = int(each)
            if row in event.batch.prediction_ids:
                yield from self._learn_run(event.batch, run)
                run = []
                yield from self._learn_predicted(event, row)
                continue
            name = event.batch.name(row)
            try:
                run.append((row, self.registry.obtain(name)))
            except Refusal as refusal:
                yield row, refusal
                continue
            if request_id := event.batch.request_ids.get(row):
                self.ledger.record(request_id, Done(name, event.at))
        yield from self._learn_run(event.batch, run)

    def _learn_run(self, batch: Batch, run: Sequence[tuple[int, Model]]) -> Iterator[Lesson]:
        slots = [c.slot for _, model in run for c in model.candidates]
        rows = [row for row, model in run for _ in model.candidates]
        outcomes = self.engine.learn(slots, rows, batch)
        item = 0
        for row, model in run:
            first, item = item, item + len(model.candidates)
            lesson = Lesson(row, model, model.order, outcomes.between(first, item))
            _count_learned(model, outcomes, first)
            yield self._absorb(lesson, batch.target(row), batch.day(row))

    def _learn_predicted(self, event: Learned, row: int) -> Iterator[Lesson | tuple[int, Refusal]]:
        prediction_id = event.batch.prediction_ids[row]
        pending = self.ledger.prediction(prediction_id)
        assert isinstance(pending, Pending)  # admission saw to it
        question = pending.question
        try:
            model = self.registry.obtain(question.model)
        except Refusal as refusal:
            yield row, refusal
            return
        self.ledger.settle(prediction_id, Done(question.model, event.at))
        if request_id := event.batch.request_ids.get(row):
            self.ledger.record(request_id, Done(question.model, event.at))
        asked = event.batch.reworded(row, question)
        slots = [candidate.slot for candidate in model.candidates]
        outcomes = self.engine.learn(slots, [0] * len(slots), asked, predict=False)
        _count_learned(model, outcomes, 0)
        answers, unscored = [], set()
        for position, raised in enumerate(outcomes.between(0, len(slots))):
            stored = pending.answers.get(model.candidates[position].uploaded)
            if stored is None:  # added since: it learns, and there is nothing to score
                unscored.add(position)
                stored = raised
            answers.append(replace(stored, error=raised.error) if raised.error else stored)
        lesson = Lesson(row, model, model.order, answers)
        yield self._absorb(lesson, asked.target(0), question.day, unscored)

    def _absorb(
        self, lesson: Lesson, target: Target, day: int, unscored: Container[int] = ()
    ) -> Lesson:
        model, judge, totals = lesson.model, self.judge, self.totals
        for position, answer in enumerate(lesson.answers):
            if position not in unscored:
                candidate = model.candidates[position]
                error = judge.add(candidate.row, target, answer)
                totals.add_prediction(candidate.name, answer, error)
        if model.label_kind is None and judge.flavor is _MULTICLASS:
            model.label_kind = type(target)
        model.learned_through = max(model.learned_through, day)
        model.learned += not lesson.failed
        judge.reselect(model)
        return lesson


def _count_learned(model: Model, outcomes: Outcomes, first: int) -> None:
    unlearned = outcomes.unlearned
    for item, candidate in enumerate(model.candidates, first):
        if item not in unlearned:
            candidate.learned += 1


@dataclass(slots=True)
class Report:
    """What became of a batch so far."""

    learned: int = 0
    duplicates: int = 0
    error_count: int = 0
    errors: list[tuple[int, Refusal]] = field(default_factory=list)
    lessons: list[Lesson] = field(default_factory=list)
    duplicate_of: str = ""


@dataclass(slots=True, kw_only=True)
class BatchJob:
    """One batch on its way through admission, log and models, a slice at a time.

    Args:
        batch: the rows.
        admission: makes an admission for the next slice.
        commit: logs and applies the slice's event; the last slice carries the stream's sequence.
        clock: monotonic seconds.
        slice_seconds: about how long a slice may take.
        errors_listed_max: row errors kept one by one.
        keep_lessons: whether `report.lessons` is wanted; without it memory stays small.
    """

    batch: Batch
    admission: Callable[[], Admission]
    commit: Callable[[Batch, Sequence[int], bool], Iterator[Lesson | tuple[int, Refusal]]]
    clock: Callable[[], float]
    slice_seconds: float
    errors_listed_max: int
    totals: Totals
    keep_lessons: bool = False
    report: Report = field(default_factory=Report)
    done: bool = False
    _faults: list[tuple[int, Refusal]] = field(default_factory=list)
    _next: int = 0
    _rows_per_slice: int = 8

    def step(self) -> bool:
        """Learns the next slice; returns whether the batch is done."""
        start = self.clock()
        stop = min(self._next + self._rows_per_slice, len(self.batch))
        rows = self._admit(range(self._next, stop))
        last = stop == len(self.batch)
        for lesson in self.commit(self.batch, rows, last):
            self._note(lesson)
        self._list_faults()
        self._next, self.done = stop, last
        self._adapt(self.clock() - start)
        return self.done

    def _admit(self, rows: range) -> list[int]:
        admission = self.admission()
        admitted = []
        for row in rows:
            try:
                target = admission.admit(self.batch, row)
            except Duplicate as duplicate:
                self.report.duplicates += 1
                self.report.duplicate_of = duplicate.model
                self.totals.rows["duplicate"] += 1
            except Refusal as refusal:
                self._refuse(row, refusal, "rejected")
            else:
                if isinstance(self.batch.targets, list):
                    self.batch.targets[row] = target
                admitted.append(row)
        return admitted

    def _note(self, lesson: Lesson | tuple[int, Refusal]) -> None:
        if isinstance(lesson, tuple):
            self._refuse(*lesson, "failed")
            return
        if lesson.failed:
            self._refuse(lesson.row, lesson.failure(), "failed")
        else:
            self.report.learned += 1
            self.totals.rows["learned"] += 1
        if self.keep_lessons:
            self.report.lessons.append(lesson)

    def _refuse(self, row: int, refusal: Refusal, outcome: str) -> None:
        self.report.error_count += 1
        self.totals.rows[outcome] += 1
        self._faults.append((row, refusal))

    def _list_faults(self) -> None:
        # What admission refused comes before what failed to learn: back into the rows' order.
        room = self.errors_listed_max - len(self.report.errors)
        self.report.errors += sorted(self._faults, key=itemgetter(0))[:room]
        self._faults = []

    def _adapt(self, seconds: float) -> None:
        # At most twice as many rows as last time, so that one cheap slice cannot make the next
        # one long.
        wanted = self._rows_per_slice * self.slice_seconds / max(seconds, 1e-6)
        self._rows_per_slice = max(1, min(int(wanted), 2 * self._rows_per_slice))
