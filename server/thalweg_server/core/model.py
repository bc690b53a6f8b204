"""One model: its candidates, and one step of progressive validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from thalweg_server.core.observation import NO_DAY, Context, Flavor, Target
from thalweg_server.core.ports import Answer, Loaded
from thalweg_server.core.scores import Score, Scoreboard
from thalweg_server.core.selection import ranking


@dataclass(slots=True)
class Candidate:
    """One estimator inside a model.

    Args:
        name: its name, unique in the model.
        slot: the engine's number for it.
        loaded: what the engine found out about the upload that it is, or is a clone of.
        context: what to add to its `x`.
        row: its row of the scoreboard.
        uploaded: number of the upload it came with; a later upload has a larger one.
    """

    name: str
    slot: int
    loaded: Loaded
    context: tuple[Context, ...]
    row: int
    uploaded: int
    learned: int = 0


@dataclass(slots=True)
class Model:
    """A named unit; its candidates are in order of their uploads."""

    name: str
    candidates: list[Candidate] = field(default_factory=list)
    learned: int = 0
    learned_through: int = NO_DAY
    order: list[int] = field(default_factory=list)
    """Positions of the candidates, best first: order[0] is the champion."""
    label_kind: type | None = None
    """Multiclass: the type that targets have, fixed by the first one or by an upload."""

    @property
    def champion(self) -> Candidate:
        """The candidate that answers."""
        return self.candidates[self.order[0]]

    def find(self, candidate: str) -> Candidate | None:
        """The candidate of that name."""
        return next((c for c in self.candidates if c.name == candidate), None)


class Judge:
    """Scores answers and keeps champions, by the rules of one flavor."""

    def __init__(self, flavor: Flavor, board: Scoreboard, metric: str) -> None:
        self._board = board
        self._metric = metric
        self.flavor = flavor

    @property
    def flavor(self) -> Flavor:
        """What the models predict."""
        return self._flavor

    @flavor.setter
    def flavor(self, flavor: Flavor) -> None:
        self._flavor = flavor
        self._numeric = flavor is Flavor.REGRESSION

    def score(self, candidate: Candidate) -> Score:
        """The candidate's running quality."""
        if self._numeric:
            return self._board.value_score(candidate.row)
        return self._board.label_score(candidate.row)

    def reselect(self, model: Model) -> None:
        """Puts the model's candidates in order anew."""
        rows = [candidate.row for candidate in model.candidates]
        if len(rows) == 1:
            model.order = [0]
        elif self._numeric:
            model.order = ranking(*self._board.value_standings(rows, self._metric))
        else:
            model.order = ranking(*self._board.label_standings(rows))

    def add(self, row: int, target: Target, answer: Answer) -> float | None:
        """Scores one answer in a row of the scoreboard; returns its absolute error, if any."""
        if self._numeric:
            return self._board.score_value(row, target, answer)  # type: ignore[arg-type]
        self._board.score_label(row, target, answer)
        return None


def best_answer(order: Sequence[int], answers: Sequence[Answer]) -> int:
    """Position of the first usable answer in this order, else the champion's own."""
    return next((i for i in order if answers[i].usable), order[0])
