"""The service: validate, log, apply. One thread calls it, one call at a time.

Every method either does all of what it says or raises a `Refusal` and changes nothing; the one
exception is an observation that every candidate raised on, which is used up and says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from thalweg_server.core.admission import Admission
from thalweg_server.core.classification import Classification
from thalweg_server.core.columns import numeric
from thalweg_server.core.errors import (
    BadRequest,
    FlavorConflict,
    NotInitialised,
    PredictionUsed,
)
from thalweg_server.core.events import Deleted, Event, Initialised, Learned, Predicted, Uploaded
from thalweg_server.core.intake import Intake
from thalweg_server.core.job import BatchJob
from thalweg_server.core.learning import Learner, Rows, School, Taught
from thalweg_server.core.ledger import Done, Ledger, Pending
from thalweg_server.core.limits import Limits
from thalweg_server.core.listing import Catalogue, ModelView
from thalweg_server.core.model import Judge, Model
from thalweg_server.core.observation import Batch, Flavor, Question
from thalweg_server.core.pace import Pace, Tempo
from thalweg_server.core.ports import Engine, Store
from thalweg_server.core.predicting import Oracle, Reply
from thalweg_server.core.registry import Registry
from thalweg_server.core.regression import Regression
from thalweg_server.core.roster import Roster
from thalweg_server.core.scores import Scoreboard
from thalweg_server.core.streams import Stream, Streams
from thalweg_server.core.surveying import Surveyor
from thalweg_server.core.tally import Tally, tally
from thalweg_server.core.totals import Totals
from thalweg_server.core.validation import check_id, shown

Listener = Callable[[set[str]], None]
"""Told the names of models that changed, came or went. Called by the service's thread."""


