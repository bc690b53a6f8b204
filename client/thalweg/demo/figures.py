"""The demo's figures, all computed from what the server answered."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from thalweg.results import ModelInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the candidates stand at one moment.

    Attributes:
        models: how many there are.
        won: candidate to the number of models whose champion it is.
        error_sum: candidate to the sum of its absolute errors over all models.
        scored: candidate to the number of predictions in that sum.
        unusable: candidate to its predictions that were not finite.
    """

    models: int
    won: Mapping[str, int]
    error_sum: Mapping[str, float]
    scored: Mapping[str, int]
    unusable: Mapping[str, int]


def standing(models: Iterable[ModelInfo]) -> Standing:
    """Return how the candidates of these models stand."""
    count, won = 0, dict[str, int]()
    error_sum, scored, unusable = dict[str, float](), dict[str, int](), dict[str, int]()
    for model in models:
        count += 1
        for one in model.candidates:
            name, score = one.candidate, one.score
            won[name] = won.get(name, 0) + score.champion
            # A running mean times its count is the sum that it is the mean of.
            error_sum[name] = error_sum.get(name, 0.0) + (score.mae or 0.0) * score.count
            scored[name] = scored.get(name, 0) + score.count
            unusable[name] = unusable.get(name, 0) + score.nonfinite
    return Standing(models=count, won=won, error_sum=error_sum, scored=scored, unusable=unusable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One streamed part of the sales.

    Attributes:
        days: days it covers.
        rows: rows learned.
        seconds: time taken.
        champion_error_sum: sum of the champions' absolute errors, each champion being the one
            that answered at that moment.
        champion_scored: predictions in that sum.
    """

    days: int
    rows: int
    seconds: float
    champion_error_sum: float
    champion_scored: int

    @property
    def rows_per_second(self) -> float:
        """Rows learned per second, by all candidates."""
        return self.rows / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ByHand:
    """The example's own calls, on one item.

    Attributes:
        item, day: what was predicted.
        prediction_id: under which id the answers were kept.
        answered_by: who was champion.
        predicted: candidate to its answer under the prediction id.
        sold: what was learned by that id.
        mae: candidate to its running error after it.
    """

    item: str
    day: str
    prediction_id: str
    answered_by: str
    predicted: Mapping[str, float | None]
    sold: float
    mae: Mapping[str, float | None]

    @property
    def champion_error(self) -> tuple[float, int]:
        """The champion's absolute error and 1, or zeros where it had no finite answer."""
        value = self.predicted.get(self.answered_by)
        return (0.0, 0) if value is None else (abs(self.sold - value), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """One line of the table.

    Attributes:
        candidate: name; "champion" for whatever answered.
        won_before: share of the models whose champion it was after the warm-up; None for the
            champion itself.
        won_after: the same at the end.
        mae_before: mean absolute error over the warm-up days.
        mae_streamed: over the streamed days.
        mae_after: over all days.
    """

    candidate: str
    won_before: float | None
    won_after: float | None
    mae_before: float | None
    mae_streamed: float | None
    mae_after: float | None


def qualities(
    before: Standing, after: Standing, warm_up: Act, streamed: Act, by_hand: ByHand
) -> list[Quality]:
    """Return a line for each candidate, then that of the champion.

    Args:
        before, after: standings after the warm-up and at the end.
        warm_up, streamed: the acts.
        by_hand: the one prediction that was not streamed.
    """
    lines = [
        Quality(
            candidate=name,
            won_before=_ratio(before.won.get(name, 0), before.models),
            won_after=_ratio(after.won[name], after.models),
            mae_before=_ratio(before.error_sum.get(name, 0.0), before.scored.get(name, 0)),
            mae_streamed=_ratio(
                after.error_sum[name] - before.error_sum.get(name, 0.0),
                after.scored[name] - before.scored.get(name, 0),
            ),
            mae_after=_ratio(after.error_sum[name], after.scored[name]),
        )
        for name in after.won
    ]
    error, count = by_hand.champion_error
    first = (warm_up.champion_error_sum, warm_up.champion_scored)
    last = (streamed.champion_error_sum + error, streamed.champion_scored + count)
    champion = Quality(
        candidate="champion",
        won_before=None,
        won_after=None,
        mae_before=_ratio(*first),
        mae_streamed=_ratio(*last),
        mae_after=_ratio(first[0] + last[0], first[1] + last[1]),
    )
    return [*lines, champion]


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def absolute_errors(targets: Iterable[float], predictions: Iterable[float]) -> tuple[float, int]:
    """Return the sum of the absolute errors and their number; NaN predictions do not count."""
    pairs = zip(targets, predictions, strict=True)
    errors = [abs(target - value) for target, value in pairs if math.isfinite(value)]
    return math.fsum(errors), len(errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemQuality:
    """One item's champion, its running error over all days, and what the item sells a day."""

    item: str
    champion: str
    mae: float
    units_per_day: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The day after the last: one item's forecast and who made it, and the sum over all items."""

    item: str
    day: str
    mean: float | None
    candidate: str
    total: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Everything the demo shows.

    Attributes:
        address: where gRPC listened.
        metrics: URL of the metrics page.
        items: models there are at the end.
        unusable: candidate to its predictions that were not finite and so are not scored.
        worst, best: the extremes by MAE over all days.
        metrics_lines: what the metrics page says of the item predicted by hand.
    """

    address: str
    metrics: str
    items: int
    warm_up: Act
    streamed: Act
    qualities: Sequence[Quality]
    unusable: Mapping[str, int]
    by_hand: ByHand
    forecast: Forecast
    worst: Sequence[ItemQuality]
    best: Sequence[ItemQuality]
    metrics_lines: Sequence[str]
