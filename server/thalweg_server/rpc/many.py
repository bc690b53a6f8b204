"""PredictMany: a whole fleet's answers, a few milliseconds of models at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from thalweg.v1 import forecaster_pb2 as pb
from thalweg_server.core.columns import column_faults
from thalweg_server.core.errors import BadRequest, Refusal, UnknownModel
from thalweg_server.core.observation import Batch, Flavor, Question
from thalweg_server.core.service import Service
from thalweg_server.core.validation import parse_day
from thalweg_server.rpc import decode, encode
from thalweg_server.worker import Worker

ANSWERS_PER_SLICE = 64
"""Answers asked for in one go: a few milliseconds of the River engine."""

PART_BYTES = 512 * 1024
"""About the size of a response, half of what a message may have."""


@dataclass(slots=True)
class _Part:
    models: list[str] = field(default_factory=list)
    means: list[float] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    size: int = 0


async def predict_many(
    service: Service, worker: Worker, request: pb.PredictManyRequest
) -> AsyncIterator[pb.PredictManyResponse]:
    """One PredictMany call."""
    if request.models and request.glob:
        raise BadRequest("models and glob exclude each other: send one", field="glob")
    if service.ready() is Flavor.MULTICLASS:
        raise BadRequest("PredictMany answers numbers: multiclass models have none, use Predict")
    names = list(request.models) or await worker.slice(lambda: _names(service, request.glob))
    asking = _asking(service, request, names)
    dates = encode.date_days(asking.day, asking.days)
    part = _Part()
    step = max(1, ANSWERS_PER_SLICE // asking.days)
    for start in range(0, len(names), step):
        chunk = range(start, min(start + step, len(names)))
        await worker.slice(partial(asking.ask, chunk, part))
        if part.size >= PART_BYTES:
            yield _response(part, dates)
            part = _Part()
    if part.size or not names:
        yield _response(part, dates)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """One question per name, and how to ask it."""

    service: Service
    batch: Batch
    day: int
    days: int
    candidate: str

    def question(self, position: int) -> Question:
        """What the model at this position is asked."""
        return Question(self.batch.name(position), self.day, self.batch.features(position))

    def ask(self, chunk: range, part: _Part) -> None:
        """Asks some of the models; who cannot answer has NaN."""
        for position in chunk:
            question = self.question(position)
            try:
                reply = self.service.oracle.ask(question, candidate=self.candidate, days=self.days)
            except UnknownModel:
                part.unknown.append(question.model)
                part.size += len(question.model) + 4
                continue
            except BadRequest:
                raise
            except Refusal:
                means = [encode.NAN] * self.days
            else:
                means = [encode.number(answer) for answer in reply.forecast]
            part.models.append(question.model)
            part.means.extend(means)
            part.size += len(question.model) + 4 + 8 * self.days


def _names(service: Service, glob: str) -> list[str]:
    return sorted(model.name for model in service.registry.matching(glob))


def _asking(service: Service, request: pb.PredictManyRequest, names: Sequence[str]) -> _Asking:
    day, count = parse_day(request.date), len(names)
    if not request.models and any(
        len(c.numbers.values) + len(c.texts.values) > 1 for c in request.features.values()
    ):
        raise BadRequest(
            "a feature with one value per model goes with models only: with a glob give one value "
            "for all",
            field="features",
        )
    batch = Batch(
        names=names,
        index=np.arange(count, dtype=np.int32),
        days=np.full(count, day, np.int32),
        targets=np.zeros(count),
        columns=decode.feature_columns(request.features, count) if count else {},
    )
    faults = column_faults(
        names=count,
        index=batch.index,
        days=batch.days,
        targets=batch.targets,
        columns=batch.columns,
        limits=service.limits,
    )
    if faults:
        raise faults[min(faults)]
    asking = _Asking(
        service=service,
        batch=batch,
        day=day,
        days=max(1, request.horizon),
        candidate=request.candidate,
    )
    service.oracle.check_horizon(Question("", day), asking.days, service.ready())
    return asking


def _response(part: _Part, dates: Sequence[int]) -> pb.PredictManyResponse:
    return pb.PredictManyResponse(
        models=part.models, date_days=dates, means=part.means, unknown_models=part.unknown
    )
