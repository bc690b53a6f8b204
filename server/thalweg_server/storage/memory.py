"""The store that keeps nothing: state lives in the models and goes with the process."""

from __future__ import annotations

from thalweg_server.core.events import Event


class MemoryStore:
    """A log without a medium, for demos, tests and fleets that are warmed up anew."""

    name = "memory"
    durable = False

    def append(self, event: Event) -> None:
        """Accepts the event; there is nowhere to write it."""

    def close(self) -> None:
        """Has nothing to let go of."""
