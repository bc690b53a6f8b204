"""Sums over everything learned, for telemetry."""

from __future__ import annotations

from dataclasses import dataclass, field

from thalweg_server.core.ports import Answer


@dataclass(slots=True)
class CandidateTotals:
    """Sums over all models' candidates of one name."""

    absolute_error: float = 0.0
    scored: int = 0
    nonfinite: int = 0


@dataclass(slots=True)
class Totals:
    """Counters since the server started. Written by one thread."""

    rows: dict[str, int] = field(
        default_factory=lambda: {"learned": 0, "duplicate": 0, "rejected": 0, "failed": 0}
    )
    candidates: dict[str, CandidateTotals] = field(default_factory=dict)

    def add_prediction(self, candidate: str, answer: Answer, error: float | None) -> None:
        """Counts one prediction that met its true value."""
        totals = self.candidates.get(candidate)
        if totals is None:
            totals = self.candidates[candidate] = CandidateTotals()
        if error is not None:
            totals.scored += 1
            totals.absolute_error += error
        elif answer.usable:
            totals.scored += 1
        elif not answer.error:
            totals.nonfinite += 1
