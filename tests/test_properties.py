"""Properties that hold for any sequence of observations."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from river import linear_model, metrics, preprocessing

from tests.estimators import linear
from tests.structure import difference
from tests.wire import Wire, batch, columns, row
from thalweg.v1 import forecaster_pb2 as pb

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
NAMES = st.sampled_from(["a", "b", "ä", "Z", "10", "9", ""])
ROWS = st.lists(st.tuples(st.dictionaries(NAMES, NUMBERS, max_size=4), NUMBERS), max_size=25)
SHARED_SERVER = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def fresh(wire: Wire) -> None:
    """Empty the server: Hypothesis runs many examples within one test."""
    wire.init(pb.FLAVOR_REGRESSION, reset=True)


def other() -> Any:
    """Return a second candidate, which answers NaN at first."""
    return preprocessing.MinMaxScaler() | linear_model.LinearRegression()


@SHARED_SERVER
@given(ROWS)
def test_any_sequence_of_learns_equals_a_river_loop(regression: Wire, rows: list[Any]) -> None:
    """Predictions, scores and state of two candidates, bit for bit."""
    fresh(regression)
    loops = {"one": linear(), "two": other()}
    scores = {name: (metrics.MAE(), metrics.RMSE()) for name in loops}
    for name, loop in loops.items():
        regression.upload("m", loop, name)
    for given_x, y in rows:
        x = dict(sorted(given_x.items()))
        response = regression.learn("m", y, given_x)
        for answer, score in zip(response.candidates, response.scores, strict=True):
            expected = loops[answer.candidate].predict_one(dict(x))
            usable = abs(expected) <= 1e100
            assert answer.HasField("prediction") == usable
            if usable:
                assert not difference(answer.prediction.value, float(expected))
                for metric in scores[answer.candidate]:
                    metric.update(y, expected)
            mae, rmse = scores[answer.candidate]
            assert score.count == mae.n if hasattr(mae, "n") else True
            assert (score.mae, score.rmse) == (mae.get(), rmse.get())
            loops[answer.candidate].learn_one(dict(x), y)
    for name, loop in loops.items():
        assert not difference(loop, regression.estimator("m", name))


COLUMNS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(-800_000, 100_000),
        st.one_of(NUMBERS, st.just(math.nan), st.just(2e15)),
        NUMBERS,
        st.one_of(NUMBERS, st.just(math.inf)),
    ),
    min_size=1,
    max_size=30,
)


@SHARED_SERVER
@given(COLUMNS, st.booleans())
def test_columns_equal_the_same_rows(regression: Wire, cells: list[Any], skip: bool) -> None:
    """Acks, scores and state, bad cells included."""
    fresh(regression)
    acks = []
    for way in ("r", "c"):
        for name in "ab":
            regression.upload(f"{way}{name}", linear(), context=[])
        with regression.stream() as stream:
            stream.open(return_predictions=True, skip_learned_dates=skip)
            acks.append(stream.learn(message(way, [(i % 2, *rest) for i, *rest in cells])))
    for ack in acks:
        for error in ack.errors:
            error.ClearField("message")  # names the field as it was sent
    assert not difference(list(acks[0].predictions), list(acks[1].predictions))
    for ack in acks:
        ack.ClearField("predictions")
    assert acks[0] == acks[1]
    for name in "ab":
        assert not difference(regression.estimator(f"r{name}"), regression.estimator(f"c{name}"))
        left, right = regression.get(f"r{name}"), regression.get(f"c{name}")
        assert left.learned_through == right.learned_through
        assert left.candidates[0].score == right.candidates[0].score


def message(way: str, cells: list[Any]) -> pb.StreamLearnRequest:
    """Return the cells as rows or as columns; what no date can say is left out of both."""
    from datetime import date, timedelta

    cells = [(i, min(max(d, -719_162), 2_932_896), y, a, b) for i, d, y, a, b in cells]
    if way == "c":
        index, days, targets, a, b = (list(each) for each in zip(*cells, strict=True))
        return columns(
            1,
            models=["ca", "cb"],
            model_index=index,
            date_days=days,
            target=targets,
            features={"b": b, "a": a},
        )
    epoch = date(1970, 1, 1)
    return batch(
        1,
        [
            row(f"r{'ab'[i]}", y, {"b": b, "a": a}, date=str(epoch + timedelta(d)))
            for i, d, y, a, b in cells
        ],
    )
