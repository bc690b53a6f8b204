"""The M5 pipelines in fleets answer River's own bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import dill
import numpy as np
import pytest
from river import linear_model, neighbors, preprocessing

from tests.engines.twins import DAY, Row, Twins
from thalweg import m5
from thalweg_server.core.observation import NO_DAY
from thalweg_server.engines.compiled import CompiledEngine

PIPELINES = {"knn": m5.knn, "lm": m5.lm}
pipelines = pytest.mark.parametrize("make", PIPELINES.values(), ids=PIPELINES)


def slow_seller(seed: int, days: int, model: int = 0, begin: int = DAY) -> Iterator[Row]:
    """Whole units, most zero, with long pauses and gaps: ties everywhere."""
    source = np.random.default_rng(seed)
    day = begin
    for number in range(days):
        asleep = (number // 40) % 3 == 0
        units = 0 if asleep or source.random() < 0.6 else source.integers(1, 9)
        yield Row(model, day, float(units))
        day += int(source.choice([1, 1, 1, 1, 1, 2, 5]))


@pytest.fixture
def twins(engine: CompiledEngine) -> Twins:
    """No models yet."""
    return Twins(engine)


def test_both_equal_river_on_28_real_days_of_48_items(twins: Twins) -> None:
    """Interleaved by day, both candidates of every item, as a server gets them."""
    sales = m5.evaluation_days().select("*_1?1_CA_1", first=24)
    models = [(twins.add(m5.knn()), twins.add(m5.lm())) for _ in sales.ids]
    twins.assert_compiled()
    for column, day in enumerate(sales.dates.tolist()):
        units = sales.units[:, column].tolist()
        twins.learn(
            [
                Row(model, int(day), target)
                for pair, target in zip(models, units, strict=True)
                for model in pair
            ],
            columns=bool(column % 2),
        )
    twins.assert_compiled()
    twins.assert_same_state()


@pipelines
def test_300_days_of_one_model_in_one_batch(make: Callable[[], Any], twins: Twins) -> None:
    """Rows of one model are learned in the order received."""
    model = twins.add(make())
    twins.learn(list(slow_seller(1, 300, model)))
    twins.assert_same_state()


@pipelines
def test_fractions_and_large_numbers(make: Callable[[], Any], twins: Twins) -> None:
    """Targets that are no whole numbers: means of neighbours round once, as Python's."""
    source = np.random.default_rng(5)
    twins.add(make())
    targets = [*source.normal(0, 1e3, 80), *(source.random(60) * 1e12), *source.normal(0, 1e-9, 60)]
    twins.learn([Row(0, DAY + day, float(target)) for day, target in enumerate(targets)])
    twins.assert_compiled()
    twins.assert_same_state()


@pipelines
def test_without_predicting_the_same_is_learned(make: Callable[[], Any], twins: Twins) -> None:
    """`predict=False` skips the prediction and nothing else."""
    twins.add(make())
    rows = list(slow_seller(2, 90))
    twins.learn(rows[:45], predict=False)
    twins.learn(rows[45:])
    twins.assert_same_state()


@pipelines
def test_a_half_trained_upload_goes_on_where_it_was(make: Callable[[], Any], twins: Twins) -> None:
    """Learned state is lowered; so is that of a candidate downloaded and uploaded again."""
    rows = list(slow_seller(3, 200))
    trained = make()
    for row in rows[:77]:
        trained.learn_one({"date": twins._x(row)["date"]}, int(row.target))
    model = twins.add(trained)
    twins.learn(rows[77:130])
    twins.reload(model)
    twins.assert_compiled()
    twins.learn(rows[130:])
    twins.assert_same_state()


@pipelines
def test_clones_of_a_learned_template_go_their_own_ways(
    make: Callable[[], Any], twins: Twins
) -> None:
    """A clone has the template's state, and shares none of it."""
    template = twins.add(make())
    twins.learn(list(slow_seller(4, 50, template)))
    clones = [twins.clone(template) for _ in range(40)]
    rows = [list(slow_seller(seed, 40, clone, DAY + 99)) for seed, clone in enumerate(clones)]
    twins.learn([row for day in zip(*rows, strict=True) for row in day])
    twins.assert_compiled()
    twins.assert_same_state()


@pipelines
def test_asking_changes_nothing(make: Callable[[], Any], twins: Twins) -> None:
    """Not by a bit, learned or not."""
    model = twins.add(make())
    twins.ask([Row(model, DAY + day, 0.0) for day in range(9)])
    twins.learn(list(slow_seller(6, 40)))
    before = twins.engine.dump(twins.slots[model])
    twins.ask([Row(model, DAY + day, 0.0) for day in range(9)])
    many = twins.engine.predict_many(np.array(twins.slots * 9), np.arange(DAY, DAY + 9), {})
    assert twins.engine.dump(twins.slots[model]) == before
    one_by_one = [
        twins.rivers[model].predict_one(twins._x(Row(model, DAY + day, 0.0))) for day in range(9)
    ]
    assert many.tolist() == one_by_one


@pipelines
def test_a_row_without_a_date_raises_rivers_error(make: Callable[[], Any], twins: Twins) -> None:
    """It learns nothing, and the candidate stays compiled."""
    twins.add(make())
    rows = list(slow_seller(7, 30))
    rows[10] = Row(0, NO_DAY, 1.0)
    twins.learn(rows)
    twins.assert_compiled()
    twins.assert_same_state()


