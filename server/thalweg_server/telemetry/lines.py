"""The text of models' series: all but the values is made once per model."""

from __future__ import annotations

from collections.abc import Sequence

from thalweg_server.core.model import Candidate, Model
from thalweg_server.telemetry.families import CHAMPION, LEARNED
from thalweg_server.telemetry.text import labels


class ModelText:
    """One model's lines with blanks for the values; good while its candidates stay the same.

    Args:
        model: the model.
        candidates: its candidates, in a list that nobody changes.
        families: the score families' names.
    """

    __slots__ = ("_labels", "_learned", "blanks", "candidates", "champion", "rows")

    def __init__(self, model: Model, candidates: list[Candidate], families: Sequence[str]) -> None:
        self.candidates = candidates
        self.rows = [candidate.row for candidate in candidates]
        self.champion: int | None = None
        """Position of the champion that `champion_lines` were last made for."""
        self._labels = [labels(model=model.name, candidate=c.name) for c in candidates]
        self._learned = (
            f"{LEARNED}{labels(model=model.name)} ".replace("%", "%%").encode() + b"%d\n"
        )
        self.blanks = [self._blank(family) for family in families]
        """Per family, what formats all candidates' values (`%r` is `repr`, which parses back)."""

    def _blank(self, family: str) -> bytes:
        return "".join(
            f"{family}{label} ".replace("%", "%%") + "%r\n" for label in self._labels
        ).encode()

    def score_lines(self, family: str, values: Sequence[float]) -> bytes:
        """The lines of one family; none for NaN, which stands for "no score yet"."""
        return "".join(
            f"{family}{label} {value!r}\n"
            for label, value in zip(self._labels, values, strict=True)
            if value == value  # noqa: PLR0124
        ).encode()

    def champion_lines(self, position: int) -> bytes:
        """Who answers: 1 for the candidate at this position, 0 for the others."""
        self.champion = position
        return "".join(
            f"{CHAMPION}{label} {int(at == position)}\n" for at, label in enumerate(self._labels)
        ).encode()

    def learned_line(self, learned: int) -> bytes:
        """How much the model has learned."""
        return self._learned % learned
