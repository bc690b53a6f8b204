"""Candidates that were stopped too often: left alone, as an event of the log like any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from thalweg_server.core.events import Event, Quarantined
from thalweg_server.core.ports import Engine
from thalweg_server.core.registry import Registry


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Puts candidates away, for good.

    Args:
        engine: runs candidates, and knows which of them it had to stop.
        registry: all models.
        log: adds an event to the log, and returns when that is durable.
        tell: called with the names of models that changed.
    """

    engine: Engine
    registry: Registry
    log: Callable[[Event], None]
    tell: Callable[[set[str]], None]

    def settle(self) -> list[Quarantined]:
        """Puts candidates that were stopped too often away; says which.

        Between two events: where this one is in the log says which rows they did learn.
        """
        settled: list[Quarantined] = []
        condemned = self.engine.condemned()
        if not condemned:
            return settled
        for slot, reason in list(condemned.items()):
            found = self.registry.find(slot)
            if found is None:  # a copy that was made for one answer
                self.engine.quarantine(slot, reason)
                continue
            name, candidate, template = found
            event = Quarantined(name, candidate, template, reason)
            self.log(event)
            self.apply(event)
            settled.append(event)
        return settled

    def apply(self, event: Quarantined) -> None:
        """What a quarantine does once it is logged."""
        model = self.registry.get(event.model, template=event.template)
        slot = self.registry.candidate(model, event.candidate).slot
        self.engine.quarantine(slot, event.reason)
        if not event.template:
            self.tell({event.model})
