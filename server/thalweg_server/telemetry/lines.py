"""The text of models' series: all but the values is made once per model."""

from __future__ import annotations

from collections.abc import Sequence

from thalweg_server.core.model import Model
from thalweg_server.telemetry.families import CHAMPION, LEARNED, THROUGH
from thalweg_server.telemetry.text import labels


class ModelText:
    """One model's lines with blanks for the values; good while its candidates stay the same.

    Args:
        model: the model.
        families: the score families' names.
    """

    __slots__ = ("_labels", "blanks", "candidates", "champion", "learned", "rows", "through")

    def __init__(self, model: Model, families: Sequence[str]) -> None:
        self.candidates = list(model.candidates)
        self.rows = [candidate.row for candidate in self.candidates]
        self._labels = [labels(model=model.name, candidate=c.name) for c in self.candidates]
        self.champion: list[int] | None = None
        """Position of the champion that `champion_lines` were last made for."""
        self.learned = _blank(LEARNED, [labels(model=model.name)], "%d")
        """What formats the count of observations learned,"""
        self.through = _blank(THROUGH, [labels(model=model.name)], "%d")
        """and the latest day of these, in seconds since the epoch."""
        # repr, because what it writes parses back bit for bit.
        self.blanks = [_blank(family, self._labels, "%r") for family in families]
        """Per family, what formats the values of all candidates."""

    def score_lines(self, family: str, values: Sequence[float]) -> bytes:
        """The lines of one family; none for NaN, which stands for "no score yet"."""
        return "".join(
            f"{family}{label} {value!r}\n"
            for label, value in zip(self._labels, values, strict=True)
            if value == value  # noqa: PLR0124
        ).encode()

    def champion_lines(self, champion: list[int]) -> bytes:
        """Who answers: 1 for the candidate at this position, 0 for the others.

        The position is that of `Model.order[:1]`: it may be missing, or out of range, while the
        model is being changed.
        """
        self.champion = champion
        return "".join(
            f"{CHAMPION}{label} {int(champion == [position])}\n"
            for position, label in enumerate(self._labels)
        ).encode()


def _blank(family: str, series: Sequence[str], value: str) -> bytes:
    return "".join(f"{family}{each} ".replace("%", "%%") + f"{value}\n" for each in series).encode()
