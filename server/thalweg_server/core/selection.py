"""Which candidate of a model answers."""

from __future__ import annotations

from collections.abc import Sequence

from thalweg_server.core.scores import RECENT, Score


def ranking(scores: Sequence[Score], metric: str = "mae") -> list[int]:
    """Positions of candidates, the champion first.

    Eligible is a candidate with at least one scored observation and at least min(28, half of the
    most-scored sibling's count); these come first, best loss first. Ties, and candidates that are
    not eligible, keep the order of `scores`, which is that of their uploads.

    Args:
        scores: one per candidate.
        metric: what regression compares, "mae" or "rmse". Classification compares log loss or,
            where an eligible candidate has none, accuracy.
    """
    bar = min(RECENT, max(score.count for score in scores) / 2)
    eligible = [i for i, score in enumerate(scores) if score.count and score.count >= bar]
    losses = _losses([scores[i] for i in eligible], metric)
    best = [i for _, i in sorted(zip(losses, eligible, strict=True))]
    return best + [i for i in range(len(scores)) if i not in best]


def loss(score: Score) -> float | None:
    """One number to order models by: MAE, or log loss, or the error rate; None without score."""
    if score.mae is not None:
        return score.mae
    if score.log_loss is not None:
        return score.log_loss
    return None if score.accuracy is None else 1.0 - score.accuracy


def _losses(scores: Sequence[Score], metric: str) -> list[float]:
    if any(score.mae is not None for score in scores):
        return [getattr(score, metric) for score in scores]
    if any(score.log_loss is None for score in scores):
        return [-(score.accuracy or 0.0) for score in scores]
    return [score.log_loss for score in scores if score.log_loss is not None]
