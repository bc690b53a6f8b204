"""Scoring on arrays: the same compiled and not, and equal to river.metrics and to `ranking`."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import metrics

from thalweg_server.core.model import Candidate
from thalweg_server.core.observation import NO_DAY
from thalweg_server.core.ports import Loaded
from thalweg_server.core.roster import Roster
from thalweg_server.core.scores import Scoreboard
from thalweg_server.core.selection import ranking
from thalweg_server.core.tally import RAISED, UNLEARNED, UNSCORED, Tally, tally
from thalweg_server.core.totals import Totals
from thalweg_server.engines.compiled.cache import KernelCache
from thalweg_server.engines.compiled.scoring import compiled_tally

WIDTHS = (1, 2, 3)
"""Candidates of each model."""

numbers = st.one_of(
    st.integers(-3, 9).map(float), st.floats(-1e100, 1e100), st.just(math.nan), st.just(0.1)
)
flags = st.sampled_from([0, 0, 0, 0, RAISED, RAISED | UNLEARNED, UNSCORED])
rows = st.lists(
    st.tuples(
        st.integers(0, len(WIDTHS) - 1),
        st.integers(-9, 9).map(float),
        st.integers(0, 50),
        st.lists(st.tuples(numbers, flags), min_size=3, max_size=3),
    ),
    max_size=60,
)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Tally:
    """The loop as the server has it."""
    return compiled_tally(KernelCache(tmp_path_factory.mktemp("kernels")))


def make_roster() -> Roster:
    """Models of so many candidates, none of which has learned."""
    roster = Roster(Scoreboard(), Totals())
    for width in WIDTHS:
        number = roster.add()
        first = roster.board.take(width)
        roster.board.order[first : first + width] = range(width)
        roster.begin[number], roster.width[number] = first, width
    roster.totals.group("item", "candidate")
    return roster


def score(function: Tally, roster: Roster, given_rows: Any, *, by_rmse: bool = False) -> Any:
    """Tallies rows in one call; returns what callers would have got."""
    items = [each for m, _, _, given in given_rows for each in given[: WIDTHS[m]]]
    board, groups = roster.board, roster.totals.groups
    answers = np.empty(len(given_rows))
    function(
        np.array([m for m, *_ in given_rows], np.int64),
        np.array([y for _, y, *_ in given_rows], np.float64),
        np.array([day for _, _, day, _ in given_rows], np.int64),
        np.array([value for value, _ in items], np.float64),
        np.array([flag for _, flag in items], np.uint8),
        answers,
        by_rmse,
        2.0,
        *(roster.begin, roster.width, roster.learned, roster.through, roster.touched),
        *(roster.past, roster.past_targets, roster.past_answers, roster.past_days),
        *(board.group, board.order, board.taught, board.count, board.nonfinite),
        *(board.mae, board.mse, board.recent),
        *(groups.error_sum, groups.scored, groups.unusable, groups.switches),
    )
    return answers


def columns(roster: Roster) -> dict[str, Any]:
    """Everything that a tally may write."""
    tables = (roster, roster.board, roster.totals.groups)
    return {name: getattr(table, name) for table in tables for name in table.COLUMNS}


@settings(max_examples=200, deadline=None)
@given(rows, st.booleans())
def test_compiled_and_plain_are_the_same(compiled: Tally, given_rows: Any, by_rmse: bool) -> None:
    """Every array, bit for bit."""
    plain, fast = make_roster(), make_roster()
    answers = score(tally, plain, given_rows, by_rmse=by_rmse)
    np.testing.assert_array_equal(answers, score(compiled, fast, given_rows, by_rmse=by_rmse))
    for name, column in columns(plain).items():
        np.testing.assert_array_equal(column, columns(fast)[name], err_msg=name)


@settings(max_examples=200, deadline=None)
@given(rows, st.booleans())
def test_scores_equal_rivers_and_orders_equal_ranking(given_rows: Any, by_rmse: bool) -> None:
    """Row by row, for every candidate."""
    roster = make_roster()
    kept = [[(metrics.MAE(), metrics.RMSE()) for _ in range(width)] for width in WIDTHS]
    counts = [[0] * width for width in WIDTHS]
    for row in given_rows:
        model, target, _, given = row
        before = ranking_of(kept[model], counts[model], by_rmse)
        switches = int(roster.totals.groups.switches[0])
        (answer,) = score(tally, roster, [row], by_rmse=by_rmse)
        usable = [i for i in before if not math.isnan(given[i][0])]
        np.testing.assert_equal(answer, given[(usable or before)[0]][0])
        for i, (value, flag) in enumerate(given[: WIDTHS[model]]):
            if not flag & UNSCORED and not math.isnan(value):
                kept[model][i][0].update(target, value)
                kept[model][i][1].update(target, value)
                counts[model][i] += 1
        after = ranking_of(kept[model], counts[model], by_rmse)
        switches += before[0] != after[0]
        assert roster.totals.groups.switches[0] == switches
    for model, width in enumerate(WIDTHS):
        for i in range(width):
            found = roster.board.value_score(int(roster.begin[model]) + i)
            assert found.count == counts[model][i]
            if found.count:
                assert (found.mae, found.rmse) == tuple(each.get() for each in kept[model][i])


def ranking_of(kept: Any, counts: list[int], by_rmse: bool) -> list[int]:
    """Who answers, by the rule in words."""
    return ranking(counts, [pair[by_rmse].get() for pair in kept])


def test_what_raised_or_is_not_to_be_scored_counts_as_such() -> None:
    """Each flag has its own meaning."""
    roster = make_roster()
    flagged = [(math.nan, 0), (math.nan, RAISED), (3.0, UNSCORED)]
    score(tally, roster, [(2, 5.0, 7, flagged)])
    score(tally, roster, [(2, 5.0, 4, [(1.0, RAISED | UNLEARNED)] * 3)])
    board, first = roster.board, int(roster.begin[2])
    rows = slice(first, first + 3)
    assert board.nonfinite[rows].tolist() == [1, 0, 0]
    assert board.count[rows].tolist() == [1, 1, 1]
    assert board.taught[rows].tolist() == [1, 1, 1]
    assert roster.learned[2] == 1
    assert roster.through[2] == 7
    assert roster.through[0] == NO_DAY


def test_candidates_that_come_and_go_keep_their_siblings_scores() -> None:
    """Rows of one model stay neighbours; freed rows are empty."""

    roster = Roster(Scoreboard(), Totals())
    made = [Candidate(name, i, Loaded(i, ""), (), i) for i, name in enumerate("abc")]
    number = roster.add()
    roster.arrange(number, "item", made[:2])
    roster.board.mae[made[1].row] = 7.0
    roster.arrange(number, "item", made)
    roster.arrange(number, "item", made[1:])
    assert [c.row for c in made[1:]] == [roster.begin[number], roster.begin[number] + 1]
    assert roster.board.mae[made[1].row] == 7.0
    assert roster.board.slot[made[2].row] == 2
    kept = copy.copy(roster.board.mae)
    kept[made[1].row] = 0.0
    assert not kept.any()


def test_a_server_that_cannot_compile_scores_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slower, and the log says why."""
    monkeypatch.setattr("sys.executable", str(tmp_path / "no such program"))
    assert compiled_tally(KernelCache(tmp_path)) is tally
