"""All models at a glance: how good their champions are, who these are, the worst and the best.

NumPy over the scoreboard: a few milliseconds for tens of thousands of models, for a thread that
nobody waits for.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.model import Model
from thalweg_server.core.observation import Flavor
from thalweg_server.core.service import Service
from thalweg_server.core.tally import RECENT
from thalweg_server.page.candidates import Names
from thalweg_server.page.events import dump, number
from thalweg_server.page.histogram import even_bars, log_bars
from thalweg_server.page.subject import State, Subject

RANKED = 10
"""Models listed at either end."""

SCORED_MIN = RECENT
"""Scored predictions without which a model is not ranked: the first few say little."""

CHAMPIONS_SHOWN = 12
"""Shares shown one by one."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Survey:
    """Looks at all models. One thread at a time.

    Args:
        subject: what is looked at.
    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._names = Names(subject.service.totals)
        self._membership: tuple[int, int] | None = None
        self._models: Sequence[Model] = ()
        self._numbers: Ints = np.zeros(0, np.int64)

    def take(self) -> bytes:
        """What is there now, as JSON."""
        service = self._subject.service
        if self._subject.state() is State.STARTING or service.flavor is None:
            return dump({"models": 0})
        self._list(service)
        return dump(_survey(service, self._models, self._numbers, self._names))

    def _list(self, service: Service) -> None:
        """Keeps models and their numbers until one comes or goes."""
        membership = service.registry.membership
        if membership != self._membership:
            self._models = list(service.registry.models.values())
            self._numbers = np.fromiter(
                map(attrgetter("number"), self._models), np.int64, len(self._models)
            )
            self._membership = membership


def _survey(
    service: Service, models: Sequence[Model], numbers: Ints, names: Names
) -> dict[str, Any]:
    roster, board = service.registry.roster, service.board
    listed = np.flatnonzero((numbers >= 0) & (numbers < roster.size))
    first = roster.begin[numbers[listed]]
    champions = first + board.order[first]
    scored = board.count[champions] > 0
    rows = champions[scored]
    quality = _quality(service, rows)
    shares = sorted(names.sums(board.group[champions]).items(), key=lambda s: -s[1])
    view = {
        "models": len(models),
        "scored": len(rows),
        "champions": shares[:CHAMPIONS_SHOWN],
        "names": len(shares),
    }
    if not len(rows):
        return view
    regression = service.flavor is Flavor.REGRESSION
    seen = board.count[rows]
    ranked = np.flatnonzero(seen >= min(SCORED_MIN, int(seen.max())))
    # Upwards: the best MAE, or the worst accuracy, comes first.
    order = ranked[np.argsort(quality[ranked], kind="stable")]
    low, high = order[:RANKED], order[::-1][:RANKED]
    found = [models[i] for i in listed[scored][np.concatenate((low, high))].tolist()]
    entries = [_entry(service, model) for model in found]
    low_entries, high_entries = entries[: len(low)], entries[len(low) :]
    return view | {
        "ranked": len(ranked),
        "ranked_from": min(SCORED_MIN, int(seen.max())),
        "median": number(float(np.median(quality))),
        **(_errors(quality) if regression else {"bars": even_bars(quality)}),
        "best": low_entries if regression else high_entries,
        "worst": high_entries if regression else low_entries,
    }


def _quality(service: Service, rows: Ints) -> Floats:
    """MAE, or the share of right answers, of candidates that were scored."""
    board = service.board
    if service.flavor is Flavor.REGRESSION:
        return board.mae[rows]
    right: Floats = board.correct[rows] / np.maximum(board.count[rows], 1)
    return right


def _errors(errors: Floats) -> dict[str, Any]:
    """How errors are spread; those that are none have no place on a scale of powers of ten."""
    some = errors[errors > 0]
    return {"bars": log_bars(some) if len(some) else None, "exact": len(errors) - len(some)}


def _entry(service: Service, model: Model) -> dict[str, Any]:
    """A line of a ranking; figures as of now, which may be a moment after the ranking's."""
    champion = model.champion
    score = service.judge.score(champion)
    quality = score.mae if score.mae is not None else score.accuracy
    return {
        "name": model.name,
        "champion": champion.name,
        "quality": None if quality is None else number(quality),
        "log_loss": None if score.log_loss is None else number(score.log_loss),
        "learned": model.learned,
    }
