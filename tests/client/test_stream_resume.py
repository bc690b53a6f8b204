"""stream_learn over connections that break."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest

import thalweg
from tests.client.conftest import AConnect, Connect, StartFake
from thalweg import Columns, Retry, Row
from thalweg.errors import SequenceGap, StreamFenced, StreamForgotten, Unavailable
from thalweg.session import Session, StreamSettings
from thalweg.v1 import forecaster_pb2 as pb
from thalweg_server.background import BackgroundServer

SETTINGS = StreamSettings(
    stream_id=None,
    return_predictions=False,
    skip_learned_dates=False,
    batch_rows=None,
    linger=None,
    reconnect_timeout=60.0,
    retry=Retry(),
)


def rows(count: int) -> list[Row]:
    """Return rows whose targets count up, so that order and repetition show."""
    return [Row(model=f"m{i % 7}", target=float(i)) for i in range(count)]


def learned(server: BackgroundServer) -> list[float]:
    """Return the targets the server learned, in order."""
    return [target for _, target in server.fake.learned]


def test_every_row_is_learned_once_and_in_order(fake_server: StartFake, connect: Connect) -> None:
    """Without a break every batch gets one ack, in order."""
    server = fake_server()
    acks = list(connect(server).stream_learn(rows(25), batch_rows=10))
    assert [ack.sequence for ack in acks] == [1, 2, 3]
    assert [ack.learned for ack in acks] == [10, 10, 5]
    assert learned(server) == list(range(25))
    assert server.fake.opened == 1


@pytest.mark.parametrize("durable", [False, True])
def test_a_lost_ack_is_made_up_for_without_learning_twice(
    fake_server: StartFake, connect: Connect, durable: Any
) -> None:
    """A batch applied before the break comes back as duplicates of a resumed stream."""
    server = fake_server(lose_ack_of={2}, durable=durable)
    acks = list(connect(server).stream_learn(rows(50), batch_rows=10))
    assert [ack.sequence for ack in acks] == [1, 2, 3, 4, 5]
    assert [ack.resumed for ack in acks] == [False, True, False, False, False]
    assert acks[1].duplicates == 10
    assert sum(ack.rows for ack in acks) == 50
    assert learned(server) == list(range(50))
    assert server.fake.opened == 2


def test_an_ack_that_says_more_is_durable_takes_no_ack_from_another_batch() -> None:
    """A server that was killed knows both batches in flight, and says so with the first ack."""
    session = Session(SETTINGS)
    opened = pb.StreamOpened(durable=True, max_inflight_batches=8)
    session.next_message()
    session.receive(pb.StreamLearnResponse(opened=opened))
    for _ in range(2):
        session.put(pb.StreamLearnRequest())
        session.next_message()
    session.broken(Unavailable("killed"), 0.0)
    opened.last_applied_sequence = opened.last_durable_sequence = 2
    acks = []
    for sequence in (1, 2):  # the second try breaks as well, after the first ack
        session.connect()
        session.next_message()
        session.receive(pb.StreamLearnResponse(opened=opened))
        while session.next_message() is not None:
            pass
        ack = pb.StreamAck(sequence=sequence, applied_sequence=2, durable_sequence=2, duplicates=3)
        acks.append(session.receive(pb.StreamLearnResponse(ack=ack)))
        session.broken(Unavailable("cut"), 0.0)
    assert [(ack.sequence, ack.resumed) for ack in acks if ack] == [(1, True), (2, True)]


def test_batches_not_applied_are_sent_again(fake_server: StartFake, connect: Connect) -> None:
    """A batch that the break kept from the server is learned over the next connection."""
    server = fake_server(break_before={1, 3, 4})
    acks = list(connect(server).stream_learn(rows(50), batch_rows=10))
    assert sum(ack.learned for ack in acks) == 50
    assert not any(ack.resumed for ack in acks)
    assert learned(server) == list(range(50))
    assert server.fake.opened == 4


def test_a_server_that_hangs_up_without_an_error_is_called_again(
    fake_server: StartFake, connect: Connect
) -> None:
    """A stream ended early with OK is not taken for finished."""
    server = fake_server(end_before={2})
    acks = list(connect(server).stream_learn(rows(30), batch_rows=10))
    assert sum(ack.learned for ack in acks) == 30
    assert learned(server) == list(range(30))


def test_a_restarted_server_is_resumed_from_a_live_feed(
    fake_server: StartFake, connect: Connect
) -> None:
    """A generator as source survives the restart of a server that kept its state."""
    server = fake_server()

    def feed() -> Iterator[Row]:
        for row in rows(40):
            if row.target == 20:
                server.stop()
                server.start()
            yield row

    acks = list(connect(server).stream_learn(feed(), batch_rows=10))
    assert sum(ack.rows for ack in acks) == 40
    assert learned(server) == list(range(40))


def test_a_server_that_lost_its_state_is_an_error(fake_server: StartFake, connect: Connect) -> None:
    """Where acked batches are gone the stream stops instead of going on with holes."""
    server = fake_server()
    acks = connect(server).stream_learn(rows(100), batch_rows=10)
    next(acks)
    server.fake.break_before = set(range(1, 11))
    server.fake.forget()
    server.stop()
    server.start()
    with pytest.raises(StreamForgotten, match="batch"):
        list(acks)


def test_without_a_stream_id_a_break_is_raised(fake_server: StartFake, connect: Connect) -> None:
    """An empty stream_id asks for no resume."""
    server = fake_server(break_before={2})
    acks = connect(server).stream_learn(rows(30), batch_rows=10, stream_id="")
    with pytest.raises(Unavailable):
        list(acks)
    assert server.fake.opened == 1


def test_a_server_that_stays_away_is_an_error(fake_server: StartFake, connect: Connect) -> None:
    """After reconnect_timeout without an ack the broken connection is raised."""
    server = fake_server()
    server.stop()
    began = time.monotonic()
    with pytest.raises(Unavailable):
        list(connect(server).stream_learn(rows(3), reconnect_timeout=0.3))
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (grpc.StatusCode.ABORTED, "ERROR_REASON_STREAM_FENCED", StreamFenced),
        (grpc.StatusCode.FAILED_PRECONDITION, "ERROR_REASON_SEQUENCE_GAP", SequenceGap),
    ],
)
def test_errors_that_a_new_connection_cannot_mend_are_raised(
    fake_server: StartFake, connect: Connect, code: Any, reason: Any, error: Any
) -> None:
    """A fenced stream does not fence its successor in turn."""
    server = fake_server(stream_error=(code, reason))
    with pytest.raises(error):
        list(connect(server).stream_learn(rows(3)))
    assert server.fake.opened == 1


def test_a_draining_server_is_called_again(fake_server: StartFake, connect: Connect) -> None:
    """DRAINING says: reconnect and resume."""
    server = fake_server(stream_error=(grpc.StatusCode.UNAVAILABLE, "ERROR_REASON_DRAINING"))
    threading.Timer(0.1, lambda: setattr(server.fake, "stream_error", None)).start()
    acks = list(connect(server).stream_learn(rows(3)))
    assert [ack.learned for ack in acks] == [3]


def test_the_same_source_sent_again_under_its_id_goes_on(
    fake_server: StartFake, connect: Connect
) -> None:
    """A second run with the same id learns only what the first did not reach."""
    server = fake_server()
    client = connect(server)
    first = client.stream_learn(rows(20), batch_rows=10, stream_id="day")
    assert [ack.learned for ack in first] == [10, 10]
    second = list(client.stream_learn(rows(30), batch_rows=10, stream_id="day"))
    assert [(ack.learned, ack.duplicates) for ack in second] == [(0, 10), (0, 10), (10, 0)]
    assert not any(ack.resumed for ack in second)
    assert learned(server) == list(range(30))


def test_columns_are_resumed_too(fake_server: StartFake, connect: Connect) -> None:
    """Column batches are kept and sent again like rows."""
    server = fake_server(lose_ack_of={1}, max_batch_rows=4)
    columns = Columns(
        models=["a", "b"], model_index=[0, 1] * 5, targets=[float(i) for i in range(10)]
    )
    acks = list(connect(server).stream_learn(columns))
    assert [ack.rows for ack in acks] == [4, 4, 2]
    assert learned(server) == list(range(10))


async def test_asyncio_makes_up_for_a_lost_ack(fake_server: StartFake, aconnect: AConnect) -> None:
    """The asyncio client resumes as the blocking one does."""
    server = fake_server(lose_ack_of={2}, break_before={4})

    async def feed() -> AsyncIterator[Row]:
        for row in rows(50):
            yield row

    acks = [ack async for ack in aconnect(server).stream_learn(feed(), batch_rows=10)]
    assert [ack.resumed for ack in acks] == [False, True, False, False, False]
    assert sum(ack.rows for ack in acks) == 50
    assert learned(server) == list(range(50))


async def test_asyncio_raises_where_the_server_lost_its_state(
    fake_server: StartFake, aconnect: AConnect
) -> None:
    """The asyncio client stops instead of going on with holes."""
    server = fake_server(break_before={3})
    async with aconnect(server) as client:
        acks = client.stream_learn(rows(100), batch_rows=10)
        await anext(acks)
        await anext(acks)
        server.fake.forget()
        with pytest.raises(StreamForgotten):
            [ack async for ack in acks]


async def test_asyncio_raises_what_a_new_connection_cannot_mend(
    fake_server: StartFake, aconnect: AConnect
) -> None:
    """The asyncio client does not reconnect when fenced."""
    server = fake_server(stream_error=(grpc.StatusCode.ABORTED, "ERROR_REASON_STREAM_FENCED"))
    with pytest.raises(thalweg.errors.StreamFenced):
        [ack async for ack in aconnect(server).stream_learn(rows(3))]
    assert server.fake.opened == 1


async def test_asyncio_an_error_in_the_middle_keeps_its_reason(
    fake_server: StartFake, aconnect: AConnect
) -> None:
    """A write that meets the end of the stream does not hide why it ended."""
    for fail_at in range(1, 30):
        server = fake_server(fail_at=fail_at, window=8)
        with pytest.raises(StreamFenced):
            [ack async for ack in aconnect(server).stream_learn(rows(300), batch_rows=10)]
        assert server.fake.opened == 1


def test_an_error_in_the_middle_keeps_its_reason(fake_server: StartFake, connect: Connect) -> None:
    """Whatever was being sent when it came."""
    server = fake_server(fail_at=5, window=8)
    with pytest.raises(StreamFenced):
        list(connect(server).stream_learn(rows(300), batch_rows=10))
    assert server.fake.opened == 1
