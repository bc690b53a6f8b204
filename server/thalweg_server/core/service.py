"""The service: validate, log, apply. One thread calls it, one call at a time.

Every method either does all of what it says or raises a `Refusal` and changes nothing; the one
exception is an observation that every candidate raised on, which is used up and says so. What
raises anything else has left the log and the models at odds: the server must not go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from thalweg_server.core.backlog import Backlog
from thalweg_server.core.classification import Classification
from thalweg_server.core.classroom import Classroom
from thalweg_server.core.errors import (
    BadRequest,
    FlavorConflict,
    NotInitialised,
    PredictionUsed,
)
from thalweg_server.core.events import (
    Deleted,
    Event,
    Initialised,
    Predicted,
    Started,
    Uploaded,
)
from thalweg_server.core.intake import Intake
from thalweg_server.core.learning import Taught
from thalweg_server.core.ledger import Done, Ledger, Pending
from thalweg_server.core.limits import Limits
from thalweg_server.core.listing import Catalogue, ModelView
from thalweg_server.core.model import Judge, Model
from thalweg_server.core.observation import Flavor, Question
from thalweg_server.core.pace import Pace, Tempo
from thalweg_server.core.ports import Engine, Loaded
from thalweg_server.core.predicting import Oracle, Reply
from thalweg_server.core.quarantine import Quarantine
from thalweg_server.core.registry import Registry
from thalweg_server.core.regression import Regression
from thalweg_server.core.roster import Roster
from thalweg_server.core.schooling import Schooling
from thalweg_server.core.scores import Scoreboard
from thalweg_server.core.storing import Store
from thalweg_server.core.streams import Streams
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
        totals: where rows are counted; by default in one group of models.
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
        totals: Totals | None = None,
    ) -> None:
        self.limits = limits = limits.copy()  # replay puts the past's in its place for a while
        self.totals = totals or Totals()
        self.listeners: tuple[Listener, ...] = ()
        self.board = Scoreboard()
        self.judge = Judge(Flavor.REGRESSION, self.board, champion_metric)
        self.registry = Registry(engine, Roster(self.board, self.totals), self.judge, limits)
        self.ledger = Ledger(limits)
        self.tempo = Tempo(clock, limits.slice_seconds, limits.slice_seconds_between_calls)
        self.streams = Streams(limits, self.tempo)
        self.backlog = Backlog(self.streams)
        self.catalogue = Catalogue(self.registry, engine, self.judge, self.board)
        self.oracle = Oracle(self.registry, engine, limits)
        self.surveyor = Surveyor(self.registry, engine)
        self.store = store
        self.flavor: Flavor | None = None
        self.classroom = Classroom(
            registry=self.registry,
            ledger=self.ledger,
            limits=limits,
            tempo=self.tempo,
            numbers=Regression(engine, self.registry, self.judge, self.totals, tally),
            labels=Classification(engine, self.registry, self.judge, self.totals),
            flavor=self.ready,
            changed=self._changed,
        )
        self.schooling = Schooling(self.classroom, self.backlog, self.totals, store, self._log)
        self.intake = Intake(self.registry, engine, limits)
        self.quarantine = Quarantine(engine, self.registry, self._log, self._tell)
        self.engine = engine

    def start(self, versions: Mapping[str, str]) -> None:
        """Logs what is in force from here on: replay admits under the same limits."""
        self._log(Started(self.limits.as_numbers(), versions))

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
        event = Initialised(flavor, reset)
        self._log(event)
        self.apply_init(event)
        return flavor

    def apply_init(self, event: Initialised) -> None:
        """What an Init does once it is logged."""
        gone = set(self.registry.models)
        self.streams.clear()
        self.ledger.clear()
        self.registry.clear()
        self.flavor = self.judge.flavor = event.flavor
        self._tell(gone)

    def ready(self) -> Flavor:
        """The flavor in force; raises NotInitialised."""
        if self.flavor is None:
            raise NotInitialised("no flavor yet: call Init first, or start with --flavor")
        return self.flavor

    # --- Models -------------------------------------------------------------------------------

    def upload(self, event: Uploaded, sha256: bytes | None) -> ModelView:
        """Adds a candidate; raises what UploadModel's comment in the contract lists."""
        [(_, outcome)] = self.upload_together([(event, sha256)])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def upload_together(
        self, uploads: Sequence[tuple[Uploaded, bytes | None]]
    ) -> Iterator[tuple[int, ModelView | Exception]]:
        """Adds candidates in order; those that do not depend on each other share a commit.

        Yields the position of each with what became of it. Has to be exhausted.
        """
        flavor = self.ready()
        waiting: dict[int, tuple[Uploaded, Loaded]] = {}
        for number, (event, sha256) in enumerate(uploads):
            if not self.intake.apart(event, [each for each, _ in waiting.values()], flavor):
                yield from self._uploaded(waiting)
                waiting = {}
            try:
                waiting[number] = event, self.intake.admitted(event, sha256, flavor)
            except Exception as error:
                yield number, error
        yield from self._uploaded(waiting)

    def _uploaded(
        self, waiting: Mapping[int, tuple[Uploaded, Loaded]]
    ) -> Iterator[tuple[int, ModelView]]:
        if not waiting:
            return
        try:
            self._log(*(event for event, _ in waiting.values()))
        except BaseException:
            self.engine.drop([loaded.slot for _, loaded in waiting.values()])
            raise
        for number, (event, loaded) in waiting.items():
            self.apply_upload(event, loaded)
            model = self.registry.get(event.model, template=event.template)
            yield number, self.catalogue.view(model, template=event.template, measure=True)

    def apply_upload(self, event: Uploaded, loaded: Loaded) -> None:
        """What an upload does once it is logged."""
        self._tell(self.intake.apply(event, loaded))

    def delete(self, name: str, candidate: str, *, template: bool) -> None:
        """Removes a candidate or all; raises UnknownModel, UnknownCandidate."""
        self.ready()
        model = self.registry.get(name, template=template)
        if candidate:
            self.registry.candidate(model, candidate)
        event = Deleted(name, candidate, template)
        self._log(event)
        self.apply_delete(event)

    def apply_delete(self, event: Deleted) -> None:
        """What a deletion does once it is logged."""
        gone = self.registry.remove(event.model, event.candidate, template=event.template)
        if not event.template:
            if gone:
                self.ledger.forget_model(event.model)
            self._tell({event.model})

    def download(self, name: str, candidate: str, *, template: bool) -> bytes:
        """One candidate as dill bytes; raises UnknownModel, UnknownCandidate, EstimatorFailed."""
        self.ready()
        found = self.registry.candidate(self.registry.get(name, template=template), candidate)
        return self.engine.dump(found.slot)

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
        self.tempo.call()
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
        event = Predicted(prediction_id, question, at)
        self._log(event)
        self.apply_predict(event, reply)
        return reply

    def apply_predict(self, event: Predicted, reply: Reply) -> None:
        """Stores what was answered once the question is logged."""
        answers = {c.uploaded: a for c, a in zip(reply.asked, reply.answers, strict=True)}
        self.ledger.expect(event.prediction_id, Pending(event.question, answers, event.at))

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
        return Pace(self.tempo)

    def _log(self, *events: Event) -> None:
        """Returns once the events are durable; they have to be applied then, at once."""
        self.backlog.event = self.store.append(events, self.backlog.progress)

    def _changed(self, taught: Taught) -> None:
        if self.listeners:
            pairs = taught.changed
            self._tell({names[i] for names, index in pairs for i in set(index.tolist())})

    def _tell(self, names: set[str]) -> None:
        if names:
            for listener in self.listeners:
                listener(names)
