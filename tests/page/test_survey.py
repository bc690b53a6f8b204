"""All models at a glance, against the same figures made one by one."""

from __future__ import annotations

import json
import random
from statistics import median
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import dummy, stats

from tests.page.showing import Around
from tests.scraping import learn, make_service, mean, upload
from thalweg_server.core.service import Service
from thalweg_server.page.histogram import BARS_MAX, even_bars, log_bars
from thalweg_server.page.survey import RANKED, SCORED_MIN, Survey


def taken(service: Service) -> Any:
    """A survey."""
    return json.loads(Survey(Around().subject(service)).take())


@pytest.fixture(scope="module")
def service() -> Service:
    """Forty models of two candidates; some have learned little, one nothing."""
    service, chance = make_service(), random.Random(5)
    upload(service, "item-*", "mean", mean(), template=True)
    upload(service, "item-*", "ewm", dummy.StatisticRegressor(stats.EWMean(0.4)), template=True)
    for number in range(40):
        rows = 5 if number % 10 == 0 else 40
        for _ in range(rows):
            learn(service, (f"item-{number:02}", chance.gauss(10, number + 1)))
    upload(service, "nothing", "mean", mean())
    return service


def test_a_survey_counts_champions_of_all_models(service: Service) -> None:
    """By names, the most first; a model that learned nothing has a champion, too."""
    survey = taken(service)
    counts: dict[str, int] = {}
    for model in service.registry.models.values():
        counts[model.champion.name] = counts.get(model.champion.name, 0) + 1
    assert dict(survey["champions"]) == counts
    assert [count for _, count in survey["champions"]] == sorted(counts.values(), reverse=True)
    assert (survey["models"], survey["scored"], survey["names"]) == (41, 40, len(counts))


def test_a_survey_ranks_models_that_were_scored_often_enough(service: Service) -> None:
    """Ten at either end, by their champions' MAE."""
    survey = taken(service)
    maes = {
        name: service.judge.score(model.champion).mae
        for name, model in service.registry.models.items()
        if service.judge.score(model.champion).count >= SCORED_MIN
    }
    assert survey["ranked"] == len(maes) == 36
    order = sorted(maes, key=lambda name: maes[name] or 0.0)
    assert [entry["name"] for entry in survey["best"]] == order[:RANKED]
    assert [entry["name"] for entry in survey["worst"]] == order[::-1][:RANKED]
    worst = survey["worst"][0]
    assert worst["quality"] == pytest.approx(maes[order[-1]], rel=1e-5)
    assert worst["champion"] == service.registry.models[order[-1]].champion.name
    assert worst["learned"] == 40


def test_a_survey_shows_how_errors_are_spread(service: Service) -> None:
    """Every scored model is in one bar, and the median is theirs."""
    survey = taken(service)
    maes = [
        score.mae
        for model in service.registry.models.values()
        if (score := service.judge.score(model.champion)).mae is not None
    ]
    assert survey["median"] == pytest.approx(median(maes), rel=1e-5)
    assert sum(survey["bars"]["counts"]) + survey["exact"] == len(maes)


def test_models_without_any_error_are_counted_apart() -> None:
    """They have no place on a scale of powers of ten."""
    service = make_service()
    upload(service, "always", "mean", mean())
    for _ in range(3):
        learn(service, ("always", 0.0))
    survey = taken(service)
    assert (survey["bars"], survey["exact"], survey["median"]) == (None, 1, 0.0)


def test_young_models_are_ranked_among_themselves() -> None:
    """Where no model was scored often yet, those that were scored most are ranked."""
    service = make_service()
    for name, rows in (("older", 3), ("younger", 2)):
        upload(service, name, "mean", mean())
        for target in range(rows):
            learn(service, (name, float(target)))
    survey = taken(service)
    assert survey["ranked_from"] == 3
    assert [entry["name"] for entry in survey["worst"]] == ["older"]


def test_a_survey_notices_that_models_go() -> None:
    """What is remembered of models is of those that are there."""
    service = make_service()
    for name in ("a", "b"):
        upload(service, name, "mean", mean())
        learn(service, (name, 1.0))
    survey = Survey(Around().subject(service))
    assert json.loads(survey.take())["models"] == 2
    service.delete("a", "", template=False)
    upload(service, "c", "mean", mean())  # has the number that "a" had
    learn(service, ("c", 1.0))
    assert {entry["name"] for entry in json.loads(survey.take())["best"]} == {"b", "c"}


@given(st.lists(st.floats(1e-100, 1e100), min_size=1, max_size=200))
def test_every_error_is_between_the_bounds_of_its_bar(errors: list[float]) -> None:
    """However far apart they are, there are few bars, and all errors are in them."""
    bars = log_bars(np.array(errors))
    edges, counts = bars["edges"], bars["counts"]
    assert sum(counts) == len(errors)
    assert len(edges) == len(counts) + 1 <= BARS_MAX + 1
    assert list(edges) == sorted(set(edges))
    assert edges[0] <= min(errors) * 1.00001
    assert max(errors) <= edges[-1] * 1.00001


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200))
def test_every_share_is_in_a_bar(shares: list[float]) -> None:
    """Both ends, 0 and 1, included."""
    bars = even_bars(np.array(shares))
    assert sum(bars["counts"]) == len(shares)
    assert (bars["edges"][0], bars["edges"][-1]) == (0.0, 1.0)
