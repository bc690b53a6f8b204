"""Clients of a durable server, over connections that break at every message."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

import thalweg
from tests.crash.host import PATIENT, QUICK
from tests.crash.network import Break, Network
from tests.estimators import Recorder
from thalweg import Row
from thalweg.results import Ack
from thalweg_server.background import BackgroundServer
from thalweg_server.config import Config
from thalweg_server.core.observation import Flavor
from thalweg_server.core.policy import Policy
from thalweg_server.workers import Zygote

BATCHES, BATCH_ROWS = 6, 5

AT_MESSAGES: dict[str, dict[str, Any]] = {
    "requests cut before a message": {"towards": "server"},
    "requests cut in a message": {"towards": "server", "part": 0.6},
    "answers cut before a message": {"towards": "client"},
    "answers cut in a message": {"towards": "client", "part": 0.6},
    "answers lost": {"towards": "client", "lossy": True},
}
"""How a connection breaks at one of its messages,"""

AT_FRAMES: dict[str, dict[str, Any]] = {
    "requests cut": {"towards": "server", "part": 0.6},
    "answers cut": {"towards": "client", "part": 0.6},
    "answers lost": {"towards": "client", "lossy": True},
}
"""and at one of the frames that carry none: those which open and end connections and calls."""

SETTINGS: dict[str, Any] = {"retry": PATIENT, "options": QUICK, "timeout": 60.0}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, zygote: Zygote) -> Iterator[str]:
    """A server with an event log, shared by this file."""
    folder = tmp_path_factory.mktemp("breaks")
    settings: dict[str, Any] = {"flavor": Flavor.REGRESSION, "uploads": Policy.TRUSTED}
    config = Config(port=0, metrics_port=0, data_dir=folder, **settings)
    with BackgroundServer(config, zygote=zygote) as server:
        yield server.address


@pytest.fixture
def direct(address: str) -> Iterator[thalweg.Client]:
    """A client over a good network."""
    with thalweg.Client(address) as client:
        yield client


def rows(model: str) -> list[Row]:
    """Rows whose targets count up."""
    return [Row(model=model, target=float(n)) for n in range(BATCHES * BATCH_ROWS)]


def blocking(target: str, model: str) -> list[Ack]:
    """Streams by the blocking client."""
    with thalweg.Client(target, **SETTINGS) as client:
        return list(client.stream_learn(rows(model), batch_rows=BATCH_ROWS))


def asynchronous(target: str, model: str) -> list[Ack]:
    """Streams by the asyncio client."""

    async def learn() -> list[Ack]:
        async with thalweg.aio.Client(target, **SETTINGS) as client:
            return [ack async for ack in client.stream_learn(rows(model), batch_rows=BATCH_ROWS)]

    return asyncio.run(learn())


def remembered(client: thalweg.Client, model: str) -> list[float]:
    """The targets that a model learned, in order."""
    return [target for _, target in client.download_model(model, load=True).seen]


def each_once(
    address: str, direct: thalweg.Client, stream: Callable[[str, str], list[Ack]], at: Break
) -> bool:
    """Streams over a network that breaks; returns whether it came to that."""
    model = f"{stream.__name__} {at}"
    direct.upload_model(model, Recorder())
    with Network(address, at) as network:
        acks = stream(network.target, model)
    assert remembered(direct, model) == [row.target for row in rows(model)], at
    assert [ack.sequence for ack in acks] == list(range(1, BATCHES + 1)), at
    for ack in acks:
        learned, again = (0, BATCH_ROWS) if ack.resumed else (BATCH_ROWS, 0)
        assert (ack.learned, ack.duplicates, ack.error_count) == (learned, again, 0), at
    return network.broken


@pytest.mark.parametrize("stream", [blocking, asynchronous])
@pytest.mark.parametrize("how", AT_MESSAGES.values(), ids=AT_MESSAGES)
def test_a_stream_that_breaks_at_any_message_learns_each_row_once(
    address: str,
    direct: thalweg.Client,
    stream: Callable[[str, str], list[Ack]],
    how: dict[str, Any],
) -> None:
    """Rows once and in order, and one ack for each batch."""
    for passed in range(1 + BATCHES):  # open, or its answer, and all batches
        assert each_once(address, direct, stream, Break(messages=True, passed=passed, **how))


@pytest.mark.parametrize("how", AT_FRAMES.values(), ids=AT_FRAMES)
def test_a_stream_that_breaks_between_its_messages_learns_each_row_once(
    address: str, direct: thalweg.Client, how: dict[str, Any]
) -> None:
    """Likewise, up to the end of the call."""
    for passed in count():
        if not each_once(address, direct, blocking, Break(messages=False, passed=passed, **how)):
            break
    assert passed > 2


@pytest.mark.parametrize("given", [{}, {"request_id": "mine"}], ids=["no id given", "id given"])
@pytest.mark.parametrize("how", AT_MESSAGES.values(), ids=AT_MESSAGES)
def test_a_learn_over_a_connection_that_breaks_counts_once(
    address: str, direct: thalweg.Client, how: dict[str, Any], given: dict[str, str]
) -> None:
    """Whether the request was lost or its answer, the client sends it again, under one id."""
    at = Break(messages=True, **how)
    model = f"{given} {at}"
    direct.upload_model(model, Recorder())
    ids = {name: f"{model} {value}" for name, value in given.items()}
    with (
        Network(address, at) as network,
        thalweg.Client(network.target, **SETTINGS) as client,
    ):
        learned = client.learn(model, 3.5, **ids)
    assert network.broken
    assert learned.duplicate == (at.towards == "client")
    assert learned.learned == 1
    assert remembered(direct, model) == [3.5]
