"""What callers have under way, counted."""

from __future__ import annotations

import asyncio

import pytest

from thalweg_server.callers.identity import CALLER, Caller
from thalweg_server.config import Config
from thalweg_server.core.errors import LimitReached, Overloaded
from thalweg_server.rpc.quotas import Batches, Hold, Quotas, caller_key


class Context:
    """A call from an address."""

    def __init__(self, peer: str) -> None:
        self._peer = peer

    def peer(self) -> str:
        """Return it."""
        return self._peer


def quotas(**bounds: int) -> Quotas:
    """Return quotas with some bounds other than the default."""
    return Quotas(Config(**bounds))  # type: ignore[arg-type]


def test_anonymous_callers_are_told_apart_by_address_without_port() -> None:
    """Two connections of one machine share its limits."""
    first, second = Context("ipv4:10.0.0.1:4000"), Context("ipv4:10.0.0.1:5000")
    other = Context("ipv6:%5B::1%5D:4000")
    assert caller_key(first) == caller_key(second) == "address ipv4:10.0.0.1"
    assert caller_key(other) == "address ipv6:%5B::1%5D"


async def test_a_named_caller_is_one_from_wherever_it_calls() -> None:
    """The name counts, and no name is taken for an address."""
    CALLER.set(Caller("address ipv4:10.0.0.1", frozenset()))
    assert caller_key(Context("ipv4:10.0.0.1:1")) == caller_key(Context("ipv4:10.0.0.9:2"))
    assert caller_key(Context("ipv4:10.0.0.1:1")) != "address ipv4:10.0.0.1"


def test_a_caller_has_so_many_calls_and_others_are_not_concerned() -> None:
    """The call beyond is told to try again; when one has ended there is room."""
    bounds = quotas(calls_per_caller_max=2)
    with bounds.call("a", 1), bounds.call("a", 1):
        with pytest.raises(Overloaded, match="a has 2 calls"), bounds.call("a", 1):
            pass
        with bounds.call("b", 1):
            assert (bounds.calls, len(bounds)) == (3, 2)
    with bounds.call("a", 1), bounds.call("a", 1):
        assert bounds.calls == 2
    assert (bounds.calls, len(bounds)) == (0, 0)


def test_the_server_has_so_many_calls_whoever_makes_them() -> None:
    """The bound over all holds for a caller's first call, too."""
    bounds = quotas(calls_max=1)
    with bounds.call("a", 1), pytest.raises(Overloaded, match="1 calls"), bounds.call("b", 1):
        pass
    assert len(bounds) == 0


def test_requests_of_a_caller_have_so_many_bytes_but_one_alone_any() -> None:
    """A request of whatever size that gRPC let through is served when nothing else is going on."""
    bounds = quotas(inflight_bytes_per_caller_max=10)
    with bounds.call("a", 50):
        with pytest.raises(Overloaded, match="50 bytes"), bounds.call("a", 1):
            pass
        with bounds.call("b", 1):
            pass


@pytest.mark.parametrize("bound", ["streams_max", "streams_per_caller_max"])
def test_streams_beyond_the_bound_are_refused_for_good(bound: str) -> None:
    """Waiting does not help against streams that may stay open for ever."""
    bounds = quotas(**{bound: 1})
    with bounds.stream("a"):
        with pytest.raises(LimitReached, match="end some"), bounds.stream("a"):
            pass
        with bounds.call("a", 1):
            pass
    assert (bounds.streams, len(bounds)) == (0, 0)


def test_a_call_that_fails_is_no_longer_counted() -> None:
    """An exception in the handler ends the count as well."""
    bounds = quotas()
    with pytest.raises(RuntimeError), bounds.call("a", 7), bounds.stream("a"):
        raise RuntimeError
    assert (bounds.calls, bounds.streams, len(bounds)) == (0, 0, 0)


async def taking(batches: Batches, rows: int, size: int = 1) -> asyncio.Task[Hold]:
    """Return a task that waits for room, begun."""
    task = asyncio.create_task(batches.take(rows, size))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


@pytest.mark.parametrize(("rows", "size"), [(6, 1), (1, 60)])
async def test_batches_wait_for_room_in_rows_and_in_bytes(rows: int, size: int) -> None:
    """The second one goes on when the first is released, and once only."""
    bounds = quotas(inflight_rows_per_caller_max=10, inflight_bytes_per_caller_max=100)
    batches = bounds.batches("a")
    first = await batches.take(rows, size)
    second = await taking(batches, rows, size)
    assert not second.done()
    assert (await taking(bounds.batches("b"), rows, size)).done()
    first.release()
    first.release()
    (await second).release()
    assert bounds.usage("a").rows == bounds.usage("a").batch_bytes == 0


async def test_a_batch_larger_than_the_bound_goes_alone() -> None:
    """Otherwise it would wait for ever."""
    batches = quotas(inflight_rows_per_caller_max=10).batches("a")
    large = await asyncio.wait_for(batches.take(50, 1), 1)
    small = await taking(batches, 1)
    assert not small.done()
    large.release()
    assert (await taking(batches, 1)).done()
    assert small.done()


async def test_small_batches_do_not_overtake_a_large_one() -> None:
    """Else it might never find room."""
    batches = quotas(inflight_rows_per_caller_max=10).batches("a")
    first = await batches.take(6, 1)
    large, small = await taking(batches, 8), await taking(batches, 1)
    assert batches.take_now(1, 1) is None
    assert not small.done()
    first.release()
    await large
    await small


async def test_a_stream_that_ends_while_it_waits_leaves_its_place() -> None:
    """Those behind it go on, and nothing of it is counted."""
    bounds = quotas(inflight_rows_per_caller_max=10)
    batches = bounds.batches("a")
    first = await batches.take(6, 1)
    large, small = await taking(batches, 8), await taking(batches, 1)
    large.cancel()
    hold = await asyncio.wait_for(small, 1)
    assert bounds.usage("a").rows == 7
    first.release()
    hold.release()
    assert len(bounds) == 0


async def test_room_granted_to_a_stream_that_ends_just_then_is_given_back() -> None:
    """Cancelled between the grant and the next step of its task."""
    bounds = quotas(inflight_rows_per_caller_max=10)
    batches = bounds.batches("a")
    first = await batches.take(10, 1)
    waiting = await taking(batches, 10)
    first.release()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert len(bounds) == 0
