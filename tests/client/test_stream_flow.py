"""stream_learn while all is well: what flows when, what is held, how it ends."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.client.conftest import AConnect, Connect, StartFake
from tests.client.fake import FakeServer
from thalweg import Columns, Row
from thalweg.errors import Cancelled


def row(target: float = 1.0) -> Row:
    """Return a row."""
    return Row(model="m", target=target)


def wait_until(condition: Any, seconds: float = 5.0) -> None:
    """Wait for a condition, fail where it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def test_nothing_happens_before_the_first_ack_is_asked_for(
    fake_server: StartFake, connect: Connect
) -> None:
    """The stream is lazy."""
    server = fake_server()
    acks = connect(server).stream_learn([row()])
    time.sleep(0.05)
    assert server.fake.opened == 0
    assert [ack.learned for ack in acks] == [1]


def test_an_empty_source_gives_no_acks(fake_server: StartFake, connect: Connect) -> None:
    """Neither no rows nor empty columns are an error."""
    client = connect(fake_server())
    assert list(client.stream_learn([])) == []
    assert list(client.stream_learn(Columns(models=[], targets=[]))) == []


def test_acks_arrive_while_the_source_pauses(fake_server: StartFake, connect: Connect) -> None:
    """A live feed gets the ack of what it gave without having to give more."""
    release = threading.Event()

    def feed() -> Iterator[Row]:
        yield row()
        yield row()
        release.wait(10)
        yield row()

    acks = connect(fake_server()).stream_learn(feed())
    began = time.monotonic()
    assert next(acks).learned == 2
    assert time.monotonic() - began < 2
    release.set()
    assert next(acks).learned == 1


def test_batches_do_not_depend_on_time_under_an_id_of_ones_own(
    fake_server: StartFake, connect: Connect
) -> None:
    """With a stream_id a pause does not cut a batch, so a second run makes the same ones."""

    def feed() -> Iterator[Row]:
        yield row()
        time.sleep(0.3)
        yield row()

    acks = connect(fake_server()).stream_learn(feed(), stream_id="mine")
    assert [ack.learned for ack in acks] == [2]


def test_no_more_than_the_window_is_taken_from_the_source(
    fake_server: StartFake, connect: Connect
) -> None:
    """Where the server does not ack, the source is not read further."""
    taken = 0

    def feed() -> Iterator[Row]:
        nonlocal taken
        for _ in range(1000):
            taken += 1
            yield row()

    server = fake_server(window=3, hold_acks=threading.Event())
    acks = connect(server).stream_learn(feed(), batch_rows=10)
    first = threading.Thread(target=lambda: next(acks))
    first.start()
    wait_until(lambda: taken >= 30)
    time.sleep(0.1)
    assert taken <= 40
    server.fake.hold_acks.set()
    first.join()
    assert sum(ack.rows for ack in acks) == 990


def test_several_batches_are_in_flight(fake_server: StartFake, connect: Connect) -> None:
    """The next batch does not wait for the ack of the one before."""
    server = fake_server(window=4, hold_acks=threading.Event())
    acks = connect(server).stream_learn([row()] * 8, batch_rows=1)
    first = threading.Thread(target=lambda: next(acks))
    first.start()
    wait_until(lambda: server.fake.received == 1)
    server.fake.hold_acks.set()
    first.join()
    assert len(list(acks)) == 7


def test_what_the_source_raises_comes_after_the_acks_before_it(
    fake_server: StartFake, connect: Connect
) -> None:
    """The caller sees its own exception, once every full batch is acked."""

    def feed() -> Iterator[Row]:
        yield from [row()] * 25
        raise LookupError("no more sales")

    got = []
    with pytest.raises(LookupError, match="no more sales"):
        got.extend(
            ack.learned
            for ack in connect(fake_server()).stream_learn(feed(), batch_rows=10, stream_id="x")
        )
    server_rows = 20
    assert sum(got) in (0, server_rows)


