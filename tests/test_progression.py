"""Predict and learn in one pass give what River's two passes give."""

from __future__ import annotations

from typing import Any

import pytest
from river import compose, feature_extraction, linear_model, preprocessing, stats, utils

from tests.structure import difference
from thalweg import m5
from thalweg_server.engines.progression import Progression


def _means() -> Any:
    by_day = feature_extraction.TargetAgg(by="day", how=utils.Rolling(stats.Mean, 3))
    overall = feature_extraction.TargetAgg(by="item", how=stats.Mean())
    return by_day + overall


PIPELINES = {
    "m5 knn": m5.knn,
    "m5 lm": m5.lm,
    "union of target aggregates": lambda: (
        _means() | preprocessing.StandardScaler() | linear_model.LinearRegression()
    ),
    "select, then a scaler": lambda: (
        compose.Select("number") | preprocessing.StandardScaler() | linear_model.LinearRegression()
    ),
    "scaler first": lambda: (
        compose.Select("number", "day")
        | preprocessing.MinMaxScaler()
        | linear_model.LinearRegression()
    ),
    "union with a scaler": lambda: (
        compose.Select("number")
        | (preprocessing.MinMaxScaler() + preprocessing.StandardScaler())
        | linear_model.LinearRegression()
    ),
    "no pipeline": linear_model.LinearRegression,
}


def _x(day: int, name: str) -> dict[str, Any]:
    if name.startswith("m5"):
        return {"date": f"2016-05-{day:02d}"}
    if name == "no pipeline":
        return {"number": day / 3}
    return {"day": day % 7, "item": 1, "number": day / 3}


@pytest.mark.parametrize("name", PIPELINES)
def test_predictions_and_state_equal_rivers(name: str) -> None:
    """Bit for bit, day after day, and the state that is left behind, too."""
    ours, rivers = PIPELINES[name](), PIPELINES[name]()
    progression = Progression(ours)
    for day in range(1, 30):
        target = float(day * 7 % 5)
        answer, seen = progression.predict_one(_x(day, name))
        progression.learn_one(seen, target)
        x = _x(day, name)
        assert repr(answer) == repr(rivers.predict_one(x))
        rivers.learn_one(x, target)
    assert rivers.predict_one(_x(30, name)) == ours.predict_one(_x(30, name))
    assert not difference(ours, rivers)
