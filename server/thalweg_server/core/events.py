"""What the event log holds: everything that changes a model, in order.

Applying the same events in the same order to an empty server gives the same server. Times are
seconds since the epoch, taken at the edge.

Most events are applied as soon as they are logged. A stream's batch waits for those before it and
is applied slice by slice, while others come in between; these say how far it was then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from thalweg_server.core.observation import Batch, Context, Flavor, Question
from thalweg_server.core.policy import TRUSTED, Origin


@dataclass(frozen=True, slots=True)
class Started:
    """A server began to write: what was in force from here on.

    Replay admits under the same limits.
    """

    limits: Mapping[str, float]
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Initialised:
    """Init set a flavor, or removed everything."""

    flavor: Flavor
    reset: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """UploadModel added a candidate to a model or a template.

    Args:
        origin: who sent it, and by which policy it was accepted; a log from before there were
            any says nothing, and it was trusted then.
    """

    model: str
    candidate: str
    payload: bytes
    template: bool
    replace: bool
    apply_to_existing: bool
    context: tuple[Context, ...]
    origin: Origin = TRUSTED


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A candidate was stopped too often: it is asked and taught no more."""

    model: str
    candidate: str
    template: bool
    reason: str


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


@dataclass(frozen=True, slots=True)
class Learned:
    """Observations of unary calls that passed admission are to be learned, in this order."""

    batch: Batch
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """A stream's batch has come, to be admitted and learned when it is its turn.

    Args:
        batch: as it came.
        at: when it came.
        stream_id: of the stream; empty for one that cannot be resumed.
        sequence: the batch's in its stream.
        skip_learned_dates: whether a row is a duplicate where its model knows the day.
        epoch: how many times the server had been initialised when the stream was opened; the
            batch is dropped where it has been again since.
    """

    batch: Batch
    at: float
    stream_id: str
    sequence: int
    skip_learned_dates: bool
    epoch: int


@dataclass(frozen=True, slots=True)
class Raised:
    """Rows of an earlier event that candidates raised on when they learned, with what they said.

    Args:
        position: the event's.
        errors: row to text.
    """

    position: int
    errors: Mapping[int, str]


Event: TypeAlias = (
    Started
    | Initialised
    | Uploaded
    | Quarantined
    | Deleted
    | Predicted
    | Learned
    | Streamed
    | Raised
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the log is applied.

    Args:
        batch: everything logged before this position is,
        row: and so many rows of the stream's batch at this position,
        event: and all that is no stream's batch up to this position, this one included.
    """

    batch: int = 1
    row: int = 0
    event: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """An event in the log.

    Args:
        position: 1, 2, 3 …
        progress: how far the log was applied when the event was; means nothing for a `Streamed`.
    """

    position: int
    event: Event
    progress: Progress
