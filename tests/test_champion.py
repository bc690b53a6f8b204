"""Which candidate answers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.estimators import Constant, Labeller, Proba, RaisesInPredict, Recorder
from tests.wire import Wire
from thalweg_server.core.selection import ranking


def champion(wire: Wire) -> str:
    """Return the champion of model "m", as all rpcs that tell it agree on."""
    info = wire.get("m")
    flagged = [c.candidate for c in info.candidates if c.score.champion]
    assert flagged == [info.champion]
    assert wire.list().models[0].champion == info.champion
    return str(info.champion)


def test_the_lowest_mae_answers(regression: Wire) -> None:
    """Chosen anew after every observation."""
    wire = regression
    wire.upload("m", Constant(0.0), "zero")
    wire.upload("m", Constant(10.0), "ten")
    seen = []
    for target in [0.0, 10.0, 10.0, 0.0, 0.0]:
        wire.learn("m", target)
        seen.append(champion(wire))
    assert seen == ["zero", "zero", "ten", "zero", "zero"]


def test_ties_and_no_scores_go_to_the_earliest_uploaded(regression: Wire) -> None:
    """The name does not matter; a replaced candidate is the latest."""
    wire = regression
    for name in ("z", "a", "m"):
        wire.upload("m", Constant(1.0), name)
    assert champion(wire) == "z"
    wire.learn("m", 3.0)
    assert champion(wire) == "z"
    wire.upload("m", Constant(1.0), "z", replace=True)
    assert champion(wire) == "a"
    wire.delete("m", "a")
    wire.learn("m", 3.0)
    assert champion(wire) == "m"


@pytest.mark.parametrize(("old", "needed"), [(1, 1), (10, 5), (11, 6), (56, 28), (80, 28)])
def test_a_newcomer_needs_half_of_its_siblings_count_and_28_at_most(
    old: int, needed: int, regression: Wire
) -> None:
    """A lucky first guess does not make a champion."""
    wire = regression
    wire.upload("m", Constant(9.0), "old")
    for _ in range(old):
        wire.learn("m", 0.0)
    wire.upload("m", Constant(0.0), "new")
    count = 0
    while champion(wire) == "old":
        wire.learn("m", 0.0)
        count += 1
    # The sibling's count goes on while the newcomer catches up.
    expected = next(n for n in range(1, 99) if n >= min(28, (old + n) / 2))
    assert count == expected >= needed


def test_a_candidate_without_scores_is_never_champion_beside_one_with(regression: Wire) -> None:
    """Errors and NaN are no low error."""
    wire = regression
    wire.upload("m", RaisesInPredict(), "raises")
    wire.upload("m", Constant(float("nan")), "nan")
    wire.upload("m", Constant(1e6), "bad")
    assert champion(wire) == "raises"
    wire.learn("m", 0.0)
    assert champion(wire) == "bad"


def test_log_loss_decides_between_classifiers(binary: Wire) -> None:
    """Not accuracy, where every candidate has probabilities."""
    wire = binary
    wire.upload("m", Fixed(0.4), "timid")  # wrong, but not far
    wire.upload("m", Fixed(0.51), "right")
    wire.upload("m", Fixed(0.99), "sure")
    wire.learn("m", True)
    assert champion(wire) == "sure"
    wire.learn("m", False)
    assert champion(wire) == "right"


class Fixed(Proba):
    """Answers the same probability of true always."""

    def __init__(self, p: float) -> None:
        self.p = p

    def predict_proba_one(self, x: Any) -> Any:
        """Answer."""
        return {True: self.p, False: 1.0 - self.p}


def test_accuracy_decides_where_a_candidate_has_no_log_loss(binary: Wire) -> None:
    """All are then compared by it; ties go to the earliest."""
    wire = binary
    wire.upload("m", Fixed(0.4), "never")
    wire.upload("m", Fixed(0.6), "always")
    wire.upload("m", Labeller(), "last")
    wire.learn("m", True)
    assert champion(wire) == "always"  # "last" has no score yet
    for _ in range(3):
        wire.learn("m", False)
    assert champion(wire) == "never"  # right 3 of 4; "last" 2 of 3
    for _ in range(6):
        wire.learn("m", True)
    assert champion(wire) == "last"  # 7 of 9; "always" 7 of 10


def test_the_champion_is_chosen_before_the_rows_that_come_after(regression: Wire) -> None:
    """In a batch each row is answered by who was champion then."""
    from tests.wire import batch, row

    wire = regression
    wire.upload("m", Recorder(), "first")
    wire.upload("m", Constant(10.0), "second")
    rows = [row("m", 10.0, {"answer": 1.0}) for _ in range(3)]
    with wire.stream() as stream:
        stream.open(return_predictions=True)
        assert list(stream.learn(batch(1, rows)).predictions) == [1.0, 10.0, 10.0]


def test_rmse_can_decide(start_server: Any, connect: Any) -> None:
    """Where the server's configuration says so."""
    wire = connect(start_server(champion_metric="rmse"))
    wire.upload("m", Recorder(), "often right")
    wire.upload("m", Constant(4.0), "never far")
    for answer, target in [(0.0, 0.0), (0.0, 0.0), (0.0, 9.0)]:
        wire.learn("m", target, {"answer": answer})
    mae = {c.candidate: c.score.mae for c in wire.get("m").candidates}
    assert mae["often right"] < mae["never far"]
    assert wire.get("m").champion == "never far"


def test_ranking_names_everyone_once() -> None:
    """The eligible by loss, then the others in order of their uploads."""
    assert ranking([0, 10, 1, 5], [None, 3.0, 0.1, 2.0], [1.0, 0.0, 0.0, 0.0]) == [3, 1, 0, 2]


def test_ranking_compares_all_by_the_fallback_where_one_has_no_loss() -> None:
    """One eligible candidate without a loss is enough; one that is not eligible is not."""
    assert ranking([9, 9, 9], [0.5, None, 0.4], [0.3, 0.2, 0.1]) == [2, 1, 0]
    assert ranking([9, 1, 9], [0.5, None, 0.6], [0.3, 0.2, 0.1]) == [0, 2, 1]
