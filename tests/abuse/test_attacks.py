"""A server in a process of its own, under every attack: it goes on serving, in bounded memory.

What the attacks cost others in time is measured by `bench.abuse`, not here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import grpc
import pytest

from bench.serving import Running, serving
from tests.abuse.attacks import ATTACKS, silent_sockets
from tests.wire import SECONDS
from thalweg.v1 import forecaster_pb2 as pb
from thalweg.v1 import forecaster_pb2_grpc

GROWTH_MB_MAX = 100.0

COUNTS = {
    "200 MB messages": 20,
    "1 MB metadata": 50,
    "rapid resets": 10_000,
    "late resets": 5_000,
    "reset flood": 200,
    "ping flood": 200,
    "settings flood": 200,
    "CONTINUATION flood": 50,
    "empty DATA flood": 200,
    "window flood": 200,
    "slow readers": 30,
    "idle streams": 2_000,
    "unfinished calls": 900,  # from 1,000 on gRPC itself ends some, see unaccepted_calls_max
    "unfinished messages": 5,
}
"""How often each attack does what it does: enough to be felt, in a second."""


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """A server with the bounds that it has by default."""
    with serving("--flavor", "regression") as running:
        yield running


@pytest.fixture
def stub(server: Running) -> Iterator[forecaster_pb2_grpc.ForecasterStub]:
    """A client with nothing to hide."""
    with grpc.insecure_channel(server.address) as channel:
        yield forecaster_pb2_grpc.ForecasterStub(channel)


def test_the_counts_are_of_all_attacks() -> None:
    """An attack that is added is run here, too."""
    assert {*COUNTS, "silent sockets"} == set(ATTACKS)


@pytest.mark.parametrize("name", COUNTS)
def test_others_are_served_during_an_attack_and_after_it(
    name: str, server: Running, stub: forecaster_pb2_grpc.ForecasterStub
) -> None:
    """No call of a well-behaved client fails, and memory grows by a bounded amount."""
    stub.ListModels(pb.ListModelsRequest(), timeout=SECONDS)
    before = server.megabytes()
    attack, _ = ATTACKS[name]
    attacking = threading.Thread(target=attack, args=(server.address, 1.0, COUNTS[name]))
    attacking.start()
    answered = 0
    while attacking.is_alive() or not answered:
        stub.ListModels(pb.ListModelsRequest(), timeout=SECONDS)
        with pytest.raises(grpc.RpcError) as raised:
            stub.Predict(pb.PredictRequest(model="nix"), timeout=SECONDS)
        assert raised.value.code() is grpc.StatusCode.NOT_FOUND
        answered += 1
    attacking.join()
    assert server.megabytes() - before < GROWTH_MB_MAX


def test_silent_sockets_are_closed(
    server: Running, stub: forecaster_pb2_grpc.ForecasterStub
) -> None:
    """All of them, by the bounds that are the default."""
    assert silent_sockets(server.address, 30.0, 60).startswith("60 of 60 closed")
    stub.ListModels(pb.ListModelsRequest(), timeout=SECONDS)
