"""Parts of one call run side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from thalweg_server.engines.compiled.crew import Crew


def test_parts_run_at_the_same_time_in_the_same_few_threads() -> None:
    """The first of them in the caller's own."""
    crew, names = Crew(3), set()

    def meet(meeting: threading.Barrier) -> None:
        meeting.wait(30.0)
        names.add(threading.current_thread().name)

    for _ in range(5):
        meeting = threading.Barrier(3)
        crew.run([lambda: meet(meeting)] * 3)  # noqa: B023 -- run before the next one is made
    crew.close()
    assert threading.current_thread().name in names
    assert len(names) == 3


@pytest.mark.parametrize("failing", [0, 1])
def test_what_a_part_raises_is_raised_once_all_have_ended(failing: int) -> None:
    """Nothing is left running on arrays that are given up."""
    crew, ended = Crew(2), threading.Event()

    def fail() -> None:
        raise ValueError("no")

    def work() -> None:
        ended.wait(0.2)
        ended.set()

    parts: list[Callable[[], None]] = [work, work]
    parts[failing] = fail
    with pytest.raises(ValueError, match="no"):
        crew.run(parts)
    assert ended.is_set()
    crew.close()


def test_a_closed_crew_works_again() -> None:
    """Closing twice is no error, and a later call starts new threads."""
    crew, done = Crew(2), []
    for _ in range(2):
        crew.run([lambda: done.append(1)] * 2)
        crew.close()
        crew.close()
    assert len(done) == 4
