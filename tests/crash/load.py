"""Clients that keep a server busy while it is killed, and remember what they were told."""

from __future__ import annotations

import random
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import thalweg
from tests.crash.host import Host
from tests.crash.reference import DAY, MODELS, Reference, best, same, values
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
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _events: int = 0
    _over: bool = False

    def start(self, *, labels: bool = True) -> None:
        """Lets the clients go; without `labels` the third one stays at home."""
        for work in (self._stream, self._learn, *([self._label] if labels else [])):
            thread = threading.Thread(target=self._guarded, args=(work,), daemon=True)
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

    def _stream(self) -> None:
        with self.host.client() as client:
            acks = client.stream_learn(
                self._source(),
                stream_id="the stream",
                batch_rows=BATCH_ROWS,
                return_predictions=True,
                reconnect_timeout=60.0,
            )
            for ack in acks:
                with self._changed:
                    models = [row.model for row in self.rows(len(self.acks))]
                    self.acks.append(ack)
                    self._note(models)

    def _source(self) -> Iterator[Any]:
        while not self._over:
            rows = self.rows(self.batches)
            self.batches += 1
            if self.batches % 3 == 1:
                yield _columns(rows)
            else:
                yield from rows

    def _learn(self) -> None:
        rng = random.Random(f"{self.seed} unary")
        with self.host.client() as client:
            while not self._over:
                number = len(self.unary)
                row = Row(
                    model=rng.choice(("unary", "unary", "both")),
                    target=-1.0 - number / 8,
                    features=_features(rng),
                    request_id=f"observation {number}",
                )
                answer = self._learned(client, row)
                self.unary.append(Told(row, answer))
                self._told([row.model])
                if number % 5 == 4:
                    again = self.unary[rng.randrange(number)]
                    assert self._learned(client, again.row).duplicate

    def _label(self) -> None:
        rng = random.Random(f"{self.seed} labelled")
        waiting: list[tuple[Row, Predicted]] = []
        with self.host.client() as client:
            while not self._over or waiting:
                if not self._over:
                    number = len(self.labelled) + len(waiting)
                    waiting.append(self._predicted(client, number, rng))
                    self._told([])
                if self._over or len(waiting) == PENDING:
                    row, asked = waiting.pop(0)
                    answer = self._learned(client, row, by_prediction=True)
                    self.labelled.append(Told(row, answer, asked))
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
        asked = _answered(
            lambda: client.predict(
                row.model, row.features, prediction_id=row.prediction_id, all_candidates=True
            )
        )
        return row, asked

    def _learned(
        self, client: thalweg.Client, row: Row, *, by_prediction: bool = False
    ) -> Learned:
        if by_prediction:
            return _answered(
                lambda: client.learn("", row.target, prediction_id=row.prediction_id)
            )
        return _answered(
            lambda: client.learn(row.model, row.target, row.features, request_id=row.request_id)
        )

    def _told(self, models: Iterable[str]) -> None:
        with self._changed:
            self._note(models)

    def _note(self, models: Iterable[str]) -> None:
        self.acknowledged.update(models)
        self._events += 1
        self._changed.notify_all()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._over = True
            with self._changed:
                self._errors.append(error)
                self._changed.notify_all()

    def _raise(self) -> None:
        if self._errors:
            raise self._errors[0]

    # What must be true.

    def lost(self, client: thalweg.Client, acknowledged: Counter[str]) -> list[str]:
        """Models that have learned less than was acknowledged at some time."""
        found = {model: client.get_model(model).learned for model in acknowledged}
        return [
            f"{model}: {count} observations were acknowledged, {found[model]} are learned"
            for model, count in acknowledged.items()
            if found[model] < count
        ]

    def differences(self, client: thalweg.Client) -> list[str]:
        """All that the server or its replies say otherwise than River."""
        models = {name: Reference(name) for name in MODELS}
        found = self._check_acks() + self._learn_both(models["both"], client)
        found += self._learn_streamed(models)
        for told in self.unary:
            if told.row.model == "unary":
                found += _replied(told, models["unary"].learn(told.row), models["unary"].learned)
        found += self._learn_labelled(models["labelled"])
        for reference in models.values():
            found += reference.differences(client)
        return found

    def _check_acks(self) -> list[str]:
        found = []
        if [ack.sequence for ack in self.acks] != list(range(1, self.batches + 1)):
            found.append(f"{self.batches} batches were sent, {len(self.acks)} were acknowledged")
        for ack in self.acks:
            learned, duplicates = (0, BATCH_ROWS) if ack.resumed else (BATCH_ROWS, 0)
            if (ack.learned, ack.duplicates, ack.error_count) != (learned, duplicates, 0):
                found.append(f"batch {ack.sequence} has {ack}")
        return found

    def _learn_streamed(self, models: dict[str, Reference]) -> list[str]:
        found = []
        for number, ack in enumerate(self.acks):
            for place, row in enumerate(self.rows(number)):
                if row.model == "both":  # see below
                    continue
                reference = models[row.model]
                ranking = reference.ranking
                expected = best(reference.learn(row), ranking)
                if not ack.resumed and not same(ack.predictions[place], expected):
                    said = ack.predictions[place]
                    found.append(f"{row} was predicted as {said}, by River as {expected}")
        return found

    def _learn_both(self, reference: Reference, client: thalweg.Client) -> list[str]:
        """Teaches what two clients taught, in the order in which the server remembers it."""
        streamed = [row for row in self.acked() if row.model == "both"]
        unary = [told.row for told in self.unary if told.row.model == "both"]
        rows = {row.target: row for row in (*streamed, *unary)}
        memory = client.download_model("both", candidate="memory", load=True)
        order = [target for _, target in memory.seen]
        found = []
        for sent in (streamed, unary):
            targets = [row.target for row in sent]
            if [target for target in order if target in set(targets)] != targets:
                found.append("both: the rows of a client are not learned once and in order")
        if len(order) != len(rows):
            found.append(f"both: {len(rows)} rows were sent, {len(order)} learned")
        for target in order:
            reference.learn(rows[target])
        return found

    def _learn_labelled(self, reference: Reference) -> list[str]:
        """Each is predicted before the ones that waited then are learned."""
        found: list[str] = []
        answers: dict[int, dict[str, float]] = defaultdict(dict)
        asked = 0
        for number, told in enumerate(self.labelled):
            while asked < min(number + PENDING, len(self.labelled)):
                row = self.labelled[asked].row
                answers[asked] = reference.predict(row.features, row.date)
                assert self.labelled[asked].asked is not None
                said = values(self.labelled[asked].asked.candidates)
                if said != answers[asked]:
                    found.append(f"{row} was answered {said}, by River {answers[asked]}")
                asked += 1
            scored = reference.learn(told.row, answers[number])
            found += _replied(told, scored, reference.learned)
        return found


def _replied(told: Told, scored: dict[str, float], learned: int) -> list[str]:
    """What a reply says otherwise; that of a duplicate says less."""
    if told.answer.duplicate:
        return []
    said = values(told.answer.candidates), told.answer.learned
    return [] if said == (scored, learned) else [f"{told.row}: {said}, River {scored}, {learned}"]


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
