"""Valid messages of every rpc to begin with: together they use each field."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from tests.fuzzing.estimators import X, payloads
from tests.wire import batch, column, columns, opening, row
from thalweg.v1 import forecaster_pb2 as pb

MODELS = ("m5", "lin", "other", "third", "shop-1", "shop-2", "Ünïcode/模型", "nobody")
"""Names that messages speak of: the first four are there from the start."""
TEMPLATE = "shop-*"
DAY = "2016-05-23"
DAYS_SINCE_1970 = 16_944
TARGETS: dict[str, tuple[Any, Any]] = {
    "regression": (2.5, 3),
    "binary": (True, 0),
    "multiclass": (1, 2),
}
"""Two targets of each flavor."""


def uploads(flavor: str) -> list[pb.UploadModelRequest]:
    """What a server holds to begin with: models, and a template."""
    good = payloads(flavor)
    step = max(1, len(good) // 5)
    date = pb.CONTEXT_FIELD_DATE
    made = [
        pb.UploadModelRequest(model=name, payload=good[number * step], context=[date])
        for number, name in enumerate(MODELS[:4])
    ]
    template = pb.UploadModelRequest(model=TEMPLATE, payload=good[-1], template=True)
    return [*made, template]


def seeds(flavor: str) -> dict[str, list[Message]]:
    """Messages by rpc; those of StreamLearn are in the order of a stream."""
    return {
        "Init": [
            pb.InitRequest(),
            pb.InitRequest(flavor=pb.Flavor.Value(f"FLAVOR_{flavor.upper()}")),
        ],
        "UploadModel": [*uploads(flavor), *_odd_uploads(flavor)],
        "Predict": _questions(),
        "Learn": _lessons(flavor),
        "StreamLearn": _stream(flavor),
        "PredictMany": _many(),
        "ListModels": [
            pb.ListModelsRequest(),
            pb.ListModelsRequest(page_size=2, order_by="mae desc", glob="*o*"),
            pb.ListModelsRequest(page_size=1, order_by="learned", template=True),
            pb.ListModelsRequest(page_size=1, page_token="bGlu"),
        ],
        "GetModel": [
            *(pb.GetModelRequest(model=name) for name in MODELS),
            pb.GetModelRequest(model=TEMPLATE, template=True),
        ],
        "DownloadModel": [
            *(pb.DownloadModelRequest(model=name) for name in MODELS),
            pb.DownloadModelRequest(model=MODELS[0], candidate="default"),
            pb.DownloadModelRequest(model=TEMPLATE, template=True),
        ],
        "DeleteModel": [
            pb.DeleteModelRequest(model="shop-1"),
            pb.DeleteModelRequest(model="shop-2", candidate="default"),
            pb.DeleteModelRequest(model="third", candidate="second"),
            pb.DeleteModelRequest(model="nobody-*", template=True),
        ],
        "WatchScores": [
            pb.WatchScoresRequest(),
            pb.WatchScoresRequest(glob="*"),
            pb.WatchScoresRequest(models=MODELS[:2]),
        ],
    }


def _odd_uploads(flavor: str) -> list[pb.UploadModelRequest]:
    good = payloads(flavor)
    both = [pb.CONTEXT_FIELD_DATE, pb.CONTEXT_FIELD_ID]
    return [
        pb.UploadModelRequest(
            model=MODELS[1], candidate="second", payload=good[0], replace=True, context=both
        ),
        pb.UploadModelRequest(
            model="shop-?",
            candidate="third",
            payload=good[1],
            template=True,
            apply_to_existing=True,
            replace=True,
        ),
        pb.UploadModelRequest(model=MODELS[3], payload=good[0], sha256=bytes(32)),
    ]


def _features() -> dict[str, pb.Value]:
    plain = {name: pb.Value(number=value) for name, value in X.items()}
    odd = {
        "text": pb.Value(text="a b"),
        "flag": pb.Value(flag=True),
        "int": pb.Value(integer=-7),
        "none": pb.Value(),
    }
    return plain | odd


def _questions() -> list[Message]:
    asked: list[Message] = [
        pb.PredictRequest(model=name, date=DAY, features=_features()) for name in MODELS
    ]
    return [
        *asked,
        pb.PredictRequest(model=MODELS[1], text="some words"),
        pb.PredictRequest(model=MODELS[0], date=DAY, horizon=28),
        pb.PredictRequest(model=MODELS[0], date=DAY, prediction_id="p-1", all_candidates=True),
        pb.PredictRequest(model=MODELS[2], candidate="second", features=_features()),
        pb.PredictRequest(model=MODELS[1], features={n: pb.Value(number=x) for n, x in X.items()}),
    ]


def _lessons(flavor: str) -> list[Message]:
    first, second = TARGETS[flavor]
    numbers = {**X, "e": 1}
    return [
        *(row(name, first, numbers, date=DAY) for name in MODELS),
        row(MODELS[1], second, X, request_id="r-1"),
        row("", second, prediction_id="p-1"),
        row(MODELS[2], first, text="some words"),
        row(MODELS[0], second, date=DAY, request_id="r-2"),
        pb.LearnRequest(model=MODELS[2], features=_features()),
    ]


def _stream(flavor: str) -> list[Message]:
    first, second = TARGETS[flavor]
    count = 4
    texts = {"target_text": ["a", "b"] * 2}
    targets = texts if flavor == "multiclass" else {"target": [1.0, 0.0] * 2}
    numbers: dict[str, Any] = {"a": [0.5] * count, "b": [1.5], "c": ["x", "y"] * 2}
    return [
        opening("stream", return_predictions=True, skip_learned_dates=False),
        batch(1, [row(name, first, X, date=DAY) for name in MODELS]),
        columns(
            2,
            models=MODELS[:2],
            model_index=[0, 1, 1, 0],
            date_days=[DAYS_SINCE_1970 + day for day in range(count)],
            features=numbers,
            **targets,
        ),
        columns(3, models=MODELS[:count], date_days=[DAYS_SINCE_1970], **targets),
        batch(4, [row(MODELS[1], second, X, request_id=f"r-{number}") for number in range(3)]),
    ]


def _many() -> list[Message]:
    features = {"a": column([0.5, 1.5]), "c": column(["x"])}
    return [
        pb.PredictManyRequest(models=MODELS[:2], date=DAY, horizon=7, features=features),
        pb.PredictManyRequest(glob="*", date=DAY, candidate="default"),
        pb.PredictManyRequest(models=MODELS, features={"a": column([1.0])}),
        pb.PredictManyRequest(glob="shop-?"),
    ]
