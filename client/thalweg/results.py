"""What the client returns: plain frozen values, free of protobuf."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """An estimator's answer.

    Attributes:
        value: regression: the predicted value, finite; None for classification.
        probabilities: classification: class, as text, to its probability in 0..1.
        label: classification: River's `predict_one` as text ("true" and "false" for binary).
    """

    value: float | None
    probabilities: Mapping[str, float]
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidatePrediction:
    """What one candidate answered: a `prediction`, or None and mostly an `error`."""

    candidate: str
    prediction: Prediction | None
    champion: bool
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A candidate's running quality; a figure is None until, or where, there is none.

    Attributes:
        candidate: its name.
        mae: mean absolute error, in units of the target (regression).
        rmse: root of the mean squared error (regression).
        mae_recent: mean of the last 28 absolute errors (regression).
        accuracy: share of right labels, 0..1 (classification).
        log_loss: mean of -ln(probability of the true class) (classification).
        count: scored predictions.
        nonfinite: predictions that could not be scored.
        champion: whether this candidate answers now.
    """

    candidate: str
    mae: float | None
    rmse: float | None
    mae_recent: float | None
    accuracy: float | None
    log_loss: float | None
    count: int
    nonfinite: int
    champion: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateInfo:
    """One candidate of a model.

    Attributes:
        candidate: name.
        estimator: River's repr of the estimator.
        engine: what runs it, such as "river".
        engine_reason: why not a faster engine.
        state_bytes: size of its state in memory; 0 where it was not measured (list_models).
        learned: observations it learned on this server.
        score: its running quality.
        strikes: how often it had to be stopped.
        quarantined: why it is asked and taught no more; empty where it is.
    """

    candidate: str
    estimator: str
    engine: str
    engine_reason: str
    state_bytes: int
    learned: int
    score: Score
    strikes: int = 0
    quarantined: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """One model or template.

    Attributes:
        model: its name; a template's is a glob.
        candidates: the earliest uploaded first.
        learned: observations learned.
        learned_through: the latest date learned, None before the first dated observation.
        champion: name of the candidate that answers now.
        template: whether this is a template.
    """

    model: str
    candidates: tuple[CandidateInfo, ...]
    learned: int
    learned_through: date | None
    champion: str
    template: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastPoint:
    """One day of a forecast; None where the candidate gave nothing finite."""

    date: date
    mean: float | None
    lower: float | None
    upper: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """The answer to `predict`.

    Attributes:
        model: name of the model.
        candidate: who answered: the champion or, where that was not finite, the next best.
        prediction: the answer; None where no candidate asked has a finite one.
        candidates: every candidate's answer where `all_candidates` was set.
        learned: observations the model has learned.
        learned_through: the latest date it learned.
        forecast: the days asked for where `horizon` > 1.
    """

    model: str
    candidate: str
    prediction: Prediction | None
    candidates: tuple[CandidatePrediction, ...]
    learned: int
    learned_through: date | None
    forecast: tuple[ForecastPoint, ...]

    @property
    def value(self) -> float | None:
        """The predicted value (regression), None where there is none."""
        return self.prediction.value if self.prediction else None

    @property
    def label(self) -> str | None:
        """The predicted class as text (classification), None where there is none."""
        return (self.prediction.label or None) if self.prediction else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """The answer to `learn`.

    Attributes:
        model: name of the model.
        candidates: what each candidate predicted before it learned; empty for a duplicate.
        scores: running scores, this observation included.
        learned: observations the model has learned.
        duplicate: whether this observation had been learned before; nothing changed.
    """

    model: str
    candidates: tuple[CandidatePrediction, ...]
    scores: tuple[Score, ...]
    learned: int
    duplicate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RowError:
    """One row of a batch that was refused (nothing changed) or failed.

    Attributes:
        row: its position in the batch, from 0.
        reason: full name of the ErrorReason, such as "ERROR_REASON_BAD_TARGET".
        message: why, for people.
    """

    row: int
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """What became of one batch of a stream; learned + duplicates + error_count = rows.

    Attributes:
        sequence: number of the batch, from 1.
        applied_sequence: the last batch applied.
        durable_sequence: the last batch that survives a crash; 0 where nothing does.
        learned: rows learned.
        duplicates: rows learned before, by this stream or an earlier one.
        errors: the first 100 rows that were refused or failed.
        error_count: all of them.
        predictions: with `return_predictions` what the champion predicted for each row before
            it was learned, NaN where nothing; empty for a batch applied before.
        resumed: this stream had sent the batch and it was applied, but the connection broke
            before its ack. Its rows, refused ones too, are then all in `duplicates`.
    """

    sequence: int
    applied_sequence: int
    durable_sequence: int
    learned: int
    duplicates: int
    errors: tuple[RowError, ...]
    error_count: int
    predictions: Sequence[float]
    resumed: bool = False

    @property
    def rows(self) -> int:
        """Rows of the batch."""
        return self.learned + self.duplicates + self.error_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecasts:
    """One part of the answer to `predict_many`.

    Attributes:
        models: the models of this part.
        dates: its days, the same for all models; empty where no date was given.
        means: model-major: all days of the first model, then of the second; NaN = none.
        unknown_models: names asked for that neither a model nor a template has.
    """

    models: tuple[str, ...]
    dates: tuple[date, ...]
    means: Sequence[float]
    unknown_models: tuple[str, ...]

    def by_model(self) -> Iterator[tuple[str, Sequence[float]]]:
        """Yield (model, its means, one per day)."""
        days = len(self.dates) or 1
        for position, model in enumerate(self.models):
            yield model, self.means[position * days : (position + 1) * days]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreUpdate:
    """The state of one model in `watch_scores`; all but `model` is empty once `deleted`."""

    model: str
    scores: tuple[Score, ...]
    learned: int
    learned_through: date | None
    deleted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """The answer to `init`.

    Attributes:
        flavor: "regression", "binary", "multiclass", or "" before the first init.
        server_version: Thalweg's version there.
        river_version: River's version; upload estimators made with the same one.
        python_version: Python's version; upload estimators made with the same minor one.
        storage: where state lives; "memory" forgets it when the server stops.
        model_count: models held, templates not counted.
        max_message_bytes: largest request message.
    """

    flavor: str
    server_version: str
    river_version: str
    python_version: str
    storage: str
    model_count: int
    max_message_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """The outcome of `warm_up`.

    Attributes:
        models: models in the history.
        rows: rows in the history.
        learned: rows learned; in local mode by every candidate that was uploaded.
        duplicates: rows the server had learned before.
        error_count: rows refused or failed; local mode: rows of models where all candidates did.
        errors: remote mode: the first 100 of them, `row` counted from the start of the history.
        won: local mode: candidate to the number of models where its error was lowest.
        mae: local mode: candidate to its error pooled over all models (classification: the
            share of wrong labels), None where nothing could be scored.
        seconds: time taken.
    """

    models: int
    rows: int
    learned: int
    duplicates: int
    error_count: int
    errors: tuple[RowError, ...]
    won: Mapping[str, int]
    mae: Mapping[str, float | None]
    seconds: float
