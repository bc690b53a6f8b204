"""Which candidate of a model answers."""

from __future__ import annotations

from collections.abc import Sequence

from thalweg_server.core.scores import RECENT, Score, Standing


def ranking(standings: Sequence[Standing]) -> list[int]:
    """Positions of candidates, the champion first.

    Eligible is a candidate with at least one scored observation and at least min(28, half of the
    most-scored sibling's count); these come first, lowest loss first. Where one of them has no
    loss, all are compared by their second one. Ties, and candidates that are not eligible, keep
    the order of `standings`, which is that of their uploads.
    """
    counts = [standing[0] for standing in standings]
    losses = [standing[1] for standing in standings]
    bar = max(1, min(RECENT, max(counts) / 2))
    if min(counts) >= bar and None not in losses:
        return sorted(range(len(losses)), key=losses.__getitem__)  # type: ignore[arg-type]
    eligible = [i for i, count in enumerate(counts) if count >= bar]
    by = 2 if None in [losses[i] for i in eligible] else 1
    eligible.sort(key=lambda i: standings[i][by] or 0.0)
    return eligible + [i for i in range(len(counts)) if i not in eligible]


def loss(score: Score) -> float | None:
    """One number to order models by: MAE, or log loss, or the error rate; None without score."""
    if score.mae is not None:
        return score.mae
    if score.log_loss is not None:
        return score.log_loss
    return None if score.accuracy is None else 1.0 - score.accuracy
