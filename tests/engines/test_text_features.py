"""Groups by text, ids, dates, flags and computed features equal River, keys included."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import date
from typing import Any

import dill
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from river import compose, feature_extraction, linear_model, preprocessing, stats, utils

from bench import reference
from tests.engines.conftest import MakeEngine
from tests.engines.twins import DAY, Row, Twins, same
from thalweg import features, m5
from thalweg_server.core.observation import NO_DAY, Batch, Context, Names, day_text
from thalweg_server.engines.compiled import CompiledEngine

pytestmark = pytest.mark.timeout(600)  # a kernel's first compilation takes a while

LONG_AGO = date(1, 1, 1).toordinal() - date(1970, 1, 1).toordinal()
SHOPS = ("Zürich", "Bern", "", "Bern ", "x" * 500)


def agg(by: Any, how: Any = None, name: str = "y") -> feature_extraction.TargetAgg:
    """A mean per group."""
    return feature_extraction.TargetAgg(by=by, how=how or stats.Mean(), target_name=name)


def last(by: Any, size: int) -> feature_extraction.TargetAgg:
    """A mean of the last targets per group."""
    return agg(by, utils.Rolling(stats.Mean, window_size=size), f"last{size}")


def linear(*before: Any) -> compose.Pipeline:
    """A linear model behind some steps."""
    return compose.Pipeline(*before, linear_model.LinearRegression())


@pytest.fixture
def twins(engine: CompiledEngine) -> Twins:
    """No models yet; estimators see features, id and date."""
    return Twins(engine)


def shopping(count: int, model: int = 0, seed: int = 1, kinds: int = 3) -> list[Row]:
    """Rows with a shop, a price and whether there is a promotion."""
    source = np.random.default_rng(seed)
    return [
        Row(
            model,
            DAY + day,
            float(source.integers(9)),
            {
                "price": float(source.integers(3)),
                "promotion": bool(source.integers(2)),
                "shop": SHOPS[source.integers(kinds)],
            },
        )
        for day in range(count)
    ]


KEYS = st.lists(
    st.sampled_from(["shop", "price", "promotion", "id", "date"]),
    min_size=1,
    max_size=3,
    unique=True,
)


@pytest.fixture(scope="module")
def warm(make_engine: MakeEngine) -> None:
    """The kernels of two groups, compiled where Hypothesis does not trace every line."""
    for keys in (["shop"], ["shop", "price"]):
        twins = Twins(make_engine())
        twins.add(linear(agg(keys) + last(keys, 3)))
        twins.learn(shopping(1))


@pytest.mark.usefixtures("warm")
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(KEYS, KEYS, st.integers(0, 60), st.integers(0, 9))
def test_groups_by_any_features_equal_river(
    make_engine: MakeEngine, one: list[str], two: list[str], cut: int, seed: int
) -> None:
    """Texts, flags, the context's id and date; uploaded half-way, lifted with River's keys."""
    twins = Twins(make_engine())
    twins.add(linear(agg(one) + last(two, 3)))
    twins.clone(0)
    both = zip(shopping(60, 0, seed), shopping(60, 1, seed), strict=True)
    rows = [row for pair in both for row in pair]
    twins.learn(rows[:cut])
    twins.reload(1)
    twins.ask(rows[cut : cut + 3])
    twins.learn(rows[cut:])
    twins.assert_compiled()
    twins.assert_same_state()


def as_columns(rows: Sequence[Row], shops: list[str]) -> Batch:
    """A batch as a server decodes it: texts are lists, one for all rows or one per row."""
    names = sorted({row.model for row in rows})
    return Batch(
        names=Names(f"m{name}" for name in names),
        index=np.array([names.index(row.model) for row in rows], np.int32),
        days=np.array([row.day for row in rows], np.int32),
        targets=np.array([row.target for row in rows]),
        columns={"shop": shops},
    )


@pytest.mark.parametrize("one", [False, True], ids=["one per row", "one for all"])
def test_text_columns(twins: Twins, one: bool) -> None:
    """Learned and asked, with the names of models beside them."""
    for _ in range(3):
        twins.add(linear(agg(["shop", "id"])))
    days = zip(*(shopping(40, model, model) for model in range(3)), strict=True)
    rows = [row for each in days for row in each]
    shops = ["Bern"] if one else [str(row.features["shop"]) for row in rows]
    slots = np.array([twins.slots[row.model] for row in rows])
    values = twins.engine.learn(slots, np.arange(len(rows)), as_columns(rows, shops)).values
    names = [f"m{row.model}" for row in rows]
    each = [
        {"shop": shops[0 if one else item], "id": name, "date": day_text(rows[item].day)}
        for item, name in enumerate(names)
    ]
    for row, x, value in zip(rows, each, values.tolist(), strict=True):
        assert same(value, twins.rivers[row.model].predict_one(x))
        twins.rivers[row.model].learn_one(x, row.target)
    twins.assert_compiled()
    numbers = np.array([row.day for row in rows])
    for known in (names, ()):
        asked = twins.engine.predict_many(slots, numbers, {"shop": shops}, known)
        for row, x, value in zip(rows, each, asked.tolist(), strict=True):
            river = copy.deepcopy(twins.rivers[row.model])
            assert same(value, river.predict_one(x if known else {**x, "id": ""}))
    twins.assert_same_state()


KEPT: dict[str, Sequence[Any]] = {
    "flags": [True, False, True],
    "ints": [3, 4, 3],
    "ints, then floats": [3, 3.0, 4.0, 4],
    "floats, then ints": [3.0, 3, 4, 4.5],
    "flags and numbers": [1.0, True, 0, False, 1],
    "zeros": [-0.0, 0.0, 0],
    "texts": ["a", "b", "a", ""],
    "text and None": ["a", None, "a", None],
    "huge ints": [2**60, 2**60 + 1, 2**60],
}


@pytest.mark.parametrize("values", KEPT.values(), ids=KEPT)
def test_a_groups_key_is_what_came_first(twins: Twins, values: Sequence[Any]) -> None:
    """River's dict holds the first of equal keys, with its type."""
    twins.add(linear(agg("a")))
    twins.learn([Row(0, DAY, float(i), {"a": value}) for i, value in enumerate(values)])
    twins.assert_compiled()
    twins.assert_same_state()
    twins.reload(0)
    twins.learn([Row(0, DAY, 1.0, {"a": value}) for value in values])
    twins.assert_compiled()
    twins.assert_same_state()


