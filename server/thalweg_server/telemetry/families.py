"""The metrics that each model has, and the values of its candidates, read in bulk."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.model import Model
from thalweg_server.core.observation import Flavor
from thalweg_server.core.scores import Scoreboard

Floats = NDArray[np.float64]

MAE = "thalweg_model_mae"
MAE_RECENT = "thalweg_model_mae_recent"
LOG_LOSS = "thalweg_model_log_loss"
ACCURACY = "thalweg_model_accuracy"
LEARNED = "thalweg_model_learned_total"
CHAMPION = "thalweg_model_champion"
THROUGH = "thalweg_model_learned_through_timestamp_seconds"

SCORES = {
    Flavor.REGRESSION: (MAE, MAE_RECENT),
    Flavor.BINARY: (LOG_LOSS, ACCURACY),
    Flavor.MULTICLASS: (LOG_LOSS, ACCURACY),
}
"""What candidates are scored by; `scores` gives the values in this order."""

TEXTS = {
    MAE: ("gauge", "Mean absolute error of a candidate over everything it was scored on."),
    MAE_RECENT: ("gauge", "Mean of the last 28 absolute errors of a candidate."),
    LOG_LOSS: ("gauge", "Mean log loss of a candidate over everything it was scored on."),
    ACCURACY: ("gauge", "Share of a candidate's answers that named the true class."),
    LEARNED: ("counter", "Observations that a model has learned."),
    CHAMPION: ("gauge", "1 for the candidate that answers for its model, 0 for its siblings."),
    THROUGH: ("gauge", "Midnight UTC of the latest day that a model has learned."),
}


def families(flavor: Flavor) -> tuple[str, ...]:
    """All that models of this flavor are reported by, in the order of the page."""
    return (*SCORES[flavor], CHAMPION, LEARNED, THROUGH)


def scores(board: Scoreboard, flavor: Flavor, rows: Sequence[int]) -> tuple[Floats, Floats]:
    """The values of both score families for these rows; NaN where there is none yet."""
    at = np.asarray(rows, np.intp)
    count = board.count[at]
    if flavor is Flavor.REGRESSION:
        return _where(count > 0, board.mae[at]), _where(count > 0, board.mae_recent(rows))
    weighed, accuracy = board.weighed[at], board.correct[at] / np.maximum(count, 1)
    return (
        _where((count > 0) & (weighed == count), board.log_loss[at]),
        _where(count > 0, accuracy),
    )


def losses(board: Scoreboard, flavor: Flavor, rows: Sequence[int]) -> Floats:
    """One number per row to find the worst by, as `core.selection.loss`; NaN without a score."""
    first, second = scores(board, flavor, rows)
    return first if flavor is Flavor.REGRESSION else np.where(np.isnan(first), 1 - second, first)


def champion_row(model: Model) -> int:
    """The champion's row; any other while the model is being changed."""
    candidates, order = list(model.candidates), model.order
    if order and order[0] < len(candidates):
        return candidates[order[0]].row
    return -1


def _where(scored: NDArray[np.bool_], values: Floats) -> Floats:
    return np.where(scored, values, np.nan)
