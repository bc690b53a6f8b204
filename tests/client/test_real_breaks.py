"""The real server behind a network that cuts connections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from river import stats

import thalweg
from tests.client.conftest import IMPATIENT
from tests.client.proxy import Proxy
from thalweg import Row
from thalweg_server.background import BackgroundServer

ROWS = 5000


class Sum:
    """A regressor that remembers the targets it learned, in order."""

    def __init__(self) -> None:
        self.targets: list[float] = []
        self.mean = stats.Mean()

    def predict_one(self, x: Any) -> float:
        return 0.0

    def learn_one(self, x: Any, y: Any) -> None:
        self.targets.append(y)


def rows() -> Iterator[Row]:
    """Return rows whose targets count up."""
    return (Row(model="m", target=float(i)) for i in range(ROWS))


@pytest.mark.parametrize("cuts", [[300], [300, 500, 700], [20, 400, 401, 402]])
def test_a_cut_network_loses_and_doubles_nothing(server: BackgroundServer, cuts: Any) -> None:
    """Every row is learned once and in order, whatever the number of connections."""
    with (
        Proxy(server.address, cuts) as proxy,
        thalweg.Client(proxy.target, retry=IMPATIENT) as client,
        thalweg.Client(server.address) as direct,
    ):
        direct.upload_model("m", Sum())
        acks = list(client.stream_learn(rows(), batch_rows=100))
        assert proxy.connections > 1
        assert sum(ack.rows for ack in acks) == ROWS
        assert (
            sum(ack.learned for ack in acks if not ack.resumed)
            + sum(ack.duplicates for ack in acks if ack.resumed)
            == ROWS
        )
        assert direct.download_model("m", load=True).targets == [float(i) for i in range(ROWS)]


async def test_asyncio_a_cut_network_loses_and_doubles_nothing(server: BackgroundServer) -> None:
    """The asyncio client alike."""
    with Proxy(server.address, [300, 500]) as proxy:
        async with (
            thalweg.aio.Client(proxy.target, retry=IMPATIENT) as client,
            thalweg.aio.Client(server.address) as direct,
        ):
            await direct.upload_model("m", Sum())
            acks = [ack async for ack in client.stream_learn(rows(), batch_rows=100)]
            assert proxy.connections > 1
            assert sum(ack.rows for ack in acks) == ROWS
            estimator = await direct.download_model("m", load=True)
            assert estimator.targets == [float(i) for i in range(ROWS)]
