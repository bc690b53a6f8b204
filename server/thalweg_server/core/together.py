"""Unary Learns that came at the same time: one batch, one entry in the log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from thalweg_server.core.errors import Refusal
from thalweg_server.core.learning import Lesson, Rows
from thalweg_server.core.observation import Batch, Names, Target


@dataclass(frozen=True, slots=True)
class Repeated:
    """An observation that was learned before, by this model."""

    model: str


Told: TypeAlias = Lesson | Repeated | Refusal
"""What a caller of Learn is told."""


def merged(batches: Sequence[Batch]) -> Batch:
    """Batches of one row each as one."""
    names: dict[str, int] = {}
    index = [names.setdefault(batch.names[0], len(names)) for batch in batches]
    targets: list[Target | None] = [target for batch in batches for target in batch.targets]
    return Batch(
        names=Names(names),
        index=np.array(index, np.int32),
        days=np.array([batch.days[0] for batch in batches], np.int32),
        targets=np.array(targets) if isinstance(batches[0].targets, np.ndarray) else targets,
        rows=[batch.features(0) for batch in batches],
        prediction_ids=_ids([batch.prediction_ids for batch in batches]),
        request_ids=_ids([batch.request_ids for batch in batches]),
        refused={row: b.refused[0] for row, b in enumerate(batches) if b.refused},
    )


def runs(batch: Batch, rows: Rows) -> Iterator[Rows]:
    """The rows in order, cut where a model would come a second time.

    What a caller is told of its row is how the model stands then.
    """
    seen: set[int] = set()
    begin, alone = 0, False
    for end, (row, name) in enumerate(zip(rows.tolist(), batch.index[rows].tolist(), strict=True)):
        predicted = row in batch.prediction_ids  # only the ledger knows its model
        if end > begin and (name in seen or predicted or alone):
            yield rows[begin:end]
            begin, seen = end, set()
        seen.add(name)
        alone = predicted
    if len(rows) > begin:
        yield rows[begin:]


def _ids(each: Sequence[Mapping[int, str]]) -> dict[int, str]:
    return {row: ids[0] for row, ids in enumerate(each) if ids}
