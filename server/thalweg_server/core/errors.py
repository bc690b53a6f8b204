"""Everything the domain can refuse, as plain nouns under one base class."""

from __future__ import annotations


class Refusal(Exception):
    """Base of all domain errors: what was wrong, with which value, what to do.

    Args:
        message: for the person who reads it.
        field: name of the request's field at fault; empty where it is not one field.
        metadata: facts for machines.
    """

    def __init__(self, message: str, *, field: str = "", **metadata: str) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.metadata = metadata


class UnknownModel(Refusal):
    """No model or template of that name."""


class UnknownCandidate(Refusal):
    """The model has no candidate of that name."""


class UnknownPrediction(Refusal):
    """No prediction is stored under that id."""


class NotInitialised(Refusal):
    """Init has not been called yet."""


class FlavorConflict(Refusal):
    """The server holds models of another flavor."""


class EstimatorFailed(Refusal):
    """Every candidate raised."""


class SequenceGap(Refusal):
    """A batch of a stream is missing."""


class StreamNotOpen(Refusal):
    """A stream must begin with `open`, once."""


class BadPayload(Refusal):
    """The payload does not load."""


class NotAnEstimator(Refusal):
    """The payload is no estimator of the server's flavor."""


class BadName(Refusal):
    """A name is empty, too long or holds a glob character."""


class BadDate(Refusal):
    """No such day, or a date where none may or one must be."""


class BadTarget(Refusal):
    """A target is missing, not finite, too large or of another kind."""


class BadFeature(Refusal):
    """A feature is not finite or too large."""


class BadRequest(Refusal):
    """Fields do not go together."""


class CandidateExists(Refusal):
    """The model has a candidate of that name."""


class PredictionUsed(Refusal):
    """That prediction id was learned from."""


class ChecksumMismatch(Refusal):
    """The payload is not the one whose checksum was given."""


class PayloadRefused(Refusal):
    """The server's policy forbids what the payload holds."""


class StreamFenced(Refusal):
    """A newer stream of the same id, or a reset, took over."""


class BatchTooLarge(Refusal):
    """A batch is over the stream's limits."""


class LimitReached(Refusal):
    """A limit of the server; waiting does not help."""


class Overloaded(Refusal):
    """Too much is queued; waiting helps."""


class Draining(Refusal):
    """The server is shutting down and did nothing."""


class BadToken(Refusal):
    """The call has no token, or one that is unknown, revoked or expired."""


class RoleMissing(Refusal):
    """The caller may not make this call."""


class StorageFailed(Refusal):
    """The medium of the event log failed: what was on its way may be in it or not."""


class CorruptStorage(Exception):
    """Something of a data directory is damaged, missing or of another version; says what, where
    and what to do. Not for callers: a server with such a directory does not start.
    """
