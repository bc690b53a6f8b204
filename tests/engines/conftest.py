"""One folder of compiled kernels for all tests of a run, and engines that use it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from thalweg_server.engines.compiled import CompiledEngine
from thalweg_server.engines.compiled.cache import KernelCache
from thalweg_server.engines.compiled.fleet import Fleets
from thalweg_server.engines.river import RiverEngine

MakeEngine = Callable[[], CompiledEngine]


@pytest.fixture(scope="session")
def kernels(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> KernelCache:
    """Kernels, each compiled once; the next run of the tests finds them."""
    cache = getattr(request.config, "cache", None)
    folder = cache.mkdir("kernels") if cache else tmp_path_factory.mktemp("kernels")
    return KernelCache(Path(folder))


@pytest.fixture(scope="session")
def make_engine(kernels: KernelCache) -> MakeEngine:
    """Makes engines that share the kernels and nothing else."""
    return lambda: CompiledEngine(RiverEngine(), Fleets(kernels))


@pytest.fixture
def engine(make_engine: MakeEngine) -> CompiledEngine:
    """An engine of the test's own."""
    return make_engine()
