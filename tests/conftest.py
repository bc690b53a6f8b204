"""Real servers for tests: in this process, on free ports, one per test that asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import grpc
import pytest

from thalweg.v1 import forecaster_pb2_grpc
from thalweg_server.config import Config
from thalweg_server.core.limits import Limits
from thalweg_server.core.observation import Flavor
from thalweg_server.server import BackgroundServer

StartServer = Callable[..., BackgroundServer]


@pytest.fixture
def start_server() -> Iterator[StartServer]:
    """Starts servers of any flavor and limits; stops them after the test."""
    with ExitStack() as stack:

        def start(
            flavor: Flavor | None = Flavor.REGRESSION, limits: Limits | None = None
        ) -> BackgroundServer:
            config = Config(port=0, metrics_port=0, flavor=flavor, limits=limits or Limits())
            return stack.enter_context(BackgroundServer(config))

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
