"""Describing models: one, a page of them, or what changed."""

from __future__ import annotations

import base64
import json
import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.errors import BadRequest
from thalweg_server.core.globs import compile_glob
from thalweg_server.core.model import Candidate, Judge, Model
from thalweg_server.core.observation import Flavor
from thalweg_server.core.ports import Engine, Health
from thalweg_server.core.registry import Registry
from thalweg_server.core.roster import UNLISTED
from thalweg_server.core.scores import Score, Scoreboard
from thalweg_server.core.selection import loss
from thalweg_server.core.validation import shown

ORDERS = ("name", "mae", "learned")
PAGE_DEFAULT, PAGE_MAX = 100, 1000

_NAME, _NUMBER = attrgetter("name"), attrgetter("number")


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateView:
    """One candidate, described."""

    name: str
    estimator: str
    engine: str
    engine_reason: str
    state_bytes: int
    learned: int
    score: Score
    champion: bool
    health: Health


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """One model or template, described."""

    name: str
    candidates: Sequence[CandidateView]
    learned: int
    learned_through: int
    champion: str
    template: bool


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing."""

    models: Sequence[ModelView]
    next_token: str
    total: int


class Catalogue:
    """Describes what the registry holds."""

    def __init__(self, registry: Registry, engine: Engine, judge: Judge, board: Scoreboard) -> None:
        self._registry = registry
        self._engine = engine
        self._judge = judge
        self._board = board
        self._sorted: tuple[tuple[int, int], Sequence[Model]] = ((-1, -1), ())

    def view(self, model: Model, *, template: bool = False, measure: bool = False) -> ModelView:
        """The model, described; `measure` estimates state sizes, which walks the estimators."""
        return ModelView(
            name=model.name,
            candidates=[self._candidate(model, c, template, measure) for c in model.candidates],
            learned=model.learned,
            learned_through=model.learned_through,
            champion=model.champion.name,
            template=template,
        )

    def page(self, *, size: int, token: str, order_by: str, glob: str, template: bool) -> Page:
        """One page of models in a stable order; raises BadRequest."""
        order, descending = _parse_order(order_by)
        size = min(size or PAGE_DEFAULT, PAGE_MAX)
        frame = [order_by, glob, template]
        after = _parse_token(token, frame)
        models = self._matching(glob, template)
        keys = self._keys(models, order, descending)
        places = np.argsort(keys, kind="stable")  # the models are in order of their names
        if order == "name" and descending:
            places = places[::-1]
        if after is not None:
            names = [model.name for model in models]
            passed = _passed(names, keys, after, backwards=order == "name" and descending)
            places = places[~passed[places]]
        chosen = places[:size].tolist()
        more = len(places) > size
        return Page(
            [self.view(models[i], template=template) for i in chosen],
            _token(frame, (float(keys[chosen[-1]]), models[chosen[-1]].name)) if more else "",
            len(models),
        )

    def _matching(self, glob: str, template: bool) -> Sequence[Model]:
        """Models or templates in order of their names."""
        if template:
            templates = sorted((t.model for t in self._registry.templates.values()), key=_NAME)
            pattern = compile_glob(glob or "*")
            return [model for model in templates if pattern.fullmatch(model.name)]
        if self._sorted[0] != self._registry.membership:
            named = sorted(self._registry.models.values(), key=_NAME)
            self._sorted = (self._registry.membership, named)
        models = self._sorted[1]
        if not glob or glob == "*":
            return models
        pattern = compile_glob(glob)
        return [model for model in models if pattern.fullmatch(model.name)]

    def _keys(self, models: Sequence[Model], order: str, descending: bool) -> NDArray[np.float64]:
        """What to sort by before the name, ascending; models without a score come last."""
        if order == "name":
            return np.zeros(len(models))
        sign = -1.0 if descending else 1.0
        roster = self._registry.roster
        numbers = np.fromiter(map(_NUMBER, models), np.int64, len(models))
        listed = numbers != UNLISTED  # templates are not, and have no score
        if order == "learned":
            return sign * np.where(listed, roster.learned[numbers], 0)
        if self._judge.flavor is Flavor.REGRESSION:
            first = roster.begin[numbers]
            rows = first + self._board.order[first]
            scored = listed & (self._board.count[rows] > 0)
            return np.where(scored, sign * self._board.mae[rows], np.inf)
        losses = [loss(self._judge.score(model.champion)) for model in models]
        return np.array([math.inf if each is None else sign * each for each in losses])

    def _candidate(
        self, model: Model, candidate: Candidate, template: bool, measure: bool
    ) -> CandidateView:
        engine, reason = self._engine.placement(candidate.slot)
        return CandidateView(
            name=candidate.name,
            estimator=candidate.loaded.estimator,
            engine=engine,
            engine_reason=reason,
            state_bytes=self._engine.state_bytes(candidate.slot) if measure else 0,
            learned=0 if template else int(self._board.taught[candidate.row]),
            score=self._judge.score(candidate),
            champion=candidate is model.champion,
            health=self._engine.health(candidate.slot),
        )


def _passed(
    names: Sequence[str], keys: NDArray[np.float64], after: tuple[float, str], *, backwards: bool
) -> NDArray[np.bool_]:
    """Whether each model was on a page before, which ended after this key and name."""
    key, name = after
    here = np.arange(len(names))
    if backwards:
        return here >= bisect_left(names, name)
    passed: NDArray[np.bool_] = (keys < key) | ((keys == key) & (here < bisect_right(names, name)))
    return passed


def _parse_order(order_by: str) -> tuple[str, bool]:
    order, _, direction = (order_by or "name").partition(" ")
    if order not in ORDERS or direction not in ("", "desc"):
        raise BadRequest(
            f"order_by {shown(order_by)} is unknown: use {', '.join(ORDERS)}, each with or "
            "without ' desc'",
            field="order_by",
        )
    return order, direction == "desc"


def _token(frame: list[object], last: tuple[float, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps([frame, last]).encode()).decode()


def _parse_token(token: str, frame: list[object]) -> tuple[float, str] | None:
    if not token:
        return None
    try:
        asked, (key, name) = json.loads(base64.urlsafe_b64decode(token))
        last = float(key), str(name)
    except (ValueError, TypeError):
        asked, last = None, (0.0, "")
    if asked != frame:
        raise BadRequest(
            "page_token is not from a page of this order and glob: begin again without one",
            field="page_token",
        )
    return last
