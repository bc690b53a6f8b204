"""Above the limit of candidates the page shows the worst models only."""

from __future__ import annotations

from tests.scraping import learn, make_service, mean, models_in, read, upload, value
from thalweg_server.telemetry import Telemetry


def test_above_the_limit_only_the_worst_are_shown() -> None:
    """Whole models, largest MAE first; the rest is counted, and comes back when there is room."""
    service = make_service()
    telemetry = Telemetry(service, model_limit=5)
    for candidate in ("one", "two"):
        upload(service, "*", candidate, mean(), template=True)
    learn(service, ("a", 1.0), ("b", 20.0))
    assert models_in(read(telemetry)) == {"a", "b"}
    learn(service, ("c", 3.0), ("d", 40.0))
    samples = read(telemetry)
    assert models_in(samples) == {"b", "d"}
    assert value(samples, "thalweg_model_series_truncated") == 4
    assert value(samples, "thalweg_model_champion", model="d", candidate="two") == 0
    learn(service, ("d", 100.0))
    assert value(read(telemetry), "thalweg_model_mae", model="d", candidate="one") == 50.0
    learn(service, ("a", 1000.0))
    samples = read(telemetry)
    assert models_in(samples) == {"a", "d"}
    assert value(samples, "thalweg_model_mae", model="a", candidate="one") == 500.0
    service.delete("a", "", template=False)
    service.delete("d", "", template=False)
    samples = read(telemetry)
    assert models_in(samples) == {"b", "c"}
    assert value(samples, "thalweg_model_series_truncated") == 0


def test_above_the_limit_models_without_a_score_come_last() -> None:
    """A model that was never scored is not among the worst."""
    service = make_service()
    telemetry = Telemetry(service, model_limit=1)
    upload(service, "new", "mean", mean())
    upload(service, "good", "mean", mean())
    learn(service, ("good", 0.0))
    assert models_in(read(telemetry)) == {"good"}


def test_the_worst_are_found_by_their_champions() -> None:
    """A bad candidate that nobody is answered by does not make a model a bad one."""
    service = make_service()
    telemetry = Telemetry(service, model_limit=2)
    for name, bad in (("fine", 90.0), ("poor", 20.0)):
        upload(service, name, "good", mean())
        upload(service, name, "bad", mean())
        learn(service, (name, 10.0))
        good, other = service.registry.models[name].candidates
        service.board.mae[good.row] = 1.0 if name == "fine" else 15.0
        service.board.mae[other.row] = bad
    assert models_in(read(telemetry)) == {"poor"}
