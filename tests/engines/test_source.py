"""What an upload says never becomes a part of a kernel's source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import (
    compose,
    dummy,
    feature_extraction,
    linear_model,
    neighbors,
    preprocessing,
    stats,
    utils,
)

from thalweg import features, m5
from thalweg_server.engines.compiled.composer import Composer
from thalweg_server.engines.compiled.plan import make_plan
from thalweg_server.engines.compiled.steps.base import Inputs

PLAIN = {name: name for name in ("one", "two", "three", "four", "five", "six", "seven", "eight")}

HOSTILE = [
    '"""',
    "'''\nimport os",
    "{types}",
    "%s",
    "x):\n    os.system('true')\n#",
    "\\",
    "\u2028\x00",
    "__import__('os')",
]


def grouped(names: Mapping[str, str]) -> Any:
    """Groups by texts and numbers, side by side; names in every place that has one."""
    one, two, three = names["one"], names["two"], names["three"]
    mean, last = stats.Mean(), utils.Rolling(stats.Mean, window_size=3)
    groups = compose.TransformerUnion(
        (names["four"], feature_extraction.TargetAgg([one], mean, target_name=names["five"])),
        (names["six"], feature_extraction.TargetAgg([two, one], last, target_name=names["seven"])),
        (names["eight"], compose.Select(three)),
    )
    scaled = (two, preprocessing.TargetStandardScaler(linear_model.LinearRegression()))
    return compose.Pipeline((one, groups), (three, preprocessing.StandardScaler()), scaled)


def renamed(names: Mapping[str, str]) -> Any:
    """Features that are dropped and renamed on their way."""
    return compose.Pipeline(
        (names["one"], compose.Discard(names["one"], "date")),
        (names["two"], compose.Renamer({names["two"]: names["four"]})),
        (names["five"], preprocessing.MinMaxScaler()),
        (names["six"], neighbors.KNNRegressor(3, neighbors.LazySearch(window_size=5))),
    )


def dated(names: Mapping[str, str]) -> Any:
    """Steps that read the day."""
    functions = compose.FuncTransformer(features.month), m5.RollingMeans([2], [3])
    return compose.Pipeline(
        (names["one"], compose.TransformerUnion(*zip(names.values(), functions, strict=False))),
        (names["two"], dummy.StatisticRegressor(stats.EWMean(0.3))),
    )


def source(make: Any, names: Mapping[str, str]) -> str:
    """The kernel of a pipeline that was made with these names."""
    given = tuple(names[each] for each in ("one", "two", "three"))
    rows = {
        grouped: Inputs(given, raw=True, text=frozenset(given[:1])),
        renamed: Inputs((*given, "date"), raw=True, text=frozenset({"date"})),
        dated: Inputs((*given, "date"), raw=True, text=frozenset({"date"})),
    }
    return Composer(make_plan(make(names), rows[make])).source()


@pytest.mark.parametrize("make", [grouped, renamed, dated])
def test_names_of_features_and_steps_are_not_in_the_source(make: Any) -> None:
    """Whatever they are: the source is that of any other names, to the byte."""
    hostile = dict(zip(PLAIN, HOSTILE, strict=True))
    assert source(make, hostile) == source(make, PLAIN)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([grouped, renamed]),
    st.lists(
        st.text(min_size=1).filter(lambda name: name != "date"), min_size=8, max_size=8, unique=True
    ),
)
def test_no_names_are_in_the_source(make: Any, names: list[str]) -> None:
    """Any text at all."""
    assert source(make, dict(zip(PLAIN, names, strict=True))) == source(make, PLAIN)
