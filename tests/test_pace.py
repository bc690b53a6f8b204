"""Slices of long work: as long as they may take, and shorter while calls come."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from thalweg_server.core.pace import GROWTH, MEMORY_SECONDS, Pace, Tempo


@dataclass
class Clock:
    """Time that goes on when it is told to."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tempo(clock: Clock) -> Tempo:
    return Tempo(clock, 0.004, 0.002)


def work(
    pace: Pace, clock: Clock, *, rows_per_second: float, slices: int = 20, most: int = 10**9
) -> int:
    """Runs slices of work of a steady speed; returns the size that they have come to."""
    for _ in range(slices):
        with pace.slice(most) as size:
            clock.now += size / rows_per_second
    return pace.size


def test_slices_come_to_hold_what_fits_into_their_time(tempo: Tempo, clock: Clock) -> None:
    """At 100,000 rows a second, 4 ms are 400 rows."""
    assert work(Pace(tempo), clock, rows_per_second=100_000) == pytest.approx(400, abs=1)


def test_slices_are_shorter_while_calls_come(tempo: Tempo, clock: Clock) -> None:
    """A call makes the slices behind it short, until none has come for a while."""
    pace = Pace(tempo, 400)
    tempo.call()
    assert work(pace, clock, rows_per_second=100_000, slices=2) == pytest.approx(200, abs=1)
    clock.now += MEMORY_SECONDS
    assert work(pace, clock, rows_per_second=100_000, slices=2) == pytest.approx(400, abs=1)


def test_a_cheap_slice_does_not_make_the_next_one_huge(tempo: Tempo, clock: Clock) -> None:
    """A slice of duplicates takes no time; the next one may be all work."""
    pace = Pace(tempo, 10)
    assert work(pace, clock, rows_per_second=1e12, slices=1) == 10 * GROWTH


def test_a_slice_holds_one_row_at_least(tempo: Tempo, clock: Clock) -> None:
    """However slow an estimator is, work goes on."""
    assert work(Pace(tempo), clock, rows_per_second=1) == 1


def test_small_batches_do_not_make_slices_grow(tempo: Tempo, clock: Clock) -> None:
    """A feed of single rows says nothing of what thousands would take, however long it is."""
    pace = Pace(tempo, 400)
    assert work(pace, clock, rows_per_second=100_000, slices=2_000, most=1) == pytest.approx(
        400, abs=1
    )


def test_small_batches_of_slow_work_make_slices_shorter(tempo: Tempo, clock: Clock) -> None:
    """Two rows that took a second each: the next slice is one row."""
    assert work(Pace(tempo, 400), clock, rows_per_second=1, slices=1, most=2) == 1
