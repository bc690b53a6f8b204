"""Real servers for tests: in this process, on free ports.

`regression`, `binary` and `multiclass` share one server per engine and begin with a reset;
`server` and `start_server` give a test one of its own.
"""

from __future__ import annotations

import os

# As in a server's own process: read when gRPC is first imported, which is right below.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.wire import Wire
from thalweg.v1 import forecaster_pb2 as pb
from thalweg.v1 import forecaster_pb2_grpc
from thalweg_server.background import BackgroundServer
from thalweg_server.config import Config
from thalweg_server.core.limits import Limits
from thalweg_server.core.observation import Flavor
from thalweg_server.core.policy import Policy
from thalweg_server.core.ports import Engine
from thalweg_server.engines.compiled import CompiledEngine
from thalweg_server.engines.compiled.cache import KernelCache
from thalweg_server.engines.compiled.fleet import Fleets
from thalweg_server.workers import WorkerEngine, Zygote

ESTIMATORS = [
    *("tests.estimators", "tests.workers.misbehaving"),
    *("tests.client.test_real_breaks", "tests.client.test_rpcs", "tests.client.test_warm_up"),
    *("tests.test_champion", "tests.test_download", "tests.test_errors", "tests.test_flavors"),
    *("tests.test_learn", "tests.test_listing", "tests.test_predict", "tests.test_stream_learn"),
    *("tests.test_templates", "tests.test_upload"),
]
"""Modules with estimators of the tests' own, which workers cannot import behind closed doors."""

StartServer = Callable[..., BackgroundServer]
Connect = Callable[[BackgroundServer], Wire]


def pytest_configure() -> None:
    """Undoes what a shell does to tests that it starts in the background: ignoring Ctrl-C.

    Programs that the tests start would inherit that, and some tests press Ctrl-C.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """What the workers of all servers are forked from: it takes seconds to import River."""
    zygote = Zygote(ESTIMATORS)
    yield zygote
    zygote.close()


@pytest.fixture
def start_server(zygote: Zygote) -> Iterator[StartServer]:
    """Starts servers of any flavor, limits and settings; stops them after the test.

    They take whatever dill loads: many tests upload estimators of their own. What servers take
    otherwise is for the tests of uploads.
    """
    with ExitStack() as stack:

        def start(
            flavor: Flavor | None = Flavor.REGRESSION,
            limits: Limits | None = None,
            engine: Engine | None = None,
            **settings: Any,
        ) -> BackgroundServer:
            settings = {"uploads": Policy.TRUSTED, "port": 0, "metrics_port": 0} | settings
            config = Config(flavor=flavor, limits=limits or Limits(), **settings)
            return stack.enter_context(BackgroundServer(config, engine=engine, zygote=zygote))

        yield start


@pytest.fixture
def server(start_server: StartServer) -> BackgroundServer:
    """A regression server."""
    return start_server()


@pytest.fixture
def stub(server: BackgroundServer) -> Iterator[forecaster_pb2_grpc.ForecasterStub]:
    """The generated client of that server: no code of ours between the test and the wire."""
    with grpc.insecure_channel(server.address) as channel:
        yield forecaster_pb2_grpc.ForecasterStub(channel)


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connects generated clients to servers; closes them after the test."""
    with ExitStack() as stack:
        yield lambda server: Wire(
            server, stack.enter_context(grpc.insecure_channel(server.address))
        )


@pytest.fixture(scope="session")
def kernels(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> KernelCache:
    """Kernels, each compiled once; the next run of the tests finds them."""
    cache = getattr(request.config, "cache", None)
    folder = cache.mkdir("kernels") if cache else tmp_path_factory.mktemp("kernels")
    return KernelCache(Path(folder), patient=True)


@pytest.fixture(scope="session", params=["compiled", "river"])
def shared_wire(
    request: pytest.FixtureRequest, kernels: KernelCache, zygote: Zygote
) -> Iterator[Wire]:
    """A client of the server that tests share, once for each engine: both mean the same."""
    workers = WorkerEngine(zygote)
    engine: Engine = workers
    if request.param == "compiled":
        engine = CompiledEngine(workers, Fleets(kernels))
    config = Config(port=0, metrics_port=0, uploads=Policy.TRUSTED)
    with (
        BackgroundServer(config, engine=engine) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        yield Wire(server, channel)


@pytest.fixture
def regression(shared_wire: Wire) -> Wire:
    """A client of an empty regression server."""
    shared_wire.init(pb.FLAVOR_REGRESSION, reset=True)
    return shared_wire


@pytest.fixture
def binary(shared_wire: Wire) -> Wire:
    """A client of an empty binary server."""
    shared_wire.init(pb.FLAVOR_BINARY, reset=True)
    return shared_wire


@pytest.fixture
def multiclass(shared_wire: Wire) -> Wire:
    """A client of an empty multiclass server."""
    shared_wire.init(pb.FLAVOR_MULTICLASS, reset=True)
    return shared_wire
