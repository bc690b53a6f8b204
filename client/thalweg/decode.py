"""From the contract's messages to the client's results. No gRPC in here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TypeVar

from thalweg import results
from thalweg.encode import EPOCH_ORDINAL
from thalweg.v1 import forecaster_pb2 as pb

_Message = TypeVar("_Message")


def day(text: str) -> date | None:
    """Return the day of an ISO text, None for ""."""
    return date.fromisoformat(text) if text else None


def prediction(message: pb.Prediction) -> results.Prediction | None:
    """Return an answer, None where no kind is set."""
    kind = message.WhichOneof("kind")
    if kind is None:
        return None
    return results.Prediction(
        value=message.value if kind == "value" else None,
        probabilities=dict(message.probabilities.by_class),
        label=message.label,
    )


def candidate_predictions(
    messages: Iterable[pb.CandidatePrediction],
) -> tuple[results.CandidatePrediction, ...]:
    """Return what each candidate answered."""
    return tuple(
        results.CandidatePrediction(
            candidate=message.candidate,
            prediction=prediction(message.prediction),
            champion=message.champion,
            error=message.error,
        )
        for message in messages
    )


def score(message: pb.Score) -> results.Score:
    """Return a candidate's running quality."""
    return results.Score(
        candidate=message.candidate,
        mae=message.mae if message.HasField("mae") else None,
        rmse=message.rmse if message.HasField("rmse") else None,
        mae_recent=message.mae_recent if message.HasField("mae_recent") else None,
        accuracy=message.accuracy if message.HasField("accuracy") else None,
        log_loss=message.log_loss if message.HasField("log_loss") else None,
        count=message.count,
        nonfinite=message.nonfinite,
        champion=message.champion,
    )


def model_info(message: pb.ModelInfo) -> results.ModelInfo:
    """Return a model or template."""
    return results.ModelInfo(
        model=message.model,
        candidates=tuple(_candidate_info(candidate) for candidate in message.candidates),
        learned=message.learned,
        learned_through=day(message.learned_through),
        champion=message.champion,
        template=message.template,
    )


def _candidate_info(message: pb.CandidateInfo) -> results.CandidateInfo:
    return results.CandidateInfo(
        candidate=message.candidate,
        estimator=message.estimator,
        engine=message.engine,
        engine_reason=message.engine_reason,
        state_bytes=message.state_bytes,
        learned=message.learned,
        score=score(message.score),
        strikes=message.strikes,
        quarantined=message.quarantined,
    )


def server_info(message: pb.InitResponse) -> results.ServerInfo:
    """Return the state of the server."""
    flavor = pb.Flavor.Name(message.flavor).removeprefix("FLAVOR_").lower()
    return results.ServerInfo(
        flavor="" if flavor == "unspecified" else flavor,
        server_version=message.server_version,
        river_version=message.river_version,
        python_version=message.python_version,
        storage=message.storage,
        model_count=message.model_count,
        max_message_bytes=message.max_message_bytes,
    )


def predicted(message: pb.PredictResponse) -> results.Predicted:
    """Return the answer to Predict."""
    return results.Predicted(
        model=message.model,
        candidate=message.candidate,
        prediction=prediction(message.prediction),
        candidates=candidate_predictions(message.candidates),
        learned=message.learned,
        learned_through=day(message.learned_through),
        forecast=tuple(_forecast_point(point) for point in message.forecast),
    )


def _forecast_point(message: pb.ForecastPoint) -> results.ForecastPoint:
    return results.ForecastPoint(
        date=date.fromisoformat(message.date),
        mean=message.mean if message.HasField("mean") else None,
        lower=message.lower if message.HasField("lower") else None,
        upper=message.upper if message.HasField("upper") else None,
    )


def learned(message: pb.LearnResponse) -> results.Learned:
    """Return the answer to Learn."""
    return results.Learned(
        model=message.model,
        candidates=candidate_predictions(message.candidates),
        scores=tuple(score(each) for each in message.scores),
        learned=message.learned,
        duplicate=message.duplicate,
    )


def ack(message: pb.StreamAck, *, resumed: bool) -> results.Ack:
    """Return what became of a batch."""
    return results.Ack(
        sequence=message.sequence,
        applied_sequence=message.applied_sequence,
        durable_sequence=message.durable_sequence,
        learned=message.learned,
        duplicates=message.duplicates,
        errors=tuple(
            results.RowError(row=error.row, reason=reason_name(error.reason), message=error.message)
            for error in message.errors
        ),
        error_count=message.error_count,
        predictions=tuple(message.predictions),
        resumed=resumed,
    )


def reason_name(reason: int) -> str:
    """Return the full name of a reason, its number as text where it is newer than this client."""
    value = pb.ErrorReason.DESCRIPTOR.values_by_number.get(reason)
    return value.name if value else str(reason)


def forecasts(message: pb.PredictManyResponse) -> results.Forecasts:
    """Return one part of the answer to PredictMany."""
    return results.Forecasts(
        models=tuple(message.models),
        dates=tuple(date.fromordinal(EPOCH_ORDINAL + days) for days in message.date_days),
        means=tuple(message.means),
        unknown_models=tuple(message.unknown_models),
    )


def score_update(message: pb.WatchScoresResponse) -> results.ScoreUpdate:
    """Return the state of a watched model."""
    return results.ScoreUpdate(
        model=message.model,
        scores=tuple(score(each) for each in message.scores),
        learned=message.learned,
        learned_through=day(message.learned_through),
        deleted=message.deleted,
    )


def same(message: _Message) -> _Message:
    """Return the message itself."""
    return message
