"""Every unary and server-streaming call as a value: request, how to read the answer, and whether
it may be repeated. Both clients run these; neither builds a message itself."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date as Date
from typing import Any, Generic, TypeVar

from thalweg import decode, results, serialise
from thalweg.connection import UPLOAD_SECONDS_MIN
from thalweg.encode import (
    FeatureColumn,
    context_of,
    date_text,
    flavor_of,
    set_column,
    set_features,
    set_row,
)
from thalweg.observations import Feature, Row
from thalweg.v1 import forecaster_pb2 as pb

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Call(Generic[R]):
    """One call to make.

    Attributes:
        rpc: its name in the contract.
        request: what to send.
        read: from a message of the answer to the result.
        idempotent: whether it has the same effect twice as once.
        least_seconds: a default deadline is never shorter than this.
    """

    rpc: str
    request: Any
    read: Callable[[Any], R]
    idempotent: bool
    least_seconds: float = 0.0


def init(flavor: str | None, *, reset: bool) -> Call[results.ServerInfo]:
    """Init."""
    request = pb.InitRequest(flavor=flavor_of(flavor), reset=reset)
    return Call("Init", request, decode.server_info, idempotent=not reset)


def upload_model(
    model: str,
    estimator: object,
    *,
    candidate: str,
    template: bool,
    replace: bool,
    apply_to_existing: bool,
    context: Sequence[str],
) -> Call[results.ModelInfo]:
    """UploadModel, with the checksum of what it sends."""
    payload = serialise.dump(estimator)
    request = pb.UploadModelRequest(
        model=model,
        candidate=candidate,
        payload=payload,
        sha256=hashlib.sha256(payload).digest(),
        template=template,
        replace=replace,
        apply_to_existing=apply_to_existing,
        context=context_of(context),
    )
    return Call("UploadModel", request, _info, idempotent=False, least_seconds=UPLOAD_SECONDS_MIN)


def predict(
    model: str,
    features: Mapping[str, Feature] | None,
    *,
    date: Date | str | None,
    text: str | None,
    prediction_id: str,
    candidate: str,
    all_candidates: bool,
    horizon: int,
) -> Call[results.Predicted]:
    """Predict. A repeated one replaces the answers stored under its prediction_id."""
    request = pb.PredictRequest(
        model=model,
        date=date_text(date),
        text=text,
        prediction_id=prediction_id,
        candidate=candidate,
        all_candidates=all_candidates,
        horizon=horizon,
    )
    set_features(request.features, features)
    return Call("Predict", request, decode.predicted, idempotent=True)


def learn(row: Row) -> Call[results.Learned]:
    """Learn. Only an id makes it safe to repeat, so that it has one in any case."""
    request = pb.LearnRequest()
    set_row(request, row)
    if not (row.request_id or row.prediction_id):
        request.request_id = uuid.uuid4().hex
    return Call("Learn", request, decode.learned, idempotent=True)


def predict_many(
    models: Sequence[str],
    *,
    glob: str,
    date: Date | str | None,
    candidate: str,
    horizon: int,
    features: Mapping[str, FeatureColumn] | None,
) -> Call[results.Forecasts]:
    """PredictMany."""
    request = pb.PredictManyRequest(
        models=models, glob=glob, date=date_text(date), candidate=candidate, horizon=horizon
    )
    for name, values in (features or {}).items():
        set_column(request.features[name], values)
    return Call("PredictMany", request, decode.forecasts, idempotent=True)


def list_models(
    *, order_by: str, glob: str, template: bool, page_size: int, page_token: str
) -> Call[tuple[list[results.ModelInfo], str]]:
    """One page of ListModels: its models, and the token of the next page or ""."""
    request = pb.ListModelsRequest(
        page_size=page_size,
        page_token=page_token,
        order_by=order_by,
        glob=glob,
        template=template,
    )
    return Call("ListModels", request, _page, idempotent=True)


def get_model(model: str, *, template: bool) -> Call[results.ModelInfo]:
    """GetModel."""
    request = pb.GetModelRequest(model=model, template=template)
    return Call("GetModel", request, _info, idempotent=True)


def download_model(model: str, *, candidate: str, template: bool) -> Call[pb.DownloadModelResponse]:
    """DownloadModel; its chunks go to `serialise.assemble`."""
    request = pb.DownloadModelRequest(model=model, candidate=candidate, template=template)
    return Call("DownloadModel", request, decode.same, idempotent=True)


def delete_model(model: str, *, candidate: str, template: bool) -> Call[None]:
    """DeleteModel. Not repeated: the second try would not find what the first removed."""
    request = pb.DeleteModelRequest(model=model, candidate=candidate, template=template)
    return Call("DeleteModel", request, _nothing, idempotent=False)


def watch_scores(models: Sequence[str], *, glob: str) -> Call[results.ScoreUpdate]:
    """WatchScores."""
    request = pb.WatchScoresRequest(models=models, glob=glob)
    return Call("WatchScores", request, decode.score_update, idempotent=True)


def _info(answer: pb.UploadModelResponse | pb.GetModelResponse) -> results.ModelInfo:
    return decode.model_info(answer.info)


def _page(answer: pb.ListModelsResponse) -> tuple[list[results.ModelInfo], str]:
    return [decode.model_info(model) for model in answer.models], answer.next_page_token


def _nothing(answer: pb.DeleteModelResponse) -> None:
    del answer
