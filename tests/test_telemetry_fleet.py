"""All models at a glance: who answers, how well, and how far they have come."""

from __future__ import annotations

import random

import pytest
from river import dummy, naive_bayes, stats

from tests.estimators import RaisesInPredict
from tests.scraping import Samples, learn, make_service, mean, read, upload, value
from thalweg_server.core.groups import GroupRule
from thalweg_server.core.observation import Flavor
from thalweg_server.core.service import Service
from thalweg_server.telemetry import Telemetry
from thalweg_server.telemetry.fleet import MAE_BOUNDS

DAY = 86_400


def make_two() -> Service:
    """Models of two candidates: one learns the mean, the other the last target."""
    service = make_service()
    upload(service, "*", "mean", mean(), template=True)
    upload(service, "*", "last", dummy.StatisticRegressor(stats.Shift(0)), template=True)
    return service


def champions(samples: Samples) -> dict[str, float]:
    """Models that each candidate answers for."""
    found = samples.items()
    return {dict(labels)["candidate"]: n for (name, labels), n in found if name.endswith("mpions")}


def switches(samples: Samples) -> dict[str, float]:
    """Times that each candidate took over."""
    name = "thalweg_champion_switches_total"
    return {dict(labels)["candidate"]: n for (each, labels), n in samples.items() if each == name}


def test_champions_and_their_switches_are_counted() -> None:
    """At each moment as many as the models' own, and one more switch for each that changed."""
    service = make_two()
    telemetry = Telemetry(service)
    names = [f"item {n}" for n in range(9)]
    learn(service, *((name, 0.0) for name in names))
    source, before = random.Random(5), {}
    counted = switches(read(telemetry))
    seen = 0
    for _ in range(40):
        before = {name: service.registry.models[name].champion.name for name in names}
        learn(service, *((name, float(source.choice([0, 9]))) for name in names))
        samples = read(telemetry)
        now = {name: service.registry.models[name].champion.name for name in names}
        taken = [now[name] for name in names if now[name] != before[name]]
        seen += len(taken)
        counted = {each: counted[each] + taken.count(each) for each in counted}
        assert switches(samples) == counted
        assert champions(samples) == {each: [*now.values()].count(each) for each in counted}
    assert seen > 9


def test_classifiers_switches_are_counted() -> None:
    """Where the log loss decides."""
    service = make_service(Flavor.BINARY)
    upload(service, "item", "labels", dummy.NoChangeClassifier())
    upload(service, "item", "bayes", naive_bayes.GaussianNB())  # type: ignore[no-untyped-call]
    for n in range(40):
        learn(service, ("item", n % 2 == 0), x=[{"a": float(n % 2)}])
    samples = read(Telemetry(service))
    assert service.registry.models["item"].champion.name == "bayes"
    assert switches(samples)["bayes"] == 1 + switches(samples)["labels"]
    assert not [name for name, _ in samples if "champion_mae" in name]


def test_a_candidate_that_nobody_has_any_more_leads_nowhere() -> None:
    """Its series goes with the last of its name; its switches stay counted."""
    service = make_two()
    telemetry = Telemetry(service)
    learn(service, ("a", 1.0), ("b", 1.0))
    assert champions(read(telemetry)) == {"mean": 2, "last": 0}
    for name in ("a", "b"):
        service.delete(name, "mean", template=False)
    samples = read(telemetry)
    assert champions(samples) == {"last": 2}
    assert set(switches(samples)) == {"mean", "last"}


def test_the_distribution_is_that_of_the_champions_errors() -> None:
    """Each bucket counts all that are at most as large, bounds included."""
    service = make_two()
    learn(service, *((f"item {n}", 1.0) for n in range(400)))
    upload(service, "unscored", "mean", mean())
    source = random.Random(1)
    drawn = [*MAE_BOUNDS, 0.0, 1e6, *(10.0 ** source.uniform(-4, 5) for _ in range(300))]
    models = [service.registry.models[f"item {n}"] for n in range(400)]
    for model, error in zip(models, drawn, strict=False):
        service.board.mae[model.champion.row] = error
    errors = [float(service.board.mae[model.champion.row]) for model in models]
    samples = read(Telemetry(service))
    for bound in (*MAE_BOUNDS, float("inf")):
        le = {"le": "+Inf" if bound == float("inf") else str(bound)}
        count = value(samples, "thalweg_champion_mae_bucket", **le)
        assert count == sum(error <= bound for error in errors), bound
    assert value(samples, "thalweg_champion_mae_count") == 400
    assert value(samples, "thalweg_champion_mae_sum") == pytest.approx(sum(errors))


def test_the_bounds_are_those_that_dashboards_know() -> None:
    """Steps of 1, 2.5 and 5 from a hundredth to ten thousand."""
    assert MAE_BOUNDS[:5] == (0.01, 0.025, 0.05, 0.1, 0.25)
    assert MAE_BOUNDS[-4:] == (1000.0, 2500.0, 5000.0, 10000.0)
    assert len(MAE_BOUNDS) == 19


def test_the_latest_day_is_told_by_model_and_by_group() -> None:
    """As midnight UTC; no series where there was no day, and it follows a deletion."""
    service = make_two()
    service.totals.rule = GroupRule("(.)[0-9]")
    telemetry = Telemetry(service)
    for name, day in (("a1", 30), ("a2", 32), ("a1", 31), ("b1", -2)):
        learn(service, (name, 1.0), day=day)
    learn(service, ("c1", 1.0))
    through = "learned_through_timestamp_seconds"

    def told() -> dict[str, float]:
        found = read(telemetry).items()
        return {labels[0][1]: at / DAY for (name, labels), at in found if name.endswith(through)}

    assert told() == {"a1": 31, "a2": 32, "b1": -2, "a": 32, "b": -2}
    learn(service, ("b1", 1.0), day=40)
    service.delete("a2", "", template=False)
    assert told() == {"a1": 31, "b1": 40, "a": 31, "b": 40}


def test_the_time_of_the_last_row_is_that_of_its_arrival() -> None:
    """None before the first; nor for what was turned away, or learned by nobody."""
    service = make_two()
    name, telemetry = "thalweg_last_learned_timestamp_seconds", Telemetry(service)
    learn(service, ("a", float("nan")), at=5.0)
    assert value(read(telemetry), name) is None
    learn(service, ("a", 1.0), at=1.7e9 + 0.25)
    upload(service, "raises", "only", RaisesInPredict())
    learn(service, ("a", float("nan")), ("raises", 1.0), at=1.8e9)
    assert service.totals.rows["failed"] == service.totals.rows["learned"] == 1
    assert value(read(telemetry), name) == 1.7e9 + 0.25


def test_templates_and_candidates_are_counted() -> None:
    """A template's own candidates belong to no model."""
    service = make_two()
    telemetry = Telemetry(service)
    samples = read(telemetry)
    assert value(samples, "thalweg_templates") == 1
    assert value(samples, "thalweg_candidates", engine="river") == 0
    learn(service, ("a", 1.0), ("b", 1.0))
    service.delete("b", "last", template=False)
    service.delete("*", "", template=True)
    samples = read(telemetry)
    assert value(samples, "thalweg_templates") == 0
    assert value(samples, "thalweg_candidates", engine="river") == 3


def test_an_empty_service_can_be_looked_at() -> None:
    """Before Init as well: no models, no groups."""
    samples = read(Telemetry(make_service()))
    assert value(samples, "thalweg_champion_mae_count") == 0
    assert champions(samples) == {}