def test_a_wrong_item_is_a_type_error_of_the_caller(
    fake_server: StartFake, connect: Connect
) -> None:
    """A dict is no row, a set is no feature."""
    client = connect(fake_server())
    with pytest.raises(TypeError, match="Row and Columns"):
        list(client.stream_learn([{"model": "m"}]))
    with pytest.raises(TypeError, match="float, int, bool"):
        list(client.stream_learn([Row(model="m", target=1.0, features={"a": {1}})]))


def test_closing_early_ends_the_stream_and_the_source(
    fake_server: StartFake, connect: Connect
) -> None:
    """Nothing is left behind by a caller who has seen enough."""
    closed = threading.Event()

    def feed() -> Iterator[Row]:
        try:
            while True:
                yield row()
        finally:
            closed.set()

    server = fake_server()
    source = feed()
    acks = connect(server).stream_learn(source, batch_rows=5)
    next(acks)
    acks.close()
    assert closed.wait(2)
    wait_until(lambda: server.fake.ended == 1)
    wait_until(lambda: not any(t.name == "thalweg-feed" for t in threading.enumerate()))


def test_closing_the_client_ends_its_streams(fake_server: StartFake, connect: Connect) -> None:
    """A stream of a closed client raises instead of hanging."""
    server = fake_server()
    client = connect(server)
    acks = client.stream_learn(itertools.repeat(row()), batch_rows=5)
    next(acks)
    client.close()
    with pytest.raises(Cancelled):
        list(acks)
    wait_until(lambda: server.fake.ended == 1)


def test_batches_keep_to_the_servers_limits(fake_server: StartFake, connect: Connect) -> None:
    """Rows and columns are split by rows and by bytes, whatever the caller asked for."""
    server: FakeServer = fake_server(max_batch_rows=7, max_batch_bytes=400)
    long_name = "m" * 100
    rows = [Row(model=long_name, target=float(i)) for i in range(20)]
    columns = Columns(models=[long_name], model_index=[0] * 20, targets=list(range(20, 40)))
    wide = Columns(models=[f"{i}{long_name}" for i in range(8)], targets=list(range(40, 48)))
    acks = list(connect(server).stream_learn([*rows, columns, wide], batch_rows=1000))
    assert sum(ack.learned for ack in acks) == 48
    assert [target for _, target in server.fake.learned] == list(range(48))
    assert all(ack.rows <= 7 for ack in acks)
    assert all(batch.ByteSize() <= 400 for batch in server.fake.batches)


async def test_asyncio_acks_arrive_while_the_source_pauses(
    fake_server: StartFake, aconnect: AConnect
) -> None:
    """An async live feed gets its acks without having to give more."""
    release = asyncio.Event()

    async def feed() -> AsyncIterator[Row]:
        yield row()
        await release.wait()
        yield row()

    acks = aconnect(fake_server()).stream_learn(feed())
    assert (await asyncio.wait_for(anext(acks), 2)).learned == 1
    release.set()
    assert [ack.learned async for ack in acks] == [1]


async def test_asyncio_closing_early_ends_the_stream_and_the_source(
    fake_server: StartFake, aconnect: AConnect
) -> None:
    """No task is left behind by a caller who has seen enough."""
    closed = asyncio.Event()

    async def feed() -> AsyncIterator[Row]:
        try:
            while True:
                yield row()
        finally:
            closed.set()

    server = fake_server()
    client = aconnect(server)
    await client.init()
    before = asyncio.all_tasks()
    acks = client.stream_learn(feed(), batch_rows=5)
    await anext(acks)
    await acks.aclose()
    assert closed.is_set()
    await asyncio.sleep(0.05)
    assert {task for task in asyncio.all_tasks() - before if not task.done()} == set()
    assert server.fake.ended == 1


async def test_asyncio_raises_what_the_source_raises(
    fake_server: StartFake, aconnect: AConnect
) -> None:
    """The caller sees its own exception."""

    async def feed() -> AsyncIterator[Row]:
        yield row()
        raise LookupError("no more sales")

    with pytest.raises(LookupError, match="no more sales"):
        [ack async for ack in aconnect(fake_server()).stream_learn(feed())]
