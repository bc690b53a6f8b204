"""One model: its candidates, and who of them answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from thalweg_server.core.observation import NO_DAY, Context, Flavor
from thalweg_server.core.ports import Answer, Loaded
from thalweg_server.core.roster import UNLISTED, Roster
from thalweg_server.core.scores import Score, Scoreboard
from thalweg_server.core.selection import ranking
from thalweg_server.core.tally import rank


@dataclass(slots=True)
class Candidate:
    """One estimator inside a model.

    Args:
        name: its name, unique in the model.
        slot: the engine's number for it.
        loaded: what the engine found out about the upload that it is, or is a clone of.
        context: what to add to its `x`.
        uploaded: number of the upload it came with; a later upload has a larger one.
        row: its row of the scoreboard; UNLISTED for one that is not asked to learn.
    """

    name: str
    slot: int
    loaded: Loaded
    context: tuple[Context, ...]
    uploaded: int
    row: int = UNLISTED


@dataclass(slots=True)
class Model:
    """A named unit; its candidates are in order of their uploads.

    Templates are models, too, and so are clones that are asked once: these are not listed.
    """

    name: str
    candidates: list[Candidate] = field(default_factory=list)
    label_kind: type | None = None
    """Multiclass: the type that targets have, fixed by the first one or by an upload."""
    number: int = UNLISTED
    roster: Roster | None = None

    @property
    def learned(self) -> int:
        """Observations learned."""
        return int(self.roster.learned[self.number]) if self.roster else 0

    @property
    def learned_through(self) -> int:
        """The latest day learned, or NO_DAY."""
        return int(self.roster.through[self.number]) if self.roster else NO_DAY

    @property
    def order(self) -> list[int]:
        """Positions of the candidates, best first: order[0] is the champion."""
        if self.roster is None:
            return list(range(len(self.candidates)))
        begin, width = self.roster.begin[self.number], self.roster.width[self.number]
        order: list[int] = self.roster.board.order[begin : begin + width].tolist()
        return order

    @property
    def champion(self) -> Candidate:
        """The candidate that answers."""
        return self.candidates[self.order[0]]

    def find(self, candidate: str) -> Candidate | None:
        """The candidate of that name."""
        return next((c for c in self.candidates if c.name == candidate), None)


class Judge:
    """Reads scores and keeps champions, by the rules of one flavor."""

    def __init__(self, flavor: Flavor, board: Scoreboard, metric: str) -> None:
        self.flavor = flavor
        self.by_rmse = metric == "rmse"
        self._board = board

    def score(self, candidate: Candidate) -> Score:
        """The candidate's running quality; of one that is not listed, nothing yet."""
        if candidate.row == UNLISTED:
            return Score()
        if self.flavor is Flavor.REGRESSION:
            return self._board.value_score(candidate.row)
        return self._board.label_score(candidate.row)

    def reselect(self, model: Model) -> None:
        """Puts the candidates of a listed model in order anew."""
        board, first, width = self._board, model.candidates[0].row, len(model.candidates)
        if self.flavor is Flavor.REGRESSION:
            rank(first, width, self.by_rmse, board.order, board.count, board.mae, board.mse)
            return
        scores = [self.score(candidate) for candidate in model.candidates]
        rates = [1.0 - (score.accuracy or 0.0) for score in scores]
        losses = [score.log_loss for score in scores]
        order = ranking([score.count for score in scores], losses, rates)
        board.order[first : first + width] = order


def best_answer(order: Sequence[int], answers: Sequence[Answer]) -> int:
    """Position of the first usable answer in this order, else the champion's own."""
    return next((i for i in order if answers[i].usable), order[0])
