"""Clients that keep a server busy while it is killed, and remember what they were told."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial
from types import TracebackType
from typing import Any, Self

import thalweg
from tests.crash.host import Host
from tests.crash.reference import DAY
from thalweg import Columns, Row
from thalweg.errors import DeadlineExceeded, Unavailable
from thalweg.results import Ack, Learned, Predicted
from thalweg.v1 import forecaster_pb2 as pb

BATCH_ROWS = 40
"""Rows of a batch: small, so that there are many acks to lose."""

PENDING = 3
"""Predictions that wait for their label at a time."""

EPOCH = date(1970, 1, 1).toordinal()


@dataclass(slots=True)
class Told:
    """An observation, and what its caller was told.

    Args:
        row: what was sent.
        answer: the first reply; `Learned` of a unary call.
        asked: where it was predicted before, the reply to that.
    """

    row: Row
    answer: Learned
    asked: Predicted | None = None


@dataclass(slots=True)
class Load:
    """Three clients of a server: one streams, one calls Learn, one predicts and labels later.

    A context manager: leaving it ends them, whatever they are at.

    Args:
        host: whose server.
        seed: of all values.

    Attributes:
        batches: sent by the stream.
        acks: received by it.
        unary, labelled: observations of the other two.
        acknowledged: model to observations that some client was told are learned.
    """

    host: Host
    seed: int
    batches: int = 0
    acks: list[Ack] = field(default_factory=list)
    unary: list[Told] = field(default_factory=list)
    labelled: list[Told] = field(default_factory=list)
    acknowledged: Counter[str] = field(default_factory=Counter)
    _errors: list[BaseException] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)
    _clients: list[thalweg.Client] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _events: int = 0
    _over: bool = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over = True
        for client in self._clients:
            client.close()
        for thread in self._threads:
            thread.join()

    def start(self, *, labels: bool = True) -> None:
        """Lets the clients go; without `labels` the third one stays at home."""
        for work in (self._stream, self._learn, *([self._label] if labels else [])):
            self._clients.append(self.host.client())
            thread = threading.Thread(
                target=self._guarded, args=(work, self._clients[-1]), daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def wait_for(self, replies: int) -> None:
        """Waits until so many more replies have come; raises what a client raised."""
        with self._changed:
            end = self._events + replies
            self._changed.wait_for(lambda: self._errors or self._events >= end)
        self._raise()

    def finish(self) -> None:
        """Ends the clients' input, and waits until all they have sent is answered."""
        self._over = True
        for thread in self._threads:
            thread.join()
        self._raise()

    def rows(self, batch: int) -> list[Row]:
        """The rows of a batch of the stream; all targets for `both` differ."""
        rng = random.Random(f"{self.seed} {batch}")
        names = ("item",) if batch % 3 == 1 else ("streamed", "neighbours", "both")
        if batch % 3 == 2:
            names = (*names, "item")
        return [
            Row(
                model=name,
                target=float(rng.randrange(9)) if name == "item" else batch + place / BATCH_ROWS,
                features={} if name == "item" else _features(rng),
                date=DAY + timedelta(days=batch),
            )
            for place in range(BATCH_ROWS)
            for name in [rng.choice(names)]
        ]

    def __str__(self) -> str:
        resumed = sum(ack.resumed for ack in self.acks)
        again = sum(told.answer.duplicate for told in (*self.unary, *self.labelled))
        return (
            f"{len(self.acks)} batches ({resumed} resumed), {len(self.unary)} Learns and "
            f"{len(self.labelled)} delayed labels ({again} repeated)"
        )

    def acked(self) -> list[Row]:
        """All rows of the stream that were acknowledged, in order."""
        return [row for batch in range(len(self.acks)) for row in self.rows(batch)]

    # The clients.

    def _stream(self, client: thalweg.Client) -> None:
        acks = client.stream_learn(
            self._source(),
            stream_id="the stream",
            batch_rows=BATCH_ROWS,
            return_predictions=True,
            reconnect_timeout=60.0,
        )
        for ack in acks:
            models = [row.model for row in self.rows(len(self.acks))]
            self.acks.append(ack)
            self._told(models)

    def _source(self) -> Iterator[Any]:
        while not self._over:
            rows = self.rows(self.batches)
            self.batches += 1
            if self.batches % 3 == 1:
                yield _columns(rows)
            else:
                yield from rows

    def _learn(self, client: thalweg.Client) -> None:
        rng = random.Random(f"{self.seed} unary")
        while not self._over:
            number = len(self.unary)
            row = Row(
                model=rng.choice(("unary", "unary", "both")),
                target=-1.0 - number / 8,
                features=_features(rng),
                request_id=f"observation {number}",
            )
            self.unary.append(Told(row, self._learned(client, row)))
            self._told([row.model])
            if number % 5 == 4:
                again = self.unary[rng.randrange(number)].row
                known = self._learned(client, again).duplicate
                assert known, f"{again} was acknowledged, and is not known"

    def _label(self, client: thalweg.Client) -> None:
        rng = random.Random(f"{self.seed} labelled")
        waiting: list[tuple[Row, Predicted]] = []
        while not self._over or waiting:
            if not self._over:
                number = len(self.labelled) + len(waiting)
                waiting.append(self._predicted(client, number, rng))
                self._told([])
            if self._over or len(waiting) == PENDING:
                row, asked = waiting.pop(0)
                learn = partial(client.learn, "", row.target, prediction_id=row.prediction_id)
                self.labelled.append(Told(row, _answered(learn), asked))
                self._told(["labelled"])

    def _predicted(
        self, client: thalweg.Client, number: int, rng: random.Random
    ) -> tuple[Row, Predicted]:
        row = Row(
            model="labelled",
            target=number % 7 + number / 64,
            features=_features(rng),
            prediction_id=f"prediction {number}",
        )
        ask = partial(client.predict, row.model, row.features, all_candidates=True)
        return row, _answered(partial(ask, prediction_id=row.prediction_id))

    def _learned(self, client: thalweg.Client, row: Row) -> Learned:
        learn = partial(client.learn, row.model, row.target, row.features)
        return _answered(partial(learn, request_id=row.request_id))

    def _told(self, models: Iterable[str]) -> None:
        with self._changed:
            self.acknowledged.update(models)
            self._events += 1
            self._changed.notify_all()

    def _guarded(self, work: Callable[[thalweg.Client], None], client: thalweg.Client) -> None:
        try:
            work(client)
        except BaseException as error:
            self._over = True
            with self._changed:
                self._errors.append(error)
                self._changed.notify_all()

    def _raise(self) -> None:
        if self._errors:
            raise self._errors[0]


def _answered(call: Callable[[], Any]) -> Any:
    while True:
        try:
            return call()
        except (Unavailable, DeadlineExceeded):
            continue


def _features(rng: random.Random) -> dict[str, float]:
    return {"b": rng.uniform(-2.0, 2.0), "a": rng.gauss(0.0, 1.0)}


def _columns(rows: list[Row]) -> Columns | pb.LearnColumns:
    names = sorted({row.model for row in rows})
    return Columns(
        models=names,
        model_index=[names.index(row.model) for row in rows],
        date_days=[row.date.toordinal() - EPOCH for row in rows],  # type: ignore[union-attr]
        targets=[float(row.target) for row in rows],
        features={
            name: [float(row.features[name]) for row in rows]  # type: ignore[arg-type]
            for name in ("a", "b")
        },
    )
