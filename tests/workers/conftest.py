"""Engines whose workers are soon out of patience."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from thalweg_server.config import Patience, WorkerLimits
from thalweg_server.workers import WorkerEngine, Zygote

MakeEngine = Callable[..., WorkerEngine]

CALL = Patience(cpu_seconds=0.25, wall_seconds=20.0)
LOADING = Patience(cpu_seconds=0.5, wall_seconds=20.0)
"""Work is little, so that loops end soon; time is plenty, for a machine with much else to do."""

MEMORY_BYTES = 192 << 20
LESSONS_MAX = 5


def limits(**bounds: Any) -> WorkerLimits:
    """Bounds of impatient workers."""
    given = {"call": CALL, "loading": LOADING, "memory_bytes": MEMORY_BYTES}
    return WorkerLimits(**{**given, "lessons_max": LESSONS_MAX, **bounds})


@pytest.fixture
def make_engine(zygote: Zygote) -> Iterator[MakeEngine]:
    """Makes engines with bounds; closes them after the test."""
    with ExitStack() as stack:

        def make(state_bytes_max: int = 1 << 28, **bounds: Any) -> WorkerEngine:
            engine = WorkerEngine(zygote, limits(**bounds), state_bytes_max)
            stack.callback(engine.close)
            return engine

        yield make


@pytest.fixture
def engine(make_engine: MakeEngine) -> WorkerEngine:
    """An engine without candidates."""
    return make_engine()
