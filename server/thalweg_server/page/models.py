"""One model for the page: its candidates' scores, what it said lately, what it says will come.

Functions for the thread that the models live in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thalweg_server.core import history
from thalweg_server.core.errors import Refusal, UnknownModel
from thalweg_server.core.listing import CandidateView
from thalweg_server.core.model import Model
from thalweg_server.core.observation import NO_DAY, Context, Flavor, Question, day_text
from thalweg_server.core.service import Service
from thalweg_server.core.validation import shown
from thalweg_server.page.events import dump, number

FORECAST_DAYS = 28
"""Four weeks, as in the M5 competition."""

SCORES = ("mae", "mae_recent", "rmse", "accuracy", "log_loss")


def describe(service: Service, name: str) -> bytes:
    """The model as JSON; raises UnknownModel."""
    model = service.model(name)
    if model is None:
        raise UnknownModel(f"no model {shown(name)}: it may have been deleted", field="model")
    flavor, view = service.ready(), service.catalogue.view(model)
    regression = flavor is Flavor.REGRESSION
    return dump(
        {
            "name": name,
            "flavor": flavor.value,
            "learned": view.learned,
            "learned_through": day_text(view.learned_through) or None,
            "candidates": [_candidate(each) for each in view.candidates],
            "history": _history(service, model) if regression else [],
            "forecast": _forecast(service, model) if regression else None,
        }
    )


def _candidate(view: CandidateView) -> dict[str, Any]:
    scores = {name: getattr(view.score, name) for name in SCORES}
    return {
        "name": view.name,
        "estimator": view.estimator,
        "engine": view.engine,
        "engine_reason": view.engine_reason,
        "champion": view.champion,
        "learned": view.learned,
        "scored": view.score.count,
        "nonfinite": view.score.nonfinite,
        "strikes": view.health.strikes,
        "quarantined": view.health.quarantined,
        **{name: None if value is None else number(value) for name, value in scores.items()},
    }


def _history(service: Service, model: Model) -> Sequence[Sequence[str | float | None]]:
    """Day, target and prediction of the last observations, oldest first."""
    return [
        (
            point.day.isoformat() if point.day else None,
            number(point.target),
            None if point.prediction is None else number(point.prediction),
        )
        for point in history.last(service.registry.roster, model.number)
    ]


def _forecast(service: Service, model: Model) -> dict[str, Any]:
    """What the champion says of the days after the last one learned, or why it says nothing."""
    if model.learned_through == NO_DAY:
        return _silent("its observations have no dates")
    if Context.DATE not in model.champion.context:
        return _silent(
            f"its champion {shown(model.champion.name)} goes by features that only callers know"
        )
    first = model.learned_through + 1
    days = min(FORECAST_DAYS, service.limits.horizon_days_max)
    try:
        reply = service.predict(Question(model.name, first), days=days)
    except Refusal as refusal:
        return _silent(refusal.message)
    return {
        "problem": None,
        "candidate": reply.asked[reply.chosen].name,
        "begins": day_text(first),
        "values": [None if a.value is None else number(a.value) for a in reply.forecast],
    }


def _silent(problem: str) -> dict[str, Any]:
    return {"problem": problem, "candidate": None, "begins": None, "values": []}
