"""What the compiled engine wants of the engine that runs what it cannot."""

from __future__ import annotations

from typing import Any, Protocol

from thalweg_server.core.observation import Context, Flavor
from thalweg_server.core.ports import Engine


class Fallback(Engine, Protocol):
    """An engine that also gives and takes estimators: those that can be compiled, at least."""

    def estimator(self, slot: int) -> Any:
        """The estimator of a slot, or one like it; changing that may change the slot's.

        Raises:
            EstimatorFailed: it has something in it that cannot be compiled.
        """

    def adopt(self, estimator: Any, flavor: Flavor, context: tuple[Context, ...]) -> int:
        """A new slot for an estimator, which is the engine's from now on."""