def test_columns_first_and_rows_with_ints_later(twins: Twins) -> None:
    """History in bulk, then one by one: 3.0 and 3 are one group, under the key 3.0."""
    twins.add(linear(compose.Select("a", "b") + agg(["a", "b"])))
    history = [Row(0, DAY, float(i), {"a": float(i % 3), "b": float(i % 2)}) for i in range(12)]
    twins.learn(history, columns=True)
    twins.learn([Row(0, DAY, 2.0, {"a": i, "b": bool(i % 2)}) for i in range(5)])
    twins.assert_compiled()
    twins.assert_same_state()


BEHIND = {
    "Select": lambda: linear(compose.Select("shop"), agg("shop")),
    "Discard": lambda: linear(compose.Discard("price", "id"), agg(["shop", "promotion"])),
    "Renamer": lambda: linear(
        compose.Renamer({"shop": "where", "price": "cost"}), agg(["where", "cost"]) + agg("cost")
    ),
    "a union": lambda: linear(
        compose.Select("shop") + compose.Select("promotion", "price"),
        compose.Select("price") + agg("shop") + last(["promotion", "shop"], 2),
        preprocessing.StandardScaler(),
    ),
    "a function": lambda: linear(
        compose.FuncTransformer(features.weekday), compose.Select("weekday") + agg("weekday")
    ),
    "a pipeline in a union": lambda: linear(
        (compose.FuncTransformer(features.month) | agg("month"))
        + (compose.Select("shop") | last("shop", 3))
        + compose.FuncTransformer(features.day_of_month),
        preprocessing.MinMaxScaler(),
    ),
    "another TargetAgg": lambda: linear(agg("shop", stats.Count()), agg("y_count_by_shop")),
    "the id passed on": lambda: linear(
        compose.FuncTransformer(features.calendar),
        compose.Select("weekday") + agg("id") + agg(["weekday", "id"]) + agg("month"),
        preprocessing.StandardScaler(),
    ),
}