@pipelines
def test_a_date_of_the_rows_own_that_is_another_day_is_left_to_river(
    make: Callable[[], Any], twins: Twins
) -> None:
    """From that row on; the other models and the rows before stay as they are."""
    twins.add(make())
    twins.add(make())
    both = zip(slow_seller(8, 60), slow_seller(9, 60, 1), strict=True)
    rows = [row for pair in both for row in pair]
    rows[40] = Row(0, rows[40].day, 2.0, {"date": "2016-02-29"})
    rows[41] = Row(1, DAY, 2.0, {"date": "2015-12-31"})
    twins.learn(rows)
    assert twins.engine.placement(twins.slots[0])[0] == "river"
    assert twins.engine.placement(twins.slots[1]) == ("compiled", "")
    twins.learn(rows)
    twins.reload(0)
    assert twins.engine.placement(twins.slots[0]) == ("compiled", "")
    twins.learn(list(slow_seller(10, 30, 0)))
    twins.assert_same_state()


@pipelines
def test_rows_one_by_one_are_learned_as_in_batches(make: Callable[[], Any], twins: Twins) -> None:
    """Without a date, with a target too long for four bytes, and of another day, in turn."""
    twins.add(make())
    rows = list(slow_seller(18, 80))
    rows[10] = Row(0, NO_DAY, 1.0)
    rows[30] = Row(0, rows[30].day, 0.1)
    for row in rows[:60]:
        twins.ask([row])
        twins.learn([row])
    twins.assert_compiled()
    twins.assert_same_state()
    twins.learn([Row(0, rows[60].day, 2.0, {"date": "2016-02-29"})])
    assert twins.engine.placement(twins.slots[0])[0] == "river"
    for row in rows[61:]:
        twins.learn([row], predict=False)
    twins.assert_same_state()


def test_the_two_candidates_of_a_model_learn_one_row(twins: Twins) -> None:
    """As a server does it; where one is in River, the others are served all the same."""
    models = [twins.add(m5.knn()), twins.add(linear_model.LinearRegression(l1=0.1))]
    models.append(twins.add(m5.lm()))
    for row in slow_seller(19, 40):
        twins.learn([Row(model, row.day, row.target) for model in models])
    assert [twins.engine.placement(twins.slots[model])[0] for model in models] == [
        "compiled",
        "river",
        "compiled",
    ]
    twins.assert_same_state()


@pytest.mark.parametrize("window", [1, 3, 16, 63, 64, 65, 100])
@pytest.mark.parametrize("aggregation", ["mean", "median", "weighted_mean"])
def test_small_and_large_windows_are_searched_with_rivers_answers(
    twins: Twins, window: int, aggregation: str
) -> None:
    """Each in its own way; most distances are equal to another."""
    search = neighbors.LazySearch(window_size=window)
    final = neighbors.KNNRegressor(7, search, aggregation_method=aggregation)
    twins.add(m5.RollingMeans([2, 1], [1]) | preprocessing.MinMaxScaler() | final)
    twins.learn(list(slow_seller(17, 150)))
    twins.assert_compiled()
    twins.assert_same_state()


def test_other_windows_share_the_kernel(twins: Twins) -> None:
    """Sizes and hyper-parameters are arguments: nothing is compiled for them."""
    twins.add(m5.lm())
    kernels = len(twins.engine._fleets.kernels._kernels)
    other = m5.RollingMeans(windows=(3, 1), weekday_windows=(2, 5, 4)) | m5.lm()[1] | m5.lm()[2]
    model = twins.add(other)
    assert len(twins.engine._fleets.kernels._kernels) == kernels
    twins.learn([*slow_seller(11, 60, model), *slow_seller(12, 3)])
    twins.assert_same_state()


@pipelines
def test_targets_that_do_not_fit_in_four_bytes_move_to_a_wider_fleet(
    make: Callable[[], Any], twins: Twins
) -> None:
    """In the middle of a batch, with its rows in order; such uploads begin there."""
    for _ in range(2):
        twins.add(make())
    both = zip(slow_seller(13, 70), slow_seller(14, 70, 1), strict=True)
    rows = [row for pair in both for row in pair]
    rows[60] = Row(0, rows[60].day, 0.1)
    twins.learn(rows)
    twins.assert_compiled()
    assert len({int(twins.engine._places.fleets[slot]) for slot in twins.slots}) == 2
    for model in range(2):
        twins.reload(model)
    assert len({int(twins.engine._places.fleets[slot]) for slot in twins.slots}) == 2
    twins.learn(list(slow_seller(15, 20)))
    twins.assert_same_state()


def test_a_thousand_clones_keep_their_state_while_the_memory_grows(twins: Twins) -> None:
    """Rows are moved, not lost."""
    twins.add(m5.lm())
    twins.learn(list(slow_seller(16, 30)))
    payload = twins.lifted(0)
    clones = [twins.engine.clone(twins.slots[0]) for _ in range(1_000)]
    for slot in (clones[0], clones[500], clones[-1]):
        assert repr(dill.loads(twins.engine.dump(slot)).steps) == repr(payload.steps)
    asked = twins.engine.predict_many(np.array(clones), np.full(1_000, DAY + 200), {})
    assert set(asked.tolist()) == {payload.predict_one({"date": "2016-07-18"})}
