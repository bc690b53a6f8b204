"""Fixtures of the client's tests: a server that misbehaves, and clients of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import thalweg
from tests.client.fake import FakeServer
from thalweg.retry import Retry

StartFake = Callable[..., FakeServer]
Connect = Callable[..., thalweg.Client]
AConnect = Callable[..., thalweg.aio.Client]
IMPATIENT = Retry(attempts=6, first_delay=0.01, longest_delay=0.05)


@pytest.fixture
def fake_server() -> Iterator[Callable[..., FakeServer]]:
    """Return a function that starts a fake server with the behaviour asked for."""
    servers: list[FakeServer] = []

    def start(**behaviour: Any) -> FakeServer:
        servers.append(FakeServer(**behaviour))
        return servers[-1]

    yield start
    for server in servers:
        if server.fake.hold_acks is not None:
            server.fake.hold_acks.set()
        server.stop()


@pytest.fixture
def connect() -> Iterator[Callable[..., thalweg.Client]]:
    """Return a function that makes a client which retries quickly."""
    clients: list[thalweg.Client] = []

    def make(server: FakeServer, **connection: Any) -> thalweg.Client:
        clients.append(thalweg.Client(server.target, **{"retry": IMPATIENT} | connection))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
async def aconnect() -> AsyncIterator[Callable[..., thalweg.aio.Client]]:
    """Return a function that makes an asyncio client which retries quickly."""
    clients: list[thalweg.aio.Client] = []

    def make(server: FakeServer, **connection: Any) -> thalweg.aio.Client:
        clients.append(thalweg.aio.Client(server.target, **{"retry": IMPATIENT} | connection))
        return clients[-1]

    yield make
    for client in clients:
        await client.close()