@pytest.mark.parametrize("make", BEHIND.values(), ids=BEHIND)
def test_groups_behind_other_steps(twins: Twins, make: Any) -> None:
    """The key is what reaches the step."""
    for model in range(2):
        twins.add(make())
        twins.learn(shopping(30, model, model, kinds=5))
    twins.assert_compiled()
    twins.reload(0)
    twins.ask(shopping(5))
    twins.learn([*shopping(50, 0, 3), *shopping(50, 1, 4)])
    twins.assert_compiled()
    twins.assert_same_state()


def test_groups_by_what_a_scaler_learns_are_left_to_river(twins: Twins) -> None:
    """Whether there is room for a group could not be told before something has changed."""
    twins.add(linear(compose.Select("price"), preprocessing.StandardScaler(), agg("price")))
    twins.learn(shopping(30))
    engine, why = twins.engine.placement(twins.slots[0])
    assert engine == "river"
    assert "step before it learns" in why


def test_the_date_has_to_reach_a_step(twins: Twins) -> None:
    """Behind a Select it is gone, and another feature of that name is no date."""
    twins.add(linear(compose.Select("price"), m5.RollingMeans([1], [1])))
    twins.add(linear(compose.Select("price"), compose.FuncTransformer(features.weekday)))
    twins.add(
        linear(
            compose.Discard("date"),
            compose.Renamer({"shop": "date"}),
            compose.FuncTransformer(features.weekday),
        )
    )
    twins.learn([row for model in range(3) for row in shopping(3, model)])
    assert [twins.engine.placement(slot)[0] for slot in twins.slots] == ["river"] * 3


def test_every_day_of_the_calendar(twins: Twins) -> None:
    """Years 1 to 9999, leap days and ends of centuries."""
    twins.add(linear(compose.FuncTransformer(features.calendar), agg(["day_of_month", "month"])))
    twins.context = (Context.DATE,)
    twins.slots.clear(), twins.rivers.clear()
    twins.add(linear(compose.FuncTransformer(features.calendar)))
    days = [*range(-30, 800), LONG_AGO, 2_932_896, *range(LONG_AGO, 2_932_896, 36_511)]
    centuries = [
        date(year, month, day).toordinal() - date(1970, 1, 1).toordinal()
        for year in (1600, 1700, 1900, 2000, 2016, 2100)
        for month, day in ((2, 28), (3, 1), (12, 31), (1, 1))
    ]
    twins.learn([Row(0, day, float(day % 5)) for day in [*days, *centuries]])
    twins.assert_compiled()
    twins.assert_same_state()


def test_a_row_without_a_date_raises_what_the_function_raises(twins: Twins) -> None:
    """It learns nothing, and the candidate stays compiled."""
    twins.add(linear(compose.FuncTransformer(features.calendar), agg("weekday")))
    rows = [Row(0, DAY + day, float(day)) for day in range(20)]
    rows[7] = Row(0, NO_DAY, 1.0)
    twins.learn(rows)
    twins.assert_compiled()
    twins.assert_same_state()


