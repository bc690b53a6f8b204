"""Asking many models the same thing: from names to numbers in arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.admission import missing_date
from thalweg_server.core.errors import UnknownModel
from thalweg_server.core.model import Model
from thalweg_server.core.observation import NO_DAY, Column, Context
from thalweg_server.core.ports import Engine
from thalweg_server.core.registry import Registry

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What is asked.

    Args:
        names: the models'.
        day: the first day asked about, or NO_DAY.
        days: how many days, one after the other.
        columns: features, one value for all or one per name.
        candidate: whom to ask; empty = each model's champion, and where its answer for the first
            day is not usable the next best.
    """

    names: Sequence[str]
    day: int
    days: int
    columns: Mapping[str, Column]
    candidate: str = ""


@dataclass(slots=True)
class Findings:
    """What was answered.

    Args:
        names: who was asked.
        means: a line per name, a number per day, NaN for none.
        unknown: names without a model or a template.
    """

    names: list[str] = field(default_factory=list)
    means: Floats = field(default_factory=lambda: np.empty((0, 0)))
    unknown: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Surveyor:
    """Asks the candidates of many models at once. Changes nothing."""

    registry: Registry
    engine: Engine

    def ask(self, survey: Survey, part: range) -> Findings:
        """Asks the models of a part of the names; raises BadRequest where one wants a date."""
        findings = Findings()
        lines, ranked = [], []
        for line in part:
            name = survey.names[line]
            try:
                model = self.registry.resolve(name)
            except UnknownModel:
                findings.unknown.append(name)
                continue
            findings.names.append(name)
            lines.append(line)
            ranked.append(_ranked(survey, model))
        findings.means = self._means(survey, findings.names, np.array(lines, np.int64), ranked)
        return findings

    def _means(
        self,
        survey: Survey,
        names: Sequence[str],
        lines: NDArray[np.int64],
        ranked: Sequence[Sequence[int]],
    ) -> Floats:
        means = np.full((len(names), survey.days), np.nan)
        chosen = np.array([slots[0] if slots else -1 for slots in ranked], np.int64)
        left, place = np.flatnonzero(chosen >= 0), 0
        while len(left):
            slots = np.array([ranked[i][place] for i in left.tolist()], np.int64)
            asked = [names[i] for i in left.tolist()]
            means[left, 0] = answers = self._answers(survey, asked, lines[left], slots, 0)
            usable = ~np.isnan(answers)
            chosen[left[usable]] = slots[usable]
            place += 1
            left = np.array([i for i in left[~usable].tolist() if len(ranked[i]) > place], np.int64)
        left = np.flatnonzero(chosen >= 0)
        asked = [names[i] for i in left.tolist()]
        for day in range(1, survey.days):
            means[left, day] = self._answers(survey, asked, lines[left], chosen[left], day)
        return means

    def _answers(
        self,
        survey: Survey,
        names: Sequence[str],
        lines: NDArray[np.int64],
        slots: NDArray[np.int64],
        day: int,
    ) -> Floats:
        if not len(slots):
            return np.empty(0)
        columns = {name: _lines(column, lines) for name, column in survey.columns.items()}
        first = NO_DAY if survey.day == NO_DAY else survey.day + day
        days = np.full(len(slots), first, np.int64)
        return self.engine.predict_many(slots, days, columns, names)


def _ranked(survey: Survey, model: Model) -> Sequence[int]:
    """Slots of the candidates to ask, best first."""
    candidates = [model.candidates[position] for position in model.order]
    if survey.candidate:
        candidates = [each for each in candidates if each.name == survey.candidate]
    undated = survey.day == NO_DAY and Context.DATE.value not in survey.columns
    if undated and any(Context.DATE in each.context for each in candidates):
        raise missing_date(model.name)
    return [each.slot for each in candidates]


def _lines(column: Column, at: NDArray[np.int64]) -> Column:
    if len(column) == 1:
        return column
    return column[at] if isinstance(column, np.ndarray) else [column[i] for i in at.tolist()]
