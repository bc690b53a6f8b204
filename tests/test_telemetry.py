"""The metrics page: what Prometheus reads off it is what the service holds.

These tests drive a `Service` directly. That an ack makes the page current holds end to end only
if the server marks what it changed before it answers: a test over a real socket belongs to the rpc.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from river import dummy, linear_model, metrics, naive_bayes, preprocessing, stats

from tests.scraping import bits, learn, make_service, mean, models_in, read, upload, value
from thalweg_server.core.model import Model
from thalweg_server.core.observation import Flavor, Question, Target
from thalweg_server.telemetry import Telemetry

AWKWARD = ['say "hi"', "back\\slash", "two\nlines", "\\n", "50 %s %", "🦆" * 60, "é}{", "{a=1}"]


def _bayes() -> Any:
    return naive_bayes.GaussianNB()  # type: ignore[no-untyped-call]


def test_the_mae_of_a_model_is_rivers_bit_for_bit() -> None:
    """What the page says parses back to the very float that river.metrics.MAE holds."""
    service = make_service()
    telemetry = Telemetry(service)
    pipeline = preprocessing.StandardScaler() | linear_model.LinearRegression()
    upload(service, "item", "lm", pipeline)
    truth: Any = metrics.MAE()  # type: ignore[no-untyped-call]
    errors = []
    source = random.Random(3)
    for n in range(80):
        x, y = {"a": source.gauss(0, 3), "b": source.random()}, source.expovariate(0.3)
        expected = pipeline.predict_one(x)
        truth.update(y, expected)
        errors.append(abs(y - expected))
        pipeline.learn_one(x, y)
        learn(service, ("item", y), x=[x])
        samples = read(telemetry)
        series = {"model": "item", "candidate": "lm"}
        assert bits(value(samples, "thalweg_model_mae", **series)) == bits(truth.get())
        recent = value(samples, "thalweg_model_mae_recent", **series)
        score = service.judge.score(service.registry.models["item"].candidates[0])
        assert bits(recent) == bits(score.mae_recent)
        assert recent == pytest.approx(float(np.mean(errors[-28:])), rel=1e-12)
        assert value(samples, "thalweg_model_learned_total", model="item") == n + 1


@pytest.mark.parametrize(
    "number", [1e-300, 5e-324, 1e300, 1e22, 123456789.0, 0.1 + 0.2, 2.0**53, 1e16, 0.0]
)
def test_every_float_parses_back_to_itself(number: float) -> None:
    """Tiny, huge and inexact values survive the text."""
    service = make_service()
    upload(service, "item", "mean", mean())
    learn(service, ("item", 1.0))
    service.board.mae[service.registry.models["item"].candidates[0].row] = number
    samples = read(Telemetry(service))
    assert bits(value(samples, "thalweg_model_mae", model="item", candidate="mean")) == bits(number)


@pytest.mark.parametrize("flavor", [Flavor.BINARY, Flavor.MULTICLASS])
def test_classification_reports_log_loss_and_accuracy(flavor: Flavor) -> None:
    """Classifiers have these two series, equal to their scores, and no absolute error."""
    service = make_service(flavor)
    telemetry = Telemetry(service)
    upload(service, "item", "bayes", _bayes())
    upload(service, "item", "labels", dummy.NoChangeClassifier())
    for n in range(12):
        target: Target = n % 3 == 0 if flavor is Flavor.BINARY else "abc"[n % 3]
        learn(service, ("item", target), x=[{"a": float(n % 3) + n / 50}])
    samples = read(telemetry)
    for candidate in service.registry.models["item"].candidates:
        series = {"model": "item", "candidate": candidate.name}
        score = service.judge.score(candidate)
        assert score.accuracy is not None
        assert value(samples, "thalweg_model_accuracy", **series) == score.accuracy
        assert value(samples, "thalweg_model_log_loss", **series) == score.log_loss
    assert not [name for name, _ in samples if "mae" in name or "absolute" in name]


def test_a_candidate_has_no_score_series_before_its_first_score() -> None:
    """No score is no line, never a zero; its siblings and the champion are shown."""
    service = make_service()
    telemetry = Telemetry(service)
    upload(service, "item", "old", mean())
    learn(service, ("item", 3.0), ("item", 4.0))
    upload(service, "item", "new", mean())
    samples = read(telemetry)
    assert value(samples, "thalweg_model_mae", model="item", candidate="old") == 2.0
    assert value(samples, "thalweg_model_mae", model="item", candidate="new") is None
    assert value(samples, "thalweg_model_mae_recent", model="item", candidate="new") is None
    assert value(samples, "thalweg_model_champion", model="item", candidate="new") == 0
    assert value(samples, "thalweg_model_champion", model="item", candidate="old") == 1


def test_the_champion_series_follow_the_champion() -> None:
    """Exactly one candidate of a model has a 1, also after the lead changed."""
    service = make_service()
    telemetry = Telemetry(service)
    upload(service, "item", "mean", mean())
    upload(service, "item", "last", dummy.StatisticRegressor(stats.Shift(0)))
    seen = set()
    for target in [5.0, 5.0, 5.0, 50.0, 50.0, 50.0, 50.0]:
        learn(service, ("item", target))
        champion = service.registry.models["item"].champion.name
        seen.add(champion)
        samples = read(telemetry)
        for name in ("mean", "last"):
            shown = value(samples, "thalweg_model_champion", model="item", candidate=name)
            assert shown == (name == champion)
    assert len(seen) == 2


@pytest.mark.parametrize("name", AWKWARD)
def test_names_are_escaped(name: str) -> None:
    """Quotes, backslashes, newlines, percent signs and emoji come back as they were."""
    service = make_service()
    upload(service, name, name[::-1], mean())
    learn(service, (name, 3.0))
    samples = read(Telemetry(service))
    assert value(samples, "thalweg_model_mae", model=name, candidate=name[::-1]) == 3.0
    assert value(samples, "thalweg_model_learned_total", model=name) == 1
    assert value(samples, "thalweg_scored_predictions_total", candidate=name[::-1]) == 1


def test_the_page_declares_every_family_of_the_contract() -> None:
    """Names and types as other people's dashboards expect them."""
    service = make_service()
    upload(service, "item", "mean", mean())
    learn(service, ("item", 3.0))
    telemetry = Telemetry(service, {"version": "1.2"})
    with telemetry.observe("unary", "thalweg.v1.Forecaster", "Learn") as call:
        call.received()
    page = b"".join(telemetry.page()).decode()
    for line in """
        thalweg_model_mae gauge|thalweg_model_mae_recent gauge|thalweg_model_learned_total counter
        thalweg_model_champion gauge|thalweg_absolute_error_total counter
        thalweg_scored_predictions_total counter|thalweg_nonfinite_predictions_total counter
        thalweg_learn_rows_total counter|thalweg_models gauge|thalweg_pending_predictions gauge
        thalweg_build_info gauge|thalweg_model_series_truncated gauge
        grpc_server_started_total counter|grpc_server_handled_total counter
        grpc_server_msg_received_total counter|grpc_server_msg_sent_total counter
        grpc_server_handling_seconds histogram|process_resident_memory_bytes gauge
    """.replace("\n", "|").split("|"):
        assert not line.strip() or f"# TYPE {line.strip()}\n" in page
    assert 'thalweg_build_info{version="1.2"} 1.0\n' in page


