"""The one thread that touches models: whose turn it is, and how many may wait for theirs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from thalweg_server.core.errors import Overloaded
from thalweg_server.models_thread import ModelsThread

CALLERS, CALLS, TOGETHER = 12, 40, 3


@pytest.fixture
def models_thread() -> Iterator[ModelsThread]:
    """One that lets as many wait as there are callers."""
    thread = ModelsThread(CALLERS)
    yield thread
    thread.close()


def test_callers_that_never_pause_are_not_turned_away(models_thread: ModelsThread) -> None:
    """However long they go on: each waits with one call at a time."""

    def slowly(items: list[int]) -> list[tuple[int, int]]:
        time.sleep(0.001)
        return [(number, 2 * item) for number, item in enumerate(items)]

    async def caller(item: int) -> None:
        for _ in range(CALLS):
            assert await models_thread.together(slowly, item, TOGETHER) == 2 * item

    async def all_of_them() -> None:
        await asyncio.gather(*map(caller, range(CALLERS)))

    asyncio.run(all_of_them())
    assert models_thread.waiting == 0


def test_what_does_not_fit_into_one_turn_has_another(models_thread: ModelsThread) -> None:
    """In the order in which they came, and others have their turn between."""
    held, turns = threading.Event(), list[list[int] | str]()

    def together(items: list[int]) -> list[tuple[int, None]]:
        turns.append(items)
        return [(number, None) for number in range(len(items))]

    async def ask() -> None:
        busy = models_thread.call(held.wait)
        waiting = [models_thread.together(together, item, TOGETHER) for item in range(7)]
        other = models_thread.call(lambda: turns.append("other"))
        held.set()
        await asyncio.gather(busy, *waiting, other)

    asyncio.run(ask())
    assert turns == [[0, 1, 2], "other", [3, 4, 5], [6]]


def test_as_many_wait_as_may(models_thread: ModelsThread) -> None:
    """Those that would run together are counted one by one."""
    held = threading.Event()

    async def ask() -> None:
        busy = models_thread.call(held.wait)
        await asyncio.sleep(0.05)
        waiting = [models_thread.together(enumerate, item) for item in range(CALLERS - 1)]
        waiting.append(models_thread.call(lambda: (0, 0)))
        assert models_thread.waiting == CALLERS
        with pytest.raises(Overloaded, match=f"{CALLERS} calls are waiting"):
            models_thread.call(lambda: 0)
        with pytest.raises(Overloaded):
            models_thread.together(enumerate, 0)
        held.set()
        await asyncio.gather(busy, *waiting)

    asyncio.run(ask())
