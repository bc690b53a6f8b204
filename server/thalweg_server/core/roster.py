"""Models as arrays, a number each, and where each one's candidates are on the scoreboard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.observation import NO_DAY, Context
from thalweg_server.core.scores import Scoreboard
from thalweg_server.core.table import Table
from thalweg_server.core.tally import PAST
from thalweg_server.core.totals import Totals

if TYPE_CHECKING:
    from thalweg_server.core.model import Candidate

UNLISTED = -1
"""The number of what is no model of the roster: a template, a clone made to be asked once."""


class Roster(Table):
    """Numbers of models, and the columns that learning goes over in bulk.

    Attributes:
        begin: the first candidate's row of the scoreboard,
        width: and how many candidates there are.
        learned: observations learned.
        through: the latest day learned, or NO_DAY.
        dated: whether some candidate wants to see the date.
        touched: whether anything of the model has changed since a reader set it back.
        past: of regression, rows that it has met so far; of the last of these, in rings,
        past_targets: the target,
        past_answers: what a caller would have got, NaN for nothing,
        past_days: and the day, or NO_DAY.
    """

    begin: NDArray[np.int64]
    width: NDArray[np.int64]
    learned: NDArray[np.int64]
    through: NDArray[np.int64]
    dated: NDArray[np.bool_]
    touched: NDArray[np.bool_]
    past: NDArray[np.int64]
    past_targets: NDArray[np.float32]
    past_answers: NDArray[np.float32]
    past_days: NDArray[np.int32]

    COLUMNS: ClassVar = {
        "begin": (np.int64, 1),
        "width": (np.int64, 1),
        "learned": (np.int64, 1),
        "through": (np.int64, 1),
        "dated": (np.bool_, 1),
        "touched": (np.bool_, 1),
        "past": (np.int64, 1),
        "past_targets": (np.float32, PAST),
        "past_answers": (np.float32, PAST),
        "past_days": (np.int32, PAST),
    }

    def __init__(self, board: Scoreboard, totals: Totals) -> None:
        super().__init__()
        self.board = board
        self.totals = totals

    def add(self) -> int:
        """The number of a new model, which has no candidates yet."""
        number = self.take()
        self.through[number] = NO_DAY
        return number

    def remove(self, number: int) -> None:
        """Takes a number back, and the rows of its candidates."""
        self.board.give_back(int(self.begin[number]), int(self.width[number]))
        self.give_back(number)

    def arrange(self, number: int, name: str, candidates: Sequence[Candidate]) -> None:
        """Puts a model's candidates on neighbouring rows; those that had one keep their scores.

        Args:
            number: the model's,
            name: and its name, which says its group.
            candidates: all that it has now.
        """
        board = self.board
        old, width = int(self.begin[number]), int(self.width[number])
        first = board.take(len(candidates)) if candidates else 0
        for row, candidate in enumerate(candidates, first):
            if candidate.row == UNLISTED:
                board.slot[row] = candidate.slot
                board.group[row] = self.totals.group(name, candidate.name)
            else:
                board.copy(candidate.row, row)
            board.order[row] = row - first
            candidate.row = row
        board.give_back(old, width)
        self.begin[number], self.width[number] = first, len(candidates)
        self.touched[number] = True
        self.dated[number] = any(Context.DATE in c.context for c in candidates)

    def regroup(self, name: str, candidates: Sequence[Candidate]) -> None:
        """Has a model's candidates count in the group that it belongs to now."""
        for candidate in candidates:
            self.board.group[candidate.row] = self.totals.group(name, candidate.name)

    def rows(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The scoreboard's rows of all candidates of these models, model by model."""
        begin, width = self.begin[numbers], self.width[numbers]
        ends = np.cumsum(width)
        total = int(ends[-1]) if len(ends) else 0
        rows: NDArray[np.int64] = np.arange(total) + np.repeat(begin - (ends - width), width)
        return rows
