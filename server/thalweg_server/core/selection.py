"""Which candidate of a model answers."""

from __future__ import annotations

from collections.abc import Sequence

from thalweg_server.core.scores import Score
from thalweg_server.core.tally import RECENT


def ranking(
    counts: Sequence[int], losses: Sequence[float | None], fallback: Sequence[float] = ()
) -> list[int]:
    """Positions of candidates, the champion first.

    Eligible is a candidate with at least one scored observation and at least min(28, half of the
    most-scored sibling's count); these come first, lowest loss first. Ties, and candidates that
    are not eligible, keep their order, which is that of their uploads.

    Args:
        counts: scored observations of each candidate.
        losses: what to compare, None where a candidate has none.
        fallback: what to compare all by where one that is eligible has no loss.
    """
    bar = max(1, min(RECENT, max(counts) / 2))
    eligible = [i for i, count in enumerate(counts) if count >= bar]
    by: Sequence[float | None] = losses
    if None in losses and None in [losses[i] for i in eligible]:
        by = fallback
    eligible.sort(key=by.__getitem__)  # type: ignore[arg-type]
    if len(eligible) < len(counts):
        eligible += [i for i in range(len(counts)) if i not in eligible]
    return eligible


def loss(score: Score) -> float | None:
    """One number to order models by: MAE, or log loss, or the error rate; None without score."""
    if score.mae is not None:
        return score.mae
    if score.log_loss is not None:
        return score.log_loss
    return None if score.accuracy is None else 1.0 - score.accuracy
