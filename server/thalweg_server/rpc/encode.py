"""Domain values to messages."""

from __future__ import annotations

from collections.abc import Sequence

from thalweg.v1 import forecaster_pb2 as pb
from thalweg_server.core.errors import Refusal
from thalweg_server.core.job import Report
from thalweg_server.core.learning import Lesson
from thalweg_server.core.listing import CandidateView, ModelView
from thalweg_server.core.model import Judge, Model
from thalweg_server.core.observation import NO_DAY, Flavor, Target, day_text
from thalweg_server.core.ports import Answer
from thalweg_server.core.predicting import Reply
from thalweg_server.core.scores import Score
from thalweg_server.core.service import Service
from thalweg_server.core.together import Repeated, Told
from thalweg_server.status import message_of, reason_of

FLAVORS = {
    None: pb.FLAVOR_UNSPECIFIED,
    Flavor.REGRESSION: pb.FLAVOR_REGRESSION,
    Flavor.BINARY: pb.FLAVOR_BINARY,
    Flavor.MULTICLASS: pb.FLAVOR_MULTICLASS,
}


def prediction(answer: Answer) -> pb.Prediction | None:
    """An answer, None where it is not usable. A label without probabilities has probability 1."""
    if answer.value is not None:
        return pb.Prediction(value=answer.value)
    if answer.label is None:
        return None
    given = answer.probabilities
    if given is None:
        given = {answer.label: 1.0}
    by_class = {label_text(label): p for label, p in given.items()}
    return pb.Prediction(
        probabilities=pb.Probabilities(by_class=by_class), label=label_text(answer.label)
    )


def label_text(label: Target) -> str:
    """A class as text: "true" and "false" for flags."""
    return str(label).lower() if isinstance(label, bool) else str(label)


def candidate_predictions(
    names: Sequence[str], answers: Sequence[Answer], champion: str
) -> list[pb.CandidatePrediction]:
    """What each candidate answered."""
    return [
        pb.CandidatePrediction(
            candidate=name,
            prediction=prediction(answer),
            champion=name == champion,
            error=answer.error,
        )
        for name, answer in zip(names, answers, strict=True)
    ]


def predict_response(
    reply: Reply, *, name: str, everyone: bool, day: int, days: int
) -> pb.PredictResponse:
    """A reply to Predict."""
    response = pb.PredictResponse(
        model=name,
        candidate=reply.asked[reply.chosen].name,
        prediction=prediction(reply.answers[reply.chosen]),
        learned=reply.model.learned,
        learned_through=day_text(reply.model.learned_through),
    )
    if everyone:
        names = [c.name for c in reply.asked]
        response.candidates.extend(candidate_predictions(names, reply.answers, reply.champion))
    if days > 1:
        response.forecast.extend(
            pb.ForecastPoint(date=day_text(day + i), mean=answer.value)
            for i, answer in enumerate(reply.forecast)
        )
    return response


def score(name: str, value: Score, *, champion: bool) -> pb.Score:
    """A candidate's score."""
    return pb.Score(
        candidate=name,
        mae=value.mae,
        rmse=value.rmse,
        mae_recent=value.mae_recent,
        accuracy=value.accuracy,
        log_loss=value.log_loss,
        count=value.count,
        nonfinite=value.nonfinite,
        champion=champion,
    )


def scores(model: Model, judge: Judge) -> list[pb.Score]:
    """Scores of a model's candidates."""
    champion = model.champion
    return [score(c.name, judge.score(c), champion=c is champion) for c in model.candidates]


def told(outcome: Told, service: Service) -> pb.LearnResponse | Refusal:
    """What a caller of Learn gets, or what is raised to it."""
    if isinstance(outcome, Refusal):
        return outcome
    if isinstance(outcome, Repeated):
        return duplicate_response(outcome.model, service.model(outcome.model), service.judge)
    return learn_response(outcome, service.judge)


def learn_response(lesson: Lesson, judge: Judge) -> pb.LearnResponse:
    """A reply to a Learn that was no duplicate."""
    champion = lesson.candidates[lesson.order[0]]
    return pb.LearnResponse(
        model=lesson.model.name,
        candidates=candidate_predictions(lesson.candidates, lesson.answers, champion),
        scores=scores(lesson.model, judge),
        learned=lesson.model.learned,
    )


def duplicate_response(name: str, model: Model | None, judge: Judge) -> pb.LearnResponse:
    """A reply to a Learn that was one."""
    return pb.LearnResponse(
        model=name,
        scores=scores(model, judge) if model else (),
        learned=model.learned if model else 0,
        duplicate=True,
    )


def model_info(view: ModelView) -> pb.ModelInfo:
    """A model or template, described."""
    return pb.ModelInfo(
        model=view.name,
        candidates=[_candidate_info(c) for c in view.candidates],
        learned=view.learned,
        learned_through=day_text(view.learned_through),
        champion=view.champion,
        template=view.template,
    )


def _candidate_info(view: CandidateView) -> pb.CandidateInfo:
    return pb.CandidateInfo(
        candidate=view.name,
        estimator=view.estimator,
        engine=view.engine,
        engine_reason=view.engine_reason,
        state_bytes=view.state_bytes,
        learned=view.learned,
        score=score(view.name, view.score, champion=view.champion),
        strikes=view.health.strikes,
        quarantined=view.health.quarantined,
    )


def ack(report: Report, *, sequence: int, durable: bool) -> pb.StreamAck:
    """An ack of a batch that was applied just now; what is applied is durable if anything is."""
    return pb.StreamAck(
        sequence=sequence,
        applied_sequence=sequence,
        durable_sequence=sequence if durable else 0,
        learned=report.learned,
        duplicates=report.duplicates,
        errors=[
            pb.RowError(row=row, reason=reason_of(refusal), message=message_of(refusal))
            for row, refusal in report.errors
        ],
        error_count=report.error_count,
        predictions=report.predictions.tolist(),
    )


def date_days(day: int, days: int) -> list[int]:
    """Consecutive days; empty where no date was given."""
    return [] if day == NO_DAY else list(range(day, day + days))
