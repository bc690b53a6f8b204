"""Which models and templates there are, and how models come to be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thalweg_server.core.errors import LimitReached, NotAnEstimator, UnknownCandidate, UnknownModel
from thalweg_server.core.globs import compile_glob, literal_characters
from thalweg_server.core.limits import Limits
from thalweg_server.core.model import Candidate, Judge, Model
from thalweg_server.core.observation import Names
from thalweg_server.core.ports import Engine
from thalweg_server.core.roster import UNLISTED, Roster
from thalweg_server.core.validation import shown

_NOBODY = Model("")

UNASKED = -2
"""Stands for the number of a name that was not looked up yet."""


@dataclass(slots=True)
class Template:
    """A model whose candidates are never asked or taught, only cloned."""

    model: Model
    pattern: re.Pattern[str]
    literals: int


class Registry:
    """Models and templates by name. Written by one thread.

    Args:
        engine: what runs candidates.
        roster: where models and their candidates are as arrays.
        judge: orders candidates.
        limits: how many there may be.
    """

    def __init__(self, engine: Engine, roster: Roster, judge: Judge, limits: Limits) -> None:
        self._engine = engine
        self.models: dict[str, Model] = {}
        self.templates: dict[str, Template] = {}
        self.roster = roster
        self._judge = judge
        self._limits = limits
        self._removals = 0

    def get(self, name: str, *, template: bool = False) -> Model:
        """The model or template; raises UnknownModel."""
        if template:
            if name in self.templates:
                return self.templates[name].model
            raise UnknownModel(f"no template {shown(name)}", field="model")
        if name in self.models:
            return self.models[name]
        raise unknown(name)

    @property
    def membership(self) -> tuple[int, int]:
        """Another value each time that a model has come or gone."""
        return self._removals, len(self.models)

    @property
    def removals(self) -> int:
        """Models that have gone so far."""
        return self._removals

    def restore(self, models: list[Model], templates: list[Model], removals: int) -> None:
        """Holds these, which the roster and the engine have already; it is empty before."""
        self.models.update((model.name, model) for model in models)
        for model in models:
            model.roster = self.roster
        for model in templates:
            self.templates[model.name] = _template_of(model)
        self._removals = removals

    def resolve(self, name: str) -> Model:
        """Who answers for a name: its model, or what one would be cloned from.

        Asking changes nothing, so that there is no need to clone. Raises UnknownModel.
        """
        return self.models.get(name) or Model(name, self._needed(name))

    def obtain(self, name: str) -> Model:
        """The model, cloned from templates where it is new; raises UnknownModel, LimitReached."""
        model = self.models.get(name)
        if model is None:
            sources = self._needed(name)
            self._check_room()
            model = self.cloned(name, sources)
            self.models[name] = model
            self._arrange(model)
        return model

    def numbers(self, names: Names, index: NDArray[np.int32]) -> NDArray[np.int64]:
        """The number of the model that each row points to, UNLISTED where there is none yet.

        The names keep what was found, for slices and batches to come, until a model is removed,
        whose number may soon be another's. Looked up are only those asked for: a batch may have
        100,000 names, and whoever waits behind a slice should not wait for all of them.
        """
        if names.version != self._removals:
            names.numbers = np.full(len(names), UNASKED, np.int64)
            names.version = self._removals
        known = names.numbers
        numbers: NDArray[np.int64] = known[index]
        if (numbers == UNASKED).any():
            asked, get = list(set(index[numbers == UNASKED].tolist())), self.models.get
            known[asked] = [get(names[i], _NOBODY).number for i in asked]
            numbers = known[index]
        return numbers

    def sources(self, name: str) -> list[Candidate]:
        """For each candidate name, the template's candidate a new model would be cloned from."""
        best: dict[str, tuple[tuple[int, int], Candidate]] = {}
        for template in self.templates.values():
            if template.pattern.fullmatch(name):
                for candidate in template.model.candidates:
                    rank = (template.literals, candidate.uploaded)
                    if candidate.name not in best or rank > best[candidate.name][0]:
                        best[candidate.name] = (rank, candidate)
        return sorted((c for _, c in best.values()), key=lambda c: c.uploaded)

    def _needed(self, name: str) -> list[Candidate]:
        sources = self.sources(name)
        if not sources:
            raise unknown(name)
        return sources

    def cloned(self, name: str, sources: list[Candidate]) -> Model:
        """A model of clones that is not registered and has no scores yet."""
        model = Model(name, label_kind=_label_kind(sources))
        try:
            for source in sources:
                model.candidates.append(self.clone_of(source))
        except BaseException:
            self.discard(model)
            raise
        return model

    def clone_of(self, source: Candidate) -> Candidate:
        """A candidate with a copy of the other's estimator, learned state included, no score."""
        slot = self._engine.clone(source.slot)
        return Candidate(source.name, slot, source.loaded, source.context, source.uploaded)

    def discard(self, model: Model) -> None:
        """Lets go of the clones of a model that is not registered."""
        for candidate in model.candidates:
            self._engine.drop([candidate.slot])

    def put(self, name: str, candidate: Candidate, *, template: bool) -> Model:
        """Adds the candidate, in place of one of its name; its score starts from nothing."""
        model = self._template(name) if template else self.models.setdefault(name, Model(name))
        old = model.find(candidate.name)
        if old is not None:
            self._let_go(model, old)
        model.candidates.append(candidate)
        model.label_kind = model.label_kind or _label_kind([candidate])
        if not template:
            self._arrange(model)
            self._judge.reselect(model)
        return model

    def check_addition(
        self, name: str, candidate: str, classes: frozenset[type], *, template: bool
    ) -> None:
        """Raises LimitReached or NotAnEstimator where `put` would go beyond what may be."""
        held = self.templates if template else self.models
        if name not in held:
            self._check_room()
            return
        model = self.get(name, template=template)
        if model.find(candidate) is None and len(model.candidates) >= self._limits.candidates_max:
            raise LimitReached(
                f"model {shown(name)} has {len(model.candidates)} candidates, the most there may "
                "be: delete one first"
            )
        if model.label_kind and classes and classes != {model.label_kind}:
            raise NotAnEstimator(
                f"the classifier knows classes of type {_names(classes)}, those of model "
                f"{shown(name)} are of type {model.label_kind.__name__}",
                field="payload",
            )

    def candidate(self, model: Model, name: str) -> Candidate:
        """The model's candidate of that name, the champion for none; raises UnknownCandidate."""
        found = model.find(name) if name else model.champion
        if found is None:
            names = ", ".join(c.name for c in model.candidates)
            raise UnknownCandidate(
                f"model {shown(model.name)} has no candidate {shown(name)}; it has {names}",
                field="candidate",
            )
        return found

    def find(self, slot: int) -> tuple[str, str, bool] | None:
        """Names of the model and the candidate of a slot, and whether it is a template's.

        Looks at all of them.
        """
        templates = [(each.model, True) for each in self.templates.values()]
        for model, template in [*((m, False) for m in self.models.values()), *templates]:
            for candidate in model.candidates:
                if candidate.slot == slot:
                    return model.name, candidate.name, template
        return None

    def remove(self, name: str, candidate: str, *, template: bool) -> bool:
        """Removes one candidate, or all; returns whether the model itself is gone."""
        model = self.get(name, template=template)
        doomed = [self.candidate(model, candidate)] if candidate else list(model.candidates)
        for each in doomed:
            self._let_go(model, each)
        if not template:
            self._arrange(model)
        if model.candidates:
            if not template:
                self._judge.reselect(model)
            return False
        del (self.templates if template else self.models)[name]
        return True

    def matching(self, glob: str) -> Iterator[Model]:
        """Models whose names match, in no order; an empty glob matches all."""
        models = list(self.models.values())
        if not glob or glob == "*":
            return iter(models)
        pattern = compile_glob(glob)
        return (model for model in models if pattern.fullmatch(model.name))

    def clear(self) -> None:
        """Removes everything."""
        for name in list(self.models):
            self.remove(name, "", template=False)
        for name in list(self.templates):
            self.remove(name, "", template=True)

    def _template(self, glob: str) -> Model:
        if glob not in self.templates:
            self.templates[glob] = _template_of(Model(glob))
        return self.templates[glob].model

    def _let_go(self, model: Model, candidate: Candidate) -> None:
        model.candidates.remove(candidate)
        self._engine.drop([candidate.slot])

    def _arrange(self, model: Model) -> None:
        """Lists the model's candidates as they are now, and takes it off with the last."""
        if not model.candidates:
            self.roster.remove(model.number)
            model.number, model.roster = UNLISTED, None
            self._removals += 1
            return
        if model.roster is None:
            model.number, model.roster = self.roster.add(), self.roster
        self.roster.arrange(model.number, model.name, model.candidates)

    def has_room(self, more: int = 1) -> bool:
        """Whether there may be so many more models or templates."""
        return len(self.models) + len(self.templates) + more <= self._limits.models_max

    def has_place(self, name: str, more: int) -> bool:
        """Whether a model, which need not be there yet, may have so many more candidates."""
        model = self.models.get(name)
        held = len(model.candidates) if model else 0
        return held + more <= self._limits.candidates_max

    def _check_room(self) -> None:
        if not self.has_room():
            raise LimitReached(
                f"the server holds {self._limits.models_max} models and templates, the most there "
                "may be: delete some first"
            )


def _template_of(model: Model) -> Template:
    return Template(model, compile_glob(model.name), literal_characters(model.name))


def unknown(model: str) -> UnknownModel:
    """The error for a name that there is nothing for."""
    return UnknownModel(
        f"no model {shown(model)}, and no template matches that name: upload one of them first",
        field="model",
    )


def _label_kind(candidates: list[Candidate]) -> type | None:
    kinds = {kind for c in candidates for kind in c.loaded.classes}
    return kinds.pop() if len(kinds) == 1 else None


def _names(kinds: frozenset[type]) -> str:
    return ", ".join(sorted(kind.__name__ for kind in kinds))
