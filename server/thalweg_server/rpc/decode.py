"""Messages to domain values. Raises the domain error for what cannot be one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from thalweg.v1 import forecaster_pb2 as pb
from thalweg_server.core.columns import check_lengths, column_faults, label_faults
from thalweg_server.core.errors import BadRequest, Refusal
from thalweg_server.core.limits import Limits
from thalweg_server.core.observation import (
    NO_DAY,
    Batch,
    Column,
    Context,
    Feature,
    Features,
    Flavor,
    Names,
    Question,
    Target,
)
from thalweg_server.core.validation import (
    check_feature_count,
    check_features,
    check_label,
    parse_day,
)
from thalweg_server.rpc.names import KnownNames

FLAVORS = {
    pb.FLAVOR_UNSPECIFIED: None,
    pb.FLAVOR_REGRESSION: Flavor.REGRESSION,
    pb.FLAVOR_BINARY: Flavor.BINARY,
    pb.FLAVOR_MULTICLASS: Flavor.MULTICLASS,
}

_CONTEXTS = {pb.CONTEXT_FIELD_ID: Context.ID, pb.CONTEXT_FIELD_DATE: Context.DATE}


_NO_FEATURES: dict[str, Feature] = {}
"""Never changed: estimators get copies."""


def flavor(value: pb.Flavor.ValueType) -> Flavor | None:
    """The flavor, None for unspecified; raises BadRequest for a number of no flavor."""
    if value not in FLAVORS:
        raise BadRequest(f"flavor {value} is unknown", field="flavor")
    return FLAVORS[value]


def context(fields: Iterable[pb.ContextField.ValueType]) -> tuple[Context, ...]:
    """The context fields, each once, in a fixed order; raises BadRequest."""
    given = set(fields)
    for value in given:
        if value not in _CONTEXTS:
            raise BadRequest(f"context {value} is no context field", field="context")
    return tuple(c for value, c in _CONTEXTS.items() if value in given)


def question(request: pb.PredictRequest | pb.LearnRequest, limits: Limits) -> Question:
    """What is asked; raises BadDate, BadFeature, BadRequest."""
    features = _features(request, limits)
    check_features(features, limits)
    return Question(request.model, parse_day(request.date), features)


def single(request: pb.LearnRequest, limits: Limits) -> Batch:
    """One Learn as a batch of one; raises BadDate, BadFeature, BadRequest."""
    batch = rows([request], limits)
    if batch.refused:
        raise batch.refused[0]
    return batch


def rows(requests: Sequence[pb.LearnRequest], limits: Limits) -> Batch:
    """A batch of single observations; what is wrong with a row is kept with the row."""
    names: dict[str, int] = {}
    index, days, targets, features = [], [], [], []
    refused: dict[int, Refusal] = {}
    prediction_ids: dict[int, str] = {}
    request_ids: dict[int, str] = {}
    for row, request in enumerate(requests):  # 100,000 times a second: no call without need
        day = NO_DAY
        target = _value(request.target)
        x: Features = _NO_FEATURES
        try:
            x = _features(request, limits)
            if x:
                check_features(x, limits)
            day = parse_day(request.date)
            if target.__class__ is str:
                check_label(target, limits)
        except Refusal as refusal:
            refused[row] = refusal
        index.append(names.setdefault(request.model, len(names)))
        days.append(day)
        features.append(x)
        targets.append(target)
        if prediction_id := request.prediction_id:
            prediction_ids[row] = prediction_id
        if request_id := request.request_id:
            request_ids[row] = request_id
    return Batch(
        names=Names(names),
        index=np.array(index, np.int32),
        days=np.array(days, np.int32),
        targets=targets,
        rows=features,
        refused=refused,
        prediction_ids=prediction_ids,
        request_ids=request_ids,
    )


def columns(message: pb.LearnColumns, limits: Limits, known: KnownNames) -> Batch:
    """A batch in columns; raises BadRequest for columns that do not fit together.

    Args:
        message: as it came.
        limits: bounds on values.
        known: lists of names that came before, used again where they are the same.
    """
    targets = _targets(message)
    count = len(targets)
    index = _index(message, count)
    decoded = feature_columns(message.features, count)
    days = _days(message.date_days, count)
    faults = column_faults(
        names=len(message.models), index=index, days=days, columns=decoded, limits=limits
    )
    if isinstance(targets, list):
        faults |= label_faults(targets, limits)
    return Batch(
        names=known.same(Names(message.models[:])),
        index=index,
        days=days,
        targets=targets,
        columns=decoded,
        refused=faults,
    )


def feature_columns(features: Mapping[str, pb.Column], count: int) -> dict[str, Column]:
    """Feature columns in order of their names; raises BadRequest for one of another length."""
    decoded: dict[str, Column] = {}
    for name in sorted(features):
        column = features[name]
        if column.WhichOneof("kind") == "texts":
            decoded[name] = list(column.texts.values)
        else:
            decoded[name] = np.array(column.numbers.values, np.float64)
    check_lengths(count, decoded)
    return decoded


def _features(request: pb.PredictRequest | pb.LearnRequest, limits: Limits) -> Features:
    given = request.features
    check_feature_count(len(given), limits)  # before they are made
    if request.HasField("text"):
        if given:
            raise BadRequest("text and features exclude each other: send one", field="text")
        return request.text
    if not given:
        return _NO_FEATURES
    return {name: _value(value) for name, value in sorted(given.items())}


def _value(value: pb.Value) -> Feature:
    kind = value.WhichOneof("kind")
    if kind == "number":  # nearly always
        return value.number
    result: Feature = None if kind is None else getattr(value, kind)
    return result


def _targets(message: pb.LearnColumns) -> NDArray[np.float64] | list[Target | None]:
    if message.target and message.target_text:
        raise BadRequest("target and target_text exclude each other: send one", field="columns")
    if message.target_text:
        return list(message.target_text)
    if not message.target:
        raise BadRequest("the batch is empty: it has no target", field="columns")
    return np.array(message.target, np.float64)


def _index(message: pb.LearnColumns, count: int) -> NDArray[np.int32]:
    given = message.model_index or message.models
    if len(given) != count:
        raise BadRequest(
            f"there are {len(given)} models for {count} targets: give one per row, or a "
            "model_index per row",
            field="columns",
        )
    if not message.model_index:
        return np.arange(count, dtype=np.int32)
    # Beyond int32 is beyond any dictionary, too.
    index = np.array(message.model_index, np.int64)
    return np.minimum(index, np.iinfo(np.int32).max).astype(np.int32)


def _days(date_days: Sequence[int], count: int) -> NDArray[np.int32]:
    if not date_days:
        return np.full(count, NO_DAY, np.int32)
    if len(date_days) not in (1, count):
        raise BadRequest(
            f"there are {len(date_days)} date_days for {count} targets: give none, one for all "
            "rows or one per row",
            field="columns",
        )
    # What stands for "no date" is no day that can be sent.
    days = np.maximum(np.array(date_days, np.int32), NO_DAY + 1)
    return days if len(days) == count else np.full(count, days[0])
