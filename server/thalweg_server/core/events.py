"""What the event log holds: everything that changes a model, validated and in order.

Applying the same events in the same order to an empty server gives the same server. Times are
seconds since the epoch, taken at the edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.observation import Batch, Context, Flavor, Question


@dataclass(frozen=True, slots=True)
class Initialised:
    """Init set a flavor, or removed everything."""

    flavor: Flavor
    reset: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """UploadModel added a candidate to a model or a template."""

    model: str
    candidate: str
    payload: bytes
    template: bool
    replace: bool
    apply_to_existing: bool
    context: tuple[Context, ...]


@dataclass(frozen=True, slots=True)
class Deleted:
    """DeleteModel removed a candidate, or all of them (empty name)."""

    model: str
    candidate: str
    template: bool


@dataclass(frozen=True, slots=True)
class Predicted:
    """Predict stored its answers under an id. Predicting is deterministic: they are not logged."""

    prediction_id: str
    question: Question
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """Rows of a batch that passed admission are to be learned, in this order.

    `stream_id` and `sequence` name the stream's batch that these rows end; `sequence` 0: more
    rows of the batch follow.
    """

    batch: Batch
    rows: Sequence[int] | NDArray[np.intp]
    at: float
    stream_id: str = ""
    sequence: int = 0


Event: TypeAlias = Initialised | Uploaded | Deleted | Predicted | Learned