def test_totals_count_by_candidate_and_outcome() -> None:
    """Sums over all models, pending predictions and what became of rows."""
    service = make_service()
    telemetry = Telemetry(service)
    upload(service, "*", "mean", mean(), template=True)
    upload(service, "*", "nan", dummy.StatisticRegressor(stats.Quantile()), template=True)
    learn(service, ("a", 3.0), ("b", 4.0), ("a", float("nan")))
    service.predict(Question("a"), prediction_id="p1", at=0.0)
    samples = read(telemetry)
    assert value(samples, "thalweg_absolute_error_total", candidate="mean") == 7.0
    assert value(samples, "thalweg_scored_predictions_total", candidate="mean") == 2
    assert value(samples, "thalweg_nonfinite_predictions_total", candidate="mean") == 0
    assert value(samples, "thalweg_nonfinite_predictions_total", candidate="nan") == 2
    assert value(samples, "thalweg_learn_rows_total", outcome="learned") == 2
    assert value(samples, "thalweg_learn_rows_total", outcome="rejected") == 1
    assert value(samples, "thalweg_models") == 2
    assert value(samples, "thalweg_pending_predictions") == 1
    assert value(samples, "thalweg_model_series_truncated") == 0


def test_deleted_models_and_candidates_leave_the_page() -> None:
    """Their series go at once, and those of siblings stay."""
    service = make_service()
    telemetry = Telemetry(service)
    for candidate in ("one", "two"):
        upload(service, "*", candidate, mean(), template=True)
    learn(service, ("a", 1.0), ("b", 2.0))
    assert models_in(read(telemetry)) == {"a", "b"}
    service.delete("a", "", template=False)
    service.delete("b", "one", template=False)
    samples = read(telemetry)
    assert models_in(samples) == {"b"}
    assert not [
        labels for _, labels in samples if {("model", "b"), ("candidate", "one")} <= {*labels}
    ]
    assert value(samples, "thalweg_model_mae", model="b", candidate="two") == 2.0
    assert value(samples, "thalweg_model_champion", model="b", candidate="two") == 1


