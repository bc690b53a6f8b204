"""Candidates as arrays, a row each: where they are, how they stand, how good they are.

Arrays rather than an object per candidate: a scrape reads 61,000 of them at once, and kernels
update them in place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.observation import Target
from thalweg_server.core.ports import Answer
from thalweg_server.core.table import Table
from thalweg_server.core.tally import RECENT

PREDICTION_MAX = 1e100
"""A larger prediction is not scored: its square would take RMSE to infinity for good."""

PROBABILITY_MIN = 1e-15
"""What a class that an answer lacks is given, so that log loss stays finite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A candidate's running quality; None before its first scored prediction."""

    mae: float | None = None
    rmse: float | None = None
    mae_recent: float | None = None
    accuracy: float | None = None
    log_loss: float | None = None
    count: int = 0
    nonfinite: int = 0


class Scoreboard(Table):
    """Rows of candidates; those of one model are neighbours, in order of their uploads.

    Written by one thread; readers may see a row mid-update. Regression's scores are written by
    `tally`. Log loss is the running mean of `river.metrics.CrossEntropy`'s terms, except that a
    class missing from an answer counts as PROBABILITY_MIN.

    Attributes:
        slot: the engine's number.
        group: number of the model's group and the candidate's name among the totals.
        order: the model's candidates by position, the champion first; not a property of the
            candidate in whose row it stands.
        taught: observations learned.
        count: predictions scored.
        nonfinite: predictions that were not usable.
        mae, mse: running means of absolute and squared errors.
        recent: the last absolute errors, a ring.
        correct: answers that named the true class.
        log_loss, weighed: running mean, and over how many answers with probabilities.
    """

    slot: NDArray[np.int64]
    group: NDArray[np.int64]
    order: NDArray[np.int64]
    taught: NDArray[np.int64]
    count: NDArray[np.int64]
    nonfinite: NDArray[np.int64]
    mae: NDArray[np.float64]
    mse: NDArray[np.float64]
    recent: NDArray[np.float64]
    correct: NDArray[np.int64]
    log_loss: NDArray[np.float64]
    weighed: NDArray[np.int64]

    COLUMNS: ClassVar = {
        "slot": (np.int64, 1),
        "group": (np.int64, 1),
        "order": (np.int64, 1),
        "taught": (np.int64, 1),
        "count": (np.int64, 1),
        "nonfinite": (np.int64, 1),
        "mae": (np.float64, 1),
        "mse": (np.float64, 1),
        "recent": (np.float64, RECENT),
        "correct": (np.int64, 1),
        "log_loss": (np.float64, 1),
        "weighed": (np.int64, 1),
    }

    def score_label(self, row: int, target: Target, answer: Answer) -> None:
        """Scores a classification's answer."""
        if answer.label is None:
            self.nonfinite[row] += not answer.error
            return
        self.count[row] += 1
        self.correct[row] += answer.label == target
        if answer.probabilities is not None:
            self.weighed[row] += 1
            n = float(self.weighed[row])
            loss, mean = _log_loss(target, answer), float(self.log_loss[row])
            self.log_loss[row] = mean + (1.0 / n) * (loss - mean)

    def value_score(self, row: int) -> Score:
        """The score of a regression candidate."""
        count = int(self.count[row])
        if not count:
            return Score(nonfinite=int(self.nonfinite[row]))
        return Score(
            mae=float(self.mae[row]),
            rmse=float(self.mse[row]) ** 0.5,
            mae_recent=float(self.recent[row].sum()) / min(count, RECENT),
            count=count,
            nonfinite=int(self.nonfinite[row]),
        )

    def label_score(self, row: int) -> Score:
        """The score of a classification candidate; log loss only if all answers had one."""
        count = int(self.count[row])
        if not count:
            return Score(nonfinite=int(self.nonfinite[row]))
        return Score(
            accuracy=int(self.correct[row]) / count,
            log_loss=float(self.log_loss[row]) if self.weighed[row] == count else None,
            count=count,
            nonfinite=int(self.nonfinite[row]),
        )

    def mae_recent(self, rows: Sequence[int]) -> NDArray[np.float64]:
        """`Score.mae_recent` of many rows at once; 0 where nothing is scored."""
        counts = np.clip(self.count[rows], 1, RECENT)
        result: NDArray[np.float64] = self.recent[rows].sum(axis=1) / counts
        return result


def _log_loss(target: Target, answer: Answer) -> float:
    assert answer.probabilities is not None
    probability = answer.probabilities.get(target, PROBABILITY_MIN)
    return -math.log(min(max(probability, PROBABILITY_MIN), 1.0 - PROBABILITY_MIN))
