"""Which rows of a batch may be learned: every check that comes before the event log.

Rows are admitted a slice at a time, before any of the slice is applied, so an admission also
remembers what the rows before have claimed: ids, days and kinds of labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from thalweg_server.core.errors import BadDate, BadRequest, Refusal, UnknownPrediction
from thalweg_server.core.ledger import Done, Ledger, Pending
from thalweg_server.core.limits import Limits
from thalweg_server.core.model import Candidate
from thalweg_server.core.observation import (
    NO_DAY,
    Batch,
    Context,
    Feature,
    Flavor,
    Question,
    Target,
    day_text,
)
from thalweg_server.core.registry import Registry, unknown
from thalweg_server.core.validation import check_id, check_name, check_target, same_question, shown

_REGRESSION, _MULTICLASS, _DATE = Flavor.REGRESSION, Flavor.MULTICLASS, Context.DATE


class Duplicate(Exception):
    """A row that was learned before."""

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.model = model


@dataclass(slots=True)
class Admission:
    """Admits the rows of one slice, in order.

    Args:
        registry: models and templates.
        ledger: ids seen before.
        flavor: what the server's models predict.
        limits: bounds on values.
        skip_learned_dates: whether a row dated on or before its model's last day is a duplicate.
    """

    registry: Registry
    ledger: Ledger
    flavor: Flavor
    limits: Limits
    skip_learned_dates: bool = False
    _requests: dict[str, str] = field(default_factory=dict)
    _predictions: dict[str, str] = field(default_factory=dict)
    _through: dict[str, int] = field(default_factory=dict)
    _kinds: dict[str, type] = field(default_factory=dict)
    _known: dict[str, Sequence[Candidate]] = field(default_factory=dict)

    def admit(self, batch: Batch, row: int) -> Target:
        """The row's target as it is to be learned; raises Refusal or Duplicate."""
        request_id = batch.request_ids.get(row, "")
        prediction_id = batch.prediction_ids.get(row, "")
        self._check_request(request_id)
        asked = self._predicted(batch, row, prediction_id) if prediction_id else None
        if row in batch.refused:
            raise batch.refused[row]
        name = asked.model if asked else batch.name(row)
        day = asked.day if asked else batch.day(row)
        candidates = self.candidates(name)
        if not asked:
            self._check_context(batch, row, candidates)
        target = self._check_target(batch, row, name, candidates)
        self._check_date(day, name)
        self._claim(name, day, request_id, prediction_id)
        return target

    def _check_request(self, request_id: str) -> None:
        if not request_id:
            return
        check_id(request_id, self.limits, field="request_id")
        done = self.ledger.request(request_id)
        if done is not None or request_id in self._requests:
            raise Duplicate(done.model if done else self._requests[request_id])

    def _predicted(self, batch: Batch, row: int, prediction_id: str) -> Question:
        entry = self.ledger.prediction(prediction_id)
        if isinstance(entry, Done):
            raise Duplicate(entry.model)
        if prediction_id in self._predictions:
            raise Duplicate(self._predictions[prediction_id])
        if entry is None:
            raise UnknownPrediction(
                f"no prediction is stored under prediction_id {shown(prediction_id)}: it was never "
                "made, or is older than 30 days",
                field="prediction_id",
            )
        _same(batch, row, entry)
        return entry.question

    def candidates(self, name: str) -> Sequence[Candidate]:
        """Those that would learn under a name; raises BadName, UnknownModel."""
        candidates = self._known.get(name)
        if candidates is None:
            model = self.registry.models.get(name)
            if model is None:
                check_name(name, self.limits)
            candidates = model.candidates if model else self.registry.sources(name)
            if not candidates:
                raise unknown(name)
            self._known[name] = candidates
        return candidates

    def _check_context(self, batch: Batch, row: int, candidates: Sequence[Candidate]) -> None:
        if batch.day(row) != NO_DAY:
            return
        if any(_DATE in c.context for c in candidates):
            features = batch.features(row)
            if not isinstance(features, str) and _DATE.value not in features:
                raise missing_date(batch.name(row))

    def _check_date(self, day: int, name: str) -> None:
        if not self.skip_learned_dates:
            return
        if day == NO_DAY:
            raise undated()
        model = self.registry.models.get(name)
        through = self._through.get(name, model.learned_through if model else NO_DAY)
        if day <= through:
            raise Duplicate(name)

    def _check_target(
        self, batch: Batch, row: int, name: str, candidates: Sequence[Candidate]
    ) -> Target:
        if self.flavor is _REGRESSION:
            return batch.target(row)  # checked with the batch
        kind = None
        several = self.flavor is _MULTICLASS
        if several:
            kind = self._kinds.get(name) or self._kind(name, candidates)
        raw: Feature = batch.sent_target(row)
        target = check_target(raw, self.flavor, kind, self.limits)
        if several:
            self._kinds[name] = type(target)
        return target

    def _kind(self, name: str, candidates: Sequence[Candidate]) -> type | None:
        model = self.registry.models.get(name)
        if model is not None:
            return model.label_kind
        return next((kind for c in candidates for kind in c.loaded.classes), None)

    def _claim(self, name: str, day: int, request_id: str, prediction_id: str) -> None:
        if request_id:
            self._requests[request_id] = name
        if prediction_id:
            self._predictions[prediction_id] = name
        if self.skip_learned_dates:
            self._through[name] = day


def undated() -> Refusal:
    """The error for a row without a date that needs one."""
    return BadDate("the row has no date: with skip_learned_dates every row needs one", field="date")


def missing_date(model: str) -> Refusal:
    """The error for a model that wants to see the date, asked without one."""
    return BadRequest(
        f"a candidate of {shown(model)} was uploaded with the context field DATE, and neither date "
        'nor features["date"] is given',
        field="date",
    )


def _same(batch: Batch, row: int, pending: Pending) -> None:
    question = pending.question
    same_question(
        {
            "model": batch.name(row),
            "date": day_text(batch.day(row)),
            "features": batch.features(row),
        },
        {
            "model": question.model,
            "date": day_text(question.day),
            "features": question.features,
        },
    )