def test_a_replaced_candidate_starts_without_a_score() -> None:
    """The old one's figures are not shown for the new one."""
    service = make_service()
    telemetry = Telemetry(service)
    upload(service, "item", "mean", mean())
    learn(service, ("item", 3.0))
    assert value(read(telemetry), "thalweg_model_mae", model="item", candidate="mean") == 3.0
    upload(service, "item", "mean", mean(), replace=True)
    assert value(read(telemetry), "thalweg_model_mae", model="item", candidate="mean") is None


def test_a_reset_clears_the_page_and_changes_its_families() -> None:
    """After Init with another flavor nothing of the old models is left."""
    service = make_service()
    telemetry = Telemetry(service)
    upload(service, "item", "mean", mean())
    learn(service, ("item", 3.0))
    assert models_in(read(telemetry)) == {"item"}
    service.init(Flavor.BINARY, reset=True)
    assert models_in(read(telemetry)) == set()
    upload(service, "other", "bayes", _bayes())
    learn(service, ("other", True), ("other", False), x=[{"a": 1.0}, {"a": 2.0}])
    samples = read(telemetry)
    assert models_in(samples) == {"other"}
    assert value(samples, "thalweg_model_accuracy", model="other", candidate="bayes") is not None


def test_models_that_were_there_first_are_on_the_page() -> None:
    """A telemetry made for a service that was restored shows its models."""
    service = make_service()
    upload(service, "item", "mean", mean())
    assert models_in(read(Telemetry(service))) == {"item"}


def test_a_page_without_changes_is_the_same_object() -> None:
    """Nothing is rendered twice; a change renders the models that changed, and no other."""
    service = make_service()
    telemetry = Telemetry(service)
    upload(service, "*", "mean", mean(), template=True)
    learn(service, ("a", 1.0), ("b", 2.0))
    first = telemetry.page()[1:]
    second = telemetry.page()[1:]
    assert all(a is b for a, b in zip(first, second, strict=True))
    service.board.mae[:] = 77.0  # behind the service's back: no listener is told
    learn(service, ("b", 2.0))
    samples = read(telemetry)
    assert value(samples, "thalweg_model_mae", model="a", candidate="mean") == 1.0
    assert value(samples, "thalweg_model_mae", model="b", candidate="mean") == 38.5


@pytest.mark.parametrize("limit", [0, 1, 100])
def test_a_model_in_the_middle_of_a_change_does_not_fail_a_scrape(
    monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """The order of candidates may be stale, or missing, the moment a scrape reads it."""
    service = make_service()
    telemetry = Telemetry(service, model_limit=limit)
    upload(service, "item", "mean", mean())
    for order in ([], [1], [7, 0]):
        monkeypatch.setattr(Model, "order", order)
        service.registry.roster.touched[:] = True
        telemetry.page()
    service.registry.models["half"] = Model("half")
    service.registry.roster.touched[:] = True
    telemetry.page()


def test_a_failed_rendering_loses_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be rendered is rendered by the next scrape."""
    service = make_service()
    telemetry = Telemetry(service)
    upload(service, "item", "mean", mean())
    with monkeypatch.context() as patch:
        patch.setattr("thalweg_server.telemetry.models.scores", None)
        with pytest.raises(TypeError):
            telemetry.page()
    assert models_in(read(telemetry)) == {"item"}