def test_an_id_of_the_rows_own_changes_what_calendar_gives(twins: Twins) -> None:
    """A candidate that has learned without one goes to River, as one more feature comes."""
    twins.context = (Context.DATE,)
    twins.add(linear(compose.FuncTransformer(features.calendar)))
    twins.learn([Row(0, DAY + day, float(day)) for day in range(9)])
    twins.assert_compiled()
    twins.learn([Row(0, DAY + day, float(day), {"id": 7.0}) for day in range(9)])
    assert twins.engine.placement(twins.slots[0])[0] == "river"


def test_a_function_of_someone_elses_runs_in_river(twins: Twins) -> None:
    """It may do anything."""
    twins.add(linear(compose.FuncTransformer(reference.extract_features), agg("weekday")))
    twins.learn([Row(0, DAY + day, float(day)) for day in range(9)])
    engine, why = twins.engine.placement(twins.slots[0])
    assert engine == "river"
    assert "function" in why


OTHERS = {
    "missing": {"price": 1.0},
    "None": {"price": 1.0, "shop": None},
    "a number": {"price": 1.0, "shop": 3.0},
    "a text for a number": {"price": "dear", "shop": "Bern"},
    "new": {"new": "text", "price": 1.0, "shop": "Bern"},
}


@pytest.mark.parametrize("x", OTHERS.values(), ids=OTHERS)
def test_a_row_with_other_features(twins: Twins, x: dict[str, Any]) -> None:
    """As River has it, error or not; other models stay as they are."""
    for _ in range(2):
        twins.add(linear(compose.Select("price") + agg("shop")))
    usual = {"price": 2.0, "shop": "Bern"}
    twins.learn([Row(model, DAY, 2.0, usual) for model in (0, 1, 0, 1)])
    days = [usual, x, usual, usual]
    twins.ask([Row(0, DAY, 0.0, x)])
    twins.assert_compiled()
    twins.learn([Row(0, DAY, 2.0, each) for each in days] + [Row(1, DAY, 2.0, usual)])
    assert twins.engine.placement(twins.slots[1]) == ("compiled", "")
    twins.assert_same_state()


def test_room_grows_with_the_groups_up_to_a_bound(twins: Twins) -> None:
    """Four times as many each time; a candidate beyond the bound goes to River for good."""
    for _ in range(2):
        twins.add(linear(compose.Select("price") + agg("shop") + last(["shop", "price"], 2)))
    rows = [Row(0, DAY, float(i % 7), {"price": 1.0, "shop": f"s{i // 2}"}) for i in range(900)]
    sizes = set()
    for begin in range(0, len(rows), 50):
        twins.learn(rows[begin : begin + 50])
        sizes.add(twins.engine.state_bytes(twins.slots[0]))
    twins.learn([Row(1, row.day, row.target, row.features) for row in rows[:20]])
    twins.assert_compiled()
    assert len(sizes) >= 3
    assert twins.engine.state_bytes(twins.slots[1]) < twins.engine.state_bytes(twins.slots[0])
    twins.reload(0)
    twins.learn(rows[:3])
    twins.assert_compiled()
    twins.assert_same_state()
    twins.learn([Row(0, DAY, 1.0, {"price": 1.0, "shop": f"t{i}"}) for i in range(2_100)])
    engine, why = twins.engine.placement(twins.slots[0])
    assert engine == "river"
    assert "groups" in why
    assert twins.engine.placement(twins.slots[1]) == ("compiled", "")
    twins.learn(rows[:5])


def test_narrow_rings_and_groups_that_grow(twins: Twins) -> None:
    """More room keeps four bytes per target; a target that needs eight moves once more."""
    twins.add(linear(m5.RollingMeans([2, 1], [1, 3]) + agg("shop")))
    rows = [Row(0, DAY + i, float(i % 5), {"shop": f"s{i % 23}"}) for i in range(60)]
    twins.learn(rows[:30])
    twins.learn([Row(0, DAY + 30, 0.1, {"shop": "fresh"})])
    twins.learn(rows[30:])
    twins.assert_compiled()
    twins.assert_same_state()


