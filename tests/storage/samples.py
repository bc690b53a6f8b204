"""Events to log, and how to compare them by bits."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from thalweg_server.core.errors import BadRequest
from thalweg_server.core.events import (
    Deleted,
    Event,
    Initialised,
    Learned,
    Predicted,
    Progress,
    Raised,
    Started,
    Streamed,
    Uploaded,
)
from thalweg_server.core.observation import NO_DAY, Batch, Context, Flavor, Names, Question
from thalweg_server.storage.codec import encode
from thalweg_server.storage.sqlite import SqliteStore

NAMES = Names(f"HOBBIES_1_{item:03d}_CA_1" for item in range(100))
PROGRESS = Progress(3, 4, 5)


def streamed(sequence: int = 1, *, rows: int = 20, names: Names = NAMES) -> Streamed:
    """A stream's batch of small sales."""
    rng = np.random.default_rng(sequence)
    batch = Batch(
        names=names,
        index=np.arange(rows, dtype=np.int32) % len(names),
        days=np.full(rows, 16_000 + sequence, np.int32),
        targets=rng.poisson(1.5, rows).astype(np.float64),
    )
    return Streamed(
        batch=batch,
        at=1e9 + sequence / 3,
        stream_id="sales",
        sequence=sequence,
        skip_learned_dates=False,
        epoch=2,
    )


def learned(value: float = 1.5) -> Learned:
    """One row of a unary call."""
    batch = Batch(
        names=Names(["a"]),
        index=np.zeros(1, np.int32),
        days=np.array([NO_DAY], np.int32),
        targets=[value],
        rows=[{"price": -0.0, "name": "x", "many": 2**53 + 1, "new": True, "none": None}],
        request_ids={0: "r1"},
        prediction_ids={0: "p1"},
    )
    return Learned(batch, 1e9 + value)


def one_of_each() -> list[Event]:
    """An event of each kind."""
    return [
        Started({"magnitude_max": 1e15, "ids_kept_max": 10}, {"river": "0.26.1"}),
        Initialised(Flavor.BINARY, True),
        Uploaded(
            model="a*",
            candidate="knn",
            payload=bytes(range(256)) * 9,
            template=True,
            replace=False,
            apply_to_existing=True,
            context=(Context.DATE, Context.ID),
        ),
        Deleted("a", "", True),
        Predicted("p1", Question("a", 3, {"x": 0.1}), 1.1),
        Predicted("p2", Question("a", NO_DAY, "a text"), 1.2),
        learned(),
        streamed(),
        Raised(7, {3: "ValueError: no", 1: ""}),
    ]


def random_event(rng: random.Random) -> Event:
    """Any event, of any size."""
    number = rng.randrange(1_000_000)
    size = rng.choice((1, 30, 3_000))
    names = rng.choice((NAMES, Names(f"{number}-{item}" for item in range(rng.choice((3, 80))))))
    upload = Uploaded(
        model=f"m{number}",
        candidate="lm",
        payload=rng.randbytes(rng.choice((10, 5_000, 60_000))),
        template=False,
        replace=True,
        apply_to_existing=False,
        context=(),
    )
    return rng.choice((streamed(number, rows=size, names=names), learned(number), upload))


def plain(value: Any) -> Any:  # noqa: PLR0911 - a table of kinds
    """A value whose parts compare by kind and by bits; of refused rows, only which they are."""
    if isinstance(value, float):
        return ("float", "nan" if math.isnan(value) else value.hex())
    if isinstance(value, np.ndarray):
        return (str(value.dtype), plain(value.tolist()))
    if isinstance(value, BadRequest):
        return "refused"
    if isinstance(value, Batch):
        return _plain_batch(value)
    if dataclasses.is_dataclass(value):
        fields = [plain(getattr(value, each.name)) for each in dataclasses.fields(value)]
        return (type(value).__name__, *fields)
    if isinstance(value, Mapping):
        return ("dict", [(plain(key), plain(each)) for key, each in value.items()])
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return (type(value).__name__, value)


def _plain_batch(batch: Batch) -> Any:
    rows = batch.rows
    if rows is not None:
        rows = [{} if row in batch.refused else x for row, x in enumerate(rows)]
    return (
        [plain(each) for each in (batch.names, batch.index, batch.days, batch.targets)],
        plain(dict(batch.columns)),
        plain(rows),
        plain(dict(batch.prediction_ids)),
        plain(dict(batch.request_ids)),
        list(batch.refused),
    )


def plain_events(events: Iterable[Any]) -> list[Any]:
    """Events to compare."""
    return [plain(event) for event in events]


def plain_log(store: SqliteStore, start: int = 1) -> list[Any]:
    """What is logged from a position on."""
    return [plain(entry) for entry in store.entries(start)]


def bits(event: Event) -> tuple[Any, ...]:
    """An event as its bytes, to compare many; what the codec keeps is tested on its own."""
    encoded = encode(event)
    return (encoded.kind, encoded.body, tuple(encoded.names or ()))


def bits_log(store: SqliteStore, start: int = 1) -> list[tuple[Any, ...]]:
    """What is logged from a position on, to compare much."""
    return [(e.position, e.progress, *bits(e.event)) for e in store.entries(start)]