class Service:
    """Models that learn, behind plain Python values.

    Args:
        engine: runs candidates.
        store: the event log.
        limits: bounds on everything.
        clock: monotonic seconds, for slicing.
        champion_metric: what regression's champions are chosen by, "mae" or "rmse".
        tally: `core.tally.tally`, or what a compiler has made of it.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        store: Store,
        limits: Limits,
        clock: Callable[[], float],
        champion_metric: str = "mae",
        tally: Tally = tally,
    ) -> None:
        self.limits = limits
        self.totals = Totals()
        self.listeners: tuple[Listener, ...] = ()
        self.board = Scoreboard()
        self.judge = Judge(Flavor.REGRESSION, self.board, champion_metric)
        self.registry = Registry(engine, Roster(self.board, self.totals), self.judge, limits)
        self.ledger = Ledger(limits)
        self.streams = Streams(limits)
        self.catalogue = Catalogue(self.registry, engine, self.judge, self.board)
        self.oracle = Oracle(self.registry, engine, limits)
        self.surveyor = Surveyor(self.registry, engine)
        self.store = store
        self.flavor: Flavor | None = None
        self._numbers = Regression(engine, self.registry, self.judge, self.totals, tally)
        self._labels = Classification(engine, self.registry, self.judge, self.totals)
        self._intake = Intake(self.registry, engine, limits)
        self._engine = engine
        self._tempo = Tempo(clock, limits.slice_seconds, limits.slice_seconds_between_calls)

    # --- Init ---------------------------------------------------------------------------------

    def init(self, flavor: Flavor | None, *, reset: bool) -> Flavor | None:
        """Sets the flavor, or reports it for None; raises FlavorConflict."""
        if flavor is None or (flavor is self.flavor and not reset):
            return self.flavor
        if (self.registry.models or self.registry.templates) and not reset:
            assert self.flavor is not None
            raise FlavorConflict(
                f"the server holds {len(self.registry.models)} models and "
                f"{len(self.registry.templates)} templates of flavor {self.flavor.value}: send "
                "reset to remove them, or start another server",
                field="flavor",
            )
        self._log(Initialised(flavor, reset))
        gone = set(self.registry.models)
        self.streams.clear()
        self.ledger.clear()
        self.registry.clear()
        self.flavor = self.judge.flavor = flavor
        self._tell(gone)
        return flavor

    def ready(self) -> Flavor:
        """The flavor in force; raises NotInitialised."""
        if self.flavor is None:
            raise NotInitialised("no flavor yet: call Init first, or start with --flavor")
        return self.flavor

    # --- Models -------------------------------------------------------------------------------

    def upload(self, event: Uploaded, sha256: bytes | None) -> ModelView:
        """Adds a candidate; raises what UploadModel's comment in the contract lists."""
        loaded = self._intake.load(event, sha256, self.ready())
        try:
            self._intake.check(event, loaded)
            self._log(event)
        except BaseException:
            self._engine.drop([loaded.slot])
            raise
        self._tell(self._intake.apply(event, loaded))
        model = self.registry.get(event.model, template=event.template)
        return self.catalogue.view(model, template=event.template, measure=True)

    def delete(self, name: str, candidate: str, *, template: bool) -> None:
        """Removes a candidate or all; raises UnknownModel, UnknownCandidate."""
        self.ready()
        model = self.registry.get(name, template=template)
        if candidate:
            self.registry.candidate(model, candidate)
        self._log(Deleted(name, candidate, template))
        gone = self.registry.remove(name, candidate, template=template)
        if not template:
            if gone:
                self.ledger.forget_model(name)
            self._tell({name})

    def download(self, name: str, candidate: str, *, template: bool) -> bytes:
        """One candidate as dill bytes; raises UnknownModel, UnknownCandidate, EstimatorFailed."""
        self.ready()
        found = self.registry.candidate(self.registry.get(name, template=template), candidate)
        return self._engine.dump(found.slot)

    # --- Predict ------------------------------------------------------------------------------

    def predict(
        self,
        question: Question,
        *,
        candidate: str = "",
        everyone: bool = False,
        days: int = 1,
        prediction_id: str = "",
        at: float = 0.0,
    ) -> Reply:
        """Answers one question; with a `prediction_id` stores every candidate's answer."""
        flavor = self.ready()
        self._tempo.call()
        self.oracle.check_horizon(question, days, flavor)
        if days > 1 and prediction_id:
            raise BadRequest("a horizon above 1 goes with no prediction_id", field="horizon")
        if not prediction_id:
            return self.oracle.ask(question, candidate=candidate, everyone=everyone, days=days)
        check_id(prediction_id, self.limits, field="prediction_id")
        if isinstance(self.ledger.prediction(prediction_id), Done):
            raise PredictionUsed(
                f"prediction_id {shown(prediction_id)} was learned from: choose a new one",
                field="prediction_id",
            )
        reply = self.oracle.ask(question, candidate=candidate, everyone=True)
        self._log(Predicted(prediction_id, question, at))
        answers = {c.uploaded: a for c, a in zip(reply.asked, reply.answers, strict=True)}
        self.ledger.expect(prediction_id, Pending(question, answers, at))
        return reply

    # --- Learn --------------------------------------------------------------------------------

    def prepared(self, batch: Batch) -> Batch:
        """The batch with targets as this flavor wants them. Any thread; twice does nothing more."""
        if self.ready() is Flavor.REGRESSION:
            return numeric(batch, self.limits)
        if isinstance(batch.targets, np.ndarray):
            return replace(batch, targets=batch.targets.tolist())
        return batch

    def learning(
        self,
        batch: Batch,
        *,
        at: float,
        stream: Stream | None = None,
        sequence: int = 0,
        skip_learned_dates: bool = False,
        detailed: bool = False,
        predictions: bool = False,
    ) -> BatchJob:
        """A job that learns the batch slice by slice; the last one advances the stream.

        Its report has a lesson for every row where `detailed` is asked for, and what callers
        would have got where `predictions` are.
        """
        batch = self.prepared(batch)
        if detailed:  # somebody waits for this one row
            self._tempo.call()

        def commit(batch: Batch, rows: Rows, last: bool) -> Taught:
            if stream is not None:
                stream.check()
            if not len(rows) and not (last and stream):
                return Taught()
            event = Learned(
                batch=batch,
                rows=rows,
                at=at,
                stream_id=stream.stream_id if stream else "",
                sequence=sequence if last else 0,
            )
            return self._learn(event, stream, detailed=detailed)

        return BatchJob(
            batch=batch,
            admission=lambda: Admission(
                self.registry, self.ledger, self.ready(), self.limits, skip_learned_dates
            ),
            commit=commit,
            pace=self.pace(),
            errors_listed_max=self.limits.errors_listed_max,
            totals=self.totals,
            predictions=predictions,
        )

    def _learn(self, event: Learned, stream: Stream | None, *, detailed: bool) -> Taught:
        self._log(event)
        school: School = self._numbers if self.flavor is Flavor.REGRESSION else self._labels
        learner = Learner(self.registry, self.ledger, school)
        taught = learner.apply(event, detailed=detailed)
        if self.listeners:
            pairs = taught.changed
            self._tell({names[i] for names, index in pairs for i in set(index.tolist())})
        if stream is not None and event.sequence:
            self.streams.advance(stream, event.sequence, event.at)
        return taught

    # --- Reading ------------------------------------------------------------------------------

    def model(self, name: str) -> Model | None:
        """The model of that name, if there is one."""
        return self.registry.models.get(name)

    def view(self, name: str, *, template: bool = False) -> ModelView:
        """One model or template, described; raises UnknownModel."""
        self.ready()
        model = self.registry.get(name, template=template)
        return self.catalogue.view(model, template=template, measure=True)

    def pace(self) -> Pace:
        """Sizes slices of long work, so that calls get their turn."""
        return Pace(self._tempo)

    def _log(self, event: Event) -> None:
        self.store.append(event)

    def _tell(self, names: set[str]) -> None:
        if names:
            for listener in self.listeners:
                listener(names)
