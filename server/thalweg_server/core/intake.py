"""Taking in uploads: checks, then the candidate's place in a model or a template."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from thalweg_server.core.errors import (
    BadRequest,
    CandidateExists,
    ChecksumMismatch,
    EstimatorFailed,
    LimitReached,
    NotAnEstimator,
    Refusal,
)
from thalweg_server.core.events import Uploaded
from thalweg_server.core.limits import Limits
from thalweg_server.core.model import Candidate
from thalweg_server.core.observation import Flavor
from thalweg_server.core.ports import Engine, Loaded
from thalweg_server.core.registry import Registry
from thalweg_server.core.validation import check_name, shown


class Intake:
    """Turns uploads into candidates.

    Args:
        registry: where they go.
        engine: what runs them.
        limits: bounds on names and numbers.
    """

    def __init__(self, registry: Registry, engine: Engine, limits: Limits) -> None:
        self._registry = registry
        self._engine = engine
        self._limits = limits
        self.uploads = 0
        """How many there have been: the number of the last one."""

    def load(self, event: Uploaded, sha256: bytes | None, flavor: Flavor) -> Loaded:
        """Checks what can be checked without loading the payload, then hands it to the engine."""
        check_name(event.model, self._limits, glob=event.template)
        check_name(event.candidate, self._limits, field="candidate")
        if event.apply_to_existing and not event.template:
            raise BadRequest("apply_to_existing goes with template only", field="apply_to_existing")
        if sha256 is not None and hashlib.sha256(event.payload).digest() != sha256:
            raise ChecksumMismatch(
                f"the payload ({len(event.payload)} bytes) has another SHA-256 than was sent: "
                "upload it again",
                field="payload",
            )
        self._check_new(event)
        return self._engine.load(event.payload, flavor, event.context, event.origin)

    def apart(self, event: Uploaded, waiting: Sequence[Uploaded], flavor: Flavor) -> bool:
        """Whether what is known of an upload is the same before and after those that wait."""
        if not waiting:
            return True
        if event.template or any(each.template for each in waiting):
            return False
        beside = [each.candidate for each in waiting if each.model == event.model]
        if event.candidate in beside or (beside and flavor is Flavor.MULTICLASS):
            return False  # the first classes that a model knows are those of all its candidates
        place = self._registry.has_place(event.model, len(beside) + 1)
        return place and self._registry.has_room(len(waiting) + 1)

    def admitted(self, event: Uploaded, sha256: bytes | None, flavor: Flavor) -> Loaded:
        """Loads and checks an upload; raises what either does, and then holds nothing."""
        loaded = self.load(event, sha256, flavor)
        try:
            self.check(event, loaded)
        except BaseException:
            self._engine.drop([loaded.slot])
            raise
        return loaded

    def reload(self, event: Uploaded, flavor: Flavor) -> Loaded:
        """Loads what was checked and logged; raises NotReady."""
        return self._engine.load(event.payload, flavor, event.context, event.origin)

    def check(self, event: Uploaded, loaded: Loaded) -> None:
        """Checks what only loading could tell; raises NotAnEstimator, LimitReached and others."""
        if len(loaded.classes) > 1:
            raise NotAnEstimator(
                "the classifier knows classes of several types; learn texts, integers or flags, "
                "not a mixture",
                field="payload",
            )
        if loaded.size_bytes > self._limits.state_bytes_max:
            raise LimitReached(
                f"the estimator takes {loaded.size_bytes:,} bytes of memory, and a candidate may "
                f"take {self._limits.state_bytes_max:,}: upload a smaller one"
            )
        self._registry.check_addition(
            event.model, event.candidate, loaded.classes, template=event.template
        )
        if event.template:  # find out now whether it can be copied, not at the first observation
            try:
                self._engine.drop([self._engine.clone(loaded.slot)])
            except EstimatorFailed as failed:
                raise NotAnEstimator(f"no template: {failed.message}", field="payload") from failed

    def apply(self, event: Uploaded, loaded: Loaded) -> set[str]:
        """Puts the candidate in its place; returns the names of models that changed."""
        self.uploads += 1
        candidate = Candidate(
            name=event.candidate,
            slot=loaded.slot,
            loaded=loaded,
            context=event.context,
            uploaded=self.uploads,
        )
        self._registry.put(event.model, candidate, template=event.template)
        changed = set() if event.template else {event.model}
        if event.apply_to_existing:
            changed |= self._apply_to_existing(event, candidate)
        return changed

    def _check_new(self, event: Uploaded) -> None:
        held = self._registry.templates if event.template else self._registry.models
        if event.model not in held or event.replace:
            return
        model = self._registry.get(event.model, template=event.template)
        if model.find(event.candidate):
            raise CandidateExists(
                f"{shown(event.model)} has a candidate {shown(event.candidate)}: send replace "
                "to put this one in its place, or choose another name",
                field="candidate",
            )

    def _apply_to_existing(self, event: Uploaded, source: Candidate) -> set[str]:
        changed = set()
        for model in list(self._registry.matching(event.model)):
            if model.find(event.candidate) and not event.replace:
                continue
            try:
                self._registry.check_addition(
                    model.name, source.name, source.loaded.classes, template=False
                )
            except Refusal:
                continue  # full, or of other classes: the template is for those that fit
            self._registry.put(model.name, self._registry.clone_of(source), template=False)
            changed.add(model.name)
        return changed
