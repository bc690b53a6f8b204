"""Describing models: one, a page of them, or what changed."""

from __future__ import annotations

import base64
import heapq
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from thalweg_server.core.errors import BadRequest
from thalweg_server.core.globs import compile_glob
from thalweg_server.core.model import Candidate, Judge, Model
from thalweg_server.core.observation import Flavor
from thalweg_server.core.ports import Engine
from thalweg_server.core.registry import Registry
from thalweg_server.core.scores import Score, Scoreboard
from thalweg_server.core.selection import loss
from thalweg_server.core.validation import shown

ORDERS = ("name", "mae", "learned")
PAGE_DEFAULT, PAGE_MAX = 100, 1000


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
        places = [(key, m.name) for key, m in zip(keys, models, strict=True)]
        if order == "name" and descending:
            rest = [place for place in places if after is None or place < after]
            chosen = heapq.nlargest(size, rest)
        else:
            rest = [place for place in places if after is None or place > after]
            chosen = heapq.nsmallest(size, rest)
        held = {m.name: m for m in models}
        return Page(
            [self.view(held[name], template=template) for _, name in chosen],
            _token(frame, chosen[-1]) if len(rest) > size else "",
            len(models),
        )

    def _matching(self, glob: str, template: bool) -> list[Model]:
        if not template:
            return list(self._registry.matching(glob))
        templates = [t.model for t in self._registry.templates.values()]
        pattern = compile_glob(glob or "*")
        return [model for model in templates if pattern.fullmatch(model.name)]

    def _keys(self, models: Sequence[Model], order: str, descending: bool) -> Iterable[float]:
        if order == "name":
            return [0.0] * len(models)
        sign = -1.0 if descending else 1.0
        if order == "learned":
            return [sign * m.learned for m in models]
        losses = [self._loss(m) for m in models]
        return [math.inf if each is None else sign * each for each in losses]

    def _loss(self, model: Model) -> float | None:
        row = model.champion.row
        if row < 0 or not self._board.count[row]:
            return None
        if self._judge.flavor is Flavor.REGRESSION:
            return float(self._board.mae[row])
        return loss(self._judge.score(model.champion))

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
        )


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
