"""The id that each call carries, by which the server's log is searched."""

from __future__ import annotations

import re

import grpc
import pytest

from tests.client.conftest import AConnect, Connect, StartFake
from tests.client.test_retry import DRAINING, UNAVAILABLE
from thalweg.errors import Draining, Unavailable

ID = re.compile(r"[0-9a-f]{32}")


def test_a_call_has_one_id_for_all_of_its_tries(fake_server: StartFake, connect: Connect) -> None:
    """The next call has another."""
    server = fake_server(failures=[UNAVAILABLE])
    client = connect(server)
    client.predict("m")
    client.predict("m")
    first, again, other = [metadata["x-request-id"] for metadata in server.fake.metadata]
    assert first == again != other
    assert ID.fullmatch(first) and ID.fullmatch(other)


async def test_the_asyncio_client_does_the_same(fake_server: StartFake, aconnect: AConnect) -> None:
    """Of calls and of streams of answers."""
    server = fake_server(failures=[UNAVAILABLE])
    client = aconnect(server)
    await client.predict("m")
    async for _ in client.predict_many(["m"]):
        pass
    first, again, other = [metadata["x-request-id"] for metadata in server.fake.metadata]
    assert first == again != other


@pytest.mark.parametrize("failure", [DRAINING, UNAVAILABLE])
def test_an_error_has_the_id_that_was_sent(
    fake_server: StartFake, connect: Connect, failure: tuple[grpc.StatusCode, str, None]
) -> None:
    """Also of a server that does not answer with it, or of none at all."""
    server = fake_server(failures=[failure] * 50)
    with pytest.raises(Unavailable) as raised:
        connect(server).predict("m")
    assert raised.value.request_id == server.fake.metadata[-1]["x-request-id"]
    assert isinstance(raised.value, Draining) == (failure is DRAINING)
