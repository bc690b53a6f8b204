"""Every bound of the core, with its unit and its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace


@dataclass(slots=True, kw_only=True)
class Limits:
    """Bounds on what callers may send and what the core keeps.

    A service's parts share one of these, which replay changes.

    Args:
        name_bytes_max: length of names and ids in UTF-8; long enough for any product-store path.
        features_max: features of one row; each is a Python object, and an engine's own state.
        text_bytes_max: length of one text among the features, or of the text that is one.
        label_bytes_max: length of a class label, which every model keeps and every answer names.
        payload_bytes_max: an upload's payload; pipelines have 50 KB, and large forests some MB.
        magnitude_max: size of targets and features; squares of larger ones lose all precision.
        horizon_days_max: days of one forecast; a year is as far as daily items are planned.
        ids_kept_max: prediction and request ids remembered, each; bounds memory.
        ids_kept_seconds: how long these and stream watermarks are remembered: 30 days.
        candidates_max: candidates of one model; each one learns from every observation.
        state_bytes_max: memory of one candidate's state; a thousand of them have to fit a machine.
        slice_seconds: a stretch of learning before a waiting Predict gets its turn,
        slice_seconds_between_calls: and while such calls come: shorter, though each slice costs
            half a millisecond of its own.
        batch_rows_max: rows of one stream batch; its ack must not take minutes.
        models_max: models and templates; a guard against names made by mistake.
        errors_listed_max: row errors spelled out in one ack.
    """

    name_bytes_max: int = 256
    features_max: int = 10_000
    text_bytes_max: int = 1024 * 1024
    label_bytes_max: int = 1_024
    payload_bytes_max: int = 32 * 1024 * 1024
    magnitude_max: float = 1e15
    horizon_days_max: int = 366
    ids_kept_max: int = 1_000_000
    ids_kept_seconds: float = 30 * 86_400.0
    candidates_max: int = 32
    state_bytes_max: int = 256 * 1024 * 1024
    slice_seconds: float = 0.004
    slice_seconds_between_calls: float = 0.002
    batch_rows_max: int = 100_000
    models_max: int = 10_000_000
    errors_listed_max: int = 100

    def copy(self) -> Limits:
        """The same bounds, to be changed apart."""
        return replace(self)

    def as_numbers(self) -> dict[str, float]:
        """The bounds by name."""
        return asdict(self)

    def update(self, numbers: Mapping[str, float] | Limits) -> None:
        """Takes over bounds; those of a name that is unknown by now are left out."""
        given = numbers.as_numbers() if isinstance(numbers, Limits) else numbers
        for name in self.as_numbers().keys() & given.keys():
            setattr(self, name, given[name])
