"""PredictMany: a whole fleet's answers, a few milliseconds of models at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from thalweg.v1 import forecaster_pb2 as pb
from thalweg_server.core.columns import column_faults
from thalweg_server.core.errors import BadRequest
from thalweg_server.core.observation import Flavor, Question
from thalweg_server.core.service import Service
from thalweg_server.core.surveying import Findings, Survey
from thalweg_server.core.validation import check_feature_count, check_name, longer, parse_day
from thalweg_server.models_thread import ModelsThread
from thalweg_server.rpc import decode, encode

PART_BYTES = 512 * 1024
"""About the size of a response, half of what a message may have."""


@dataclass(slots=True)
class _Part:
    models: list[str] = field(default_factory=list)
    means: list[float] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    size: int = 0

    def add(self, findings: Findings, days: int) -> None:
        """Puts answers behind those that are there."""
        self.models += findings.names
        self.means += findings.means.ravel().tolist()
        self.unknown += findings.unknown
        names = sum(map(len, findings.names)) + sum(map(len, findings.unknown))
        count = len(findings.names) + len(findings.unknown)
        self.size += 4 * (names + count) + 8 * days * len(findings.names)


async def predict_many(
    service: Service, models_thread: ModelsThread, request: pb.PredictManyRequest
) -> AsyncIterator[pb.PredictManyResponse]:
    """One PredictMany call."""
    if request.models and request.glob:
        raise BadRequest("models and glob exclude each other: send one", field="glob")
    if service.ready() is Flavor.MULTICLASS:
        raise BadRequest("PredictMany answers numbers: multiclass models have none, use Predict")
    if max(map(len, request.models), default=0) * 4 > service.limits.name_bytes_max:
        for name in request.models:  # those that are unknown are sent back
            if longer(name, service.limits.name_bytes_max):
                check_name(name, service.limits, field="models")
    names = list(request.models) or await models_thread.slice(lambda: _names(service, request.glob))
    survey = _survey(service, request, names)
    dates = encode.date_days(survey.day, survey.days)
    part, pace = _Part(), service.pace()
    most = max(1, PART_BYTES // (2 * 8 * survey.days))

    def ask(start: int) -> tuple[Findings, int]:
        with pace.slice(min(most, len(names) - start)) as size:
            stop = start + size
            return service.surveyor.ask(survey, range(start, stop)), stop

    done = 0
    while done < len(names):
        findings, done = await models_thread.slice(partial(ask, done))
        part.add(findings, survey.days)
        if part.size >= PART_BYTES:
            yield _response(part, dates)
            part = _Part()
    if part.size or not names:
        yield _response(part, dates)


def _names(service: Service, glob: str) -> list[str]:
    return sorted(model.name for model in service.registry.matching(glob))


def _survey(service: Service, request: pb.PredictManyRequest, names: Sequence[str]) -> Survey:
    """The question, checked; raises BadRequest and others."""
    day, count = parse_day(request.date), len(names)
    if not request.models and any(
        len(c.numbers.values) + len(c.texts.values) > 1 for c in request.features.values()
    ):
        raise BadRequest(
            "a feature with one value per model goes with models only: with a glob give one value "
            "for all",
            field="features",
        )
    check_feature_count(len(request.features), service.limits)
    columns = decode.feature_columns(request.features, count) if count else {}
    faults = column_faults(
        names=count,
        index=np.arange(count, dtype=np.int32),
        days=np.full(1, day, np.int32),
        columns=columns,
        limits=service.limits,
    )
    if faults:
        raise faults[min(faults)]
    survey = Survey(
        names=names,
        day=day,
        days=max(1, request.horizon),
        columns=columns,
        candidate=request.candidate,
    )
    service.oracle.check_horizon(Question("", day), survey.days, service.ready())
    return survey


def _response(part: _Part, dates: Sequence[int]) -> pb.PredictManyResponse:
    return pb.PredictManyResponse(
        models=part.models, date_days=dates, means=part.means, unknown_models=part.unknown
    )
