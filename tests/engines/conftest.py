"""Engines that share the kernels of a run of the tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from thalweg_server.engines.compiled import CompiledEngine
from thalweg_server.engines.compiled.cache import KernelCache
from thalweg_server.engines.compiled.fleet import Fleets
from thalweg_server.engines.river import RiverEngine

MakeEngine = Callable[[], CompiledEngine]


@pytest.fixture(scope="session")
def make_engine(kernels: KernelCache) -> MakeEngine:
    """Makes engines that share the kernels and nothing else."""
    return lambda: CompiledEngine(RiverEngine(), Fleets(kernels))


@pytest.fixture
def engine(make_engine: MakeEngine) -> CompiledEngine:
    """An engine of the test's own."""
    return make_engine()