def test_a_full_dictionary_leaves_new_texts_to_river(twins: Twins) -> None:
    """Models with texts that it knows stay compiled; asking adds nothing."""
    for _ in range(2):
        twins.add(linear(agg("shop")))
    twins.learn([Row(model, DAY, 1.0, {"shop": shop}) for model in (0, 1) for shop in SHOPS])
    fleet = twins.engine._fleets[int(twins.engine._places.fleets[twins.slots[0]])]
    dictionary = fleet.plan.coding.dictionary
    twins.ask([Row(0, DAY, 0.0, {"shop": f"asked {i}"}) for i in range(20)])
    assert sorted(dictionary.values) == sorted(SHOPS)
    dictionary.entries_max = len(SHOPS)
    twins.learn([Row(model, DAY, 2.0, {"shop": shop}) for model in (0, 1) for shop in SHOPS])
    twins.assert_compiled()
    twins.learn([Row(0, DAY, 3.0, {"shop": shop}) for shop in ("Bern", "Chur", "Bern")])
    engine, why = twins.engine.placement(twins.slots[0])
    assert engine == "river"
    assert "more texts" in why
    assert twins.engine.placement(twins.slots[1]) == ("compiled", "")
    assert sorted(dictionary.values) == sorted(SHOPS)
    twins.assert_same_state()


def strange_key(key: Any) -> compose.Pipeline:
    """A pipeline with a group that no row of this test would make."""
    step = agg("shop")
    step.learn_one({"shop": key}, 1.0)
    return linear(step)


@pytest.mark.parametrize("key", [3.0, ("a", "b"), np.float64(1.0), float("nan")], ids=repr)
def test_an_upload_with_strange_groups_runs_in_river(twins: Twins, key: Any) -> None:
    """What a code cannot stand for is not lowered."""
    twins.add(strange_key(key))
    twins.learn([Row(0, DAY, 2.0, {"shop": shop}) for shop in SHOPS])
    assert twins.engine.placement(twins.slots[0])[0] == "river"


def reference_of(make: Any) -> compose.Pipeline:
    """29 genuine TargetAggs, with the shipped function for the reference's own."""
    pipeline = make()
    parts = list(pipeline.steps.values())
    return compose.Pipeline(compose.FuncTransformer(features.calendar), *parts[1:])


@pytest.mark.parametrize("make", [reference.knn, reference.lm], ids=["knn", "lm"])
def test_the_29_target_aggs_of_the_m5_example(twins: Twins, make: Any) -> None:
    """28 real days, twice: what plain River answers with a function of its own, bit for bit."""
    sales = m5.evaluation_days().select("*_1?1_CA_1", first=6)
    for number in range(len(sales.ids)):
        twins.add(reference_of(make)) if number == 0 else twins.clone(0)
    plain = [make() for _ in sales.ids]
    for again in range(2):
        for column, day in enumerate(sales.dates.tolist()):
            units = sales.units[:, column].tolist()
            rows = [Row(model, int(day) + 28 * again, y) for model, y in enumerate(units)]
            for row, river in zip(rows, plain, strict=True):
                x = twins._x(row)
                expected = river.predict_one(x)
                mine = copy.deepcopy(twins.rivers[row.model]).predict_one(x)
                assert same(float(expected), float(mine))
                river.learn_one(x, row.target)
            twins.learn(rows, columns=bool(column % 2))
        twins.assert_compiled()
        twins.assert_same_state()
        twins.reload(2)


def test_a_payload_keeps_working_elsewhere(twins: Twins) -> None:
    """A download is plain River: it learns on with the groups that it had."""
    twins.add(linear(agg(["shop", "promotion"])))
    twins.learn(shopping(40))
    river = dill.loads(twins.engine.dump(twins.slots[0]))
    key = next(iter(river["TargetAgg"]._groups))
    assert type(key[0]) is str
    assert type(key[1]) is bool
    assert len(river["TargetAgg"]._groups) == len(twins.rivers[0]["TargetAgg"]._groups)
