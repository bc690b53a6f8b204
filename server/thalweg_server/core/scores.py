"""Running quality of every candidate, as arrays with one row per candidate.

Arrays rather than an object per candidate: a scrape reads 61,000 of them at once, and kernels
can update them in place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.observation import Target
from thalweg_server.core.ports import Answer

RECENT = 28
"""Absolute errors kept for `mae_recent`: four weeks of days, and M5's horizon."""

PREDICTION_MAX = 1e100
"""A larger prediction is not scored: its square would take RMSE to infinity for good."""

PROBABILITY_MIN = 1e-15
"""What a class that an answer lacks is given, so that log loss stays finite."""


_ARRAYS = ("count", "nonfinite", "mae", "mse", "recent", "correct", "log_loss", "weighed")


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


class Scoreboard:
    """Scores by row number. Written by one thread; readers may see a row mid-update.

    MAE and RMSE follow the recurrence of `river.stats.Mean`, which `river.metrics.MAE` and
    `RMSE` are made of, so they are equal to these bit for bit. Log loss is the running mean of
    `river.metrics.CrossEntropy`'s terms, except that a class missing from an answer counts as
    PROBABILITY_MIN.
    """

    def __init__(self) -> None:
        self.count: NDArray[np.int64] = np.zeros(0, np.int64)
        self.nonfinite: NDArray[np.int64] = np.zeros(0, np.int64)
        self.mae: NDArray[np.float64] = np.zeros(0)
        self.mse: NDArray[np.float64] = np.zeros(0)
        self.recent: NDArray[np.float64] = np.zeros((0, RECENT))
        self.correct: NDArray[np.int64] = np.zeros(0, np.int64)
        self.log_loss: NDArray[np.float64] = np.zeros(0)
        self.weighed: NDArray[np.int64] = np.zeros(0, np.int64)
        self._free: list[int] = []
        self._view()

    def add(self) -> int:
        """A fresh row."""
        if not self._free:
            self._grow()
        return self._free.pop()

    def remove(self, row: int) -> None:
        """Gives a row back, emptied."""
        for name in _ARRAYS:
            getattr(self, name)[row] = 0
        self._free.append(row)

    def score_value(self, row: int, target: float, answer: Answer) -> float | None:
        """Scores a regression's answer; returns the absolute error, None where not scored."""
        if answer.value is None:
            self._count_unusable(row, answer)
            return None
        n = self._count[row] = self._count[row] + 1
        share = 1.0 / n
        error = abs(target - answer.value)
        mae, mse = self._mae[row], self._mse[row]
        self._mae[row] = mae + share * (error - mae)
        self._mse[row] = mse + share * ((target - answer.value) ** 2 - mse)
        self._recent[row * RECENT + (n - 1) % RECENT] = error
        return error

    def score_label(self, row: int, target: Target, answer: Answer) -> None:
        """Scores a classification's answer."""
        if answer.label is None:
            self._count_unusable(row, answer)
            return
        self.count[row] += 1
        self.correct[row] += answer.label == target
        if answer.probabilities is not None:
            self.weighed[row] += 1
            n = float(self.weighed[row])
            loss, mean = _log_loss(target, answer), float(self.log_loss[row])
            self.log_loss[row] = mean + (1.0 / n) * (loss - mean)

    def value_standings(
        self, rows: Sequence[int], metric: str
    ) -> tuple[list[int], list[float | None]]:
        """What champions are chosen by: scored predictions, and MAE or RMSE."""
        count = self._count
        if metric == "mae":
            mae = self._mae
            return [count[row] for row in rows], [mae[row] for row in rows]
        return [count[row] for row in rows], [self._mse[row] ** 0.5 for row in rows]

    def label_standings(
        self, rows: Sequence[int]
    ) -> tuple[list[int], list[float | None], list[float]]:
        """Likewise: scored predictions, log loss where there is one, and error rate."""
        scores = [self.label_score(row) for row in rows]
        return (
            [score.count for score in scores],
            [score.log_loss for score in scores],
            [1.0 - (score.accuracy or 0.0) for score in scores],
        )

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

    def _count_unusable(self, row: int, answer: Answer) -> None:
        if not answer.error:
            self.nonfinite[row] += 1

    def _grow(self) -> None:
        old = len(self.count)
        new = max(64, 2 * old)
        for name in _ARRAYS:
            array = getattr(self, name)
            grown = np.zeros((new, *array.shape[1:]), array.dtype)
            grown[:old] = array
            setattr(self, name, grown)
        self._free.extend(range(new - 1, old - 1, -1))
        self._view()

    def _view(self) -> None:
        # A memoryview's items are plain Python numbers, read and written in a third of the time
        # that a NumPy array takes for one item.
        self._count: memoryview[int] = memoryview(self.count)  # type: ignore[arg-type]
        self._mae: memoryview[float] = memoryview(self.mae)  # type: ignore[arg-type]
        self._mse: memoryview[float] = memoryview(self.mse)  # type: ignore[arg-type]
        self._recent: memoryview[float] = memoryview(self.recent.reshape(-1))  # type: ignore[arg-type]


def _log_loss(target: Target, answer: Answer) -> float:
    assert answer.probabilities is not None
    probability = answer.probabilities.get(target, PROBABILITY_MIN)
    return -math.log(min(max(probability, PROBABILITY_MIN), 1.0 - PROBABILITY_MIN))
