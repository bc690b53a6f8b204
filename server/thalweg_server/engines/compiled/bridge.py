"""The way from and to the river engine's estimators: the only module that reaches into it."""

from __future__ import annotations

from typing import Any

from thalweg_server.core.observation import Context, Flavor
from thalweg_server.engines.river import RiverEngine, _Cell, _label_methods


def estimator(river: RiverEngine, slot: int) -> Any:
    """The live estimator of a slot."""
    return river._cells[slot].estimator


def adopt(river: RiverEngine, alive: Any, flavor: Flavor, context: tuple[Context, ...]) -> int:
    """A new slot of the river engine for a live estimator, which is the engine's from now on."""
    return river._hold(_Cell(alive, context, flavor, *_label_methods(alive, flavor)))
