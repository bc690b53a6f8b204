"""The last targets of a model, beside what callers would have got for them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from river import dummy, naive_bayes, stats

from tests.parts import Parts
from tests.scraping import learn, make_service, mean, upload
from thalweg_server.core.freezing import freeze, thaw
from thalweg_server.core.history import Point, last
from thalweg_server.core.observation import EPOCH_ORDINAL, Batch, Flavor, Names, Question
from thalweg_server.core.roster import UNLISTED
from thalweg_server.core.service import Service
from thalweg_server.core.tally import PAST

FIRST = date(2016, 1, 30)


def history(service: Service, model: str = "item") -> list[Point]:
    """What it has met last."""
    return last(service.registry.roster, service.registry.models[model].number)


def learn_days(service: Service, targets: list[float], first: date = FIRST) -> list[float]:
    """Has "item" learn a target a day; returns what callers would have got."""
    days = first.toordinal() - EPOCH_ORDINAL + np.arange(len(targets), dtype=np.int32)
    batch = Batch(
        names=Names(["item"]),
        index=np.zeros(len(targets), np.int32),
        days=days.astype(np.int32),
        targets=np.array(targets),
        rows=[{} for _ in targets],
    )
    job = service.classroom.job(batch, at=0.0, predictions=True)
    while not job.step():
        pass
    answers: list[float] = job.report.predictions.tolist()
    return answers


def make_item(*estimators: Any) -> Service:
    """A model of these candidates."""
    service = make_service()
    for number, estimator in enumerate(estimators):
        upload(service, "item", f"candidate {number}", estimator)
    return service


@pytest.mark.parametrize("count", [0, 1, PAST - 1, PAST, PAST + 1, 3 * PAST + 7])
def test_the_last_targets_come_oldest_first(count: int) -> None:
    """Each with its day, and with what the champion of that time answered."""
    service = make_item(mean(), dummy.StatisticRegressor(stats.Shift(1)))
    targets = [float(n * n % 13) for n in range(count)]
    answers = learn_days(service, targets)
    expected = [
        Point(FIRST + timedelta(n), targets[n], float(np.float32(answers[n])))
        for n in range(max(0, count - PAST), count)
    ]
    assert history(service) == expected


def test_a_row_without_a_day_or_a_usable_answer_is_kept_without() -> None:
    """A target is a target."""
    service = make_item(dummy.StatisticRegressor(stats.Quantile()))
    learn(service, ("item", 4.0))
    assert history(service) == [Point(None, 4.0, None)]


def test_an_answer_beyond_four_bytes_is_kept_as_none() -> None:
    """It is scored all the same."""
    service = make_item(dummy.StatisticRegressor(stats.Sum()))
    service.limits.magnitude_max = 1e90
    learn(service, ("item", 1e30), ("item", 9e89), ("item", 1.0))
    assert history(service)[1].prediction == pytest.approx(1e30, rel=1e-6)
    assert history(service)[2] == Point(None, 1.0, None)
    assert service.board.count[service.registry.models["item"].champion.row] == 3


def test_a_prediction_that_was_stored_is_what_is_kept() -> None:
    """Delayed labels are told beside what was answered back then."""
    service = make_item(mean())
    learn(service, ("item", 8.0))
    service.predict(Question("item"), prediction_id="p", at=0.0)
    learn(service, ("item", 0.0))
    batch = Batch(
        names=Names(["item"]),
        index=np.zeros(1, np.int32),
        days=np.full(1, -(2**31), np.int32),
        targets=np.array([5.0]),
        rows=[{}],
        prediction_ids={0: "p"},
    )
    [_] = list(service.schooling.learn_together([batch], 1.0))
    assert history(service)[-1] == Point(None, 5.0, 8.0)


def test_a_models_past_outlives_its_candidates_but_not_the_model() -> None:
    """Whoever comes under its number later has none."""
    service = make_item(mean(), mean())
    learn_days(service, [1.0, 2.0])
    service.delete("item", "candidate 0", template=False)
    upload(service, "item", "new", mean())
    assert [point.target for point in history(service)] == [1.0, 2.0]
    number = service.registry.models["item"].number
    service.delete("item", "", template=False)
    upload(service, "other", "mean", mean())
    assert service.registry.models["other"].number == number
    assert history(service, "other") == []
    assert last(service.registry.roster, UNLISTED) == []


def test_the_past_is_in_snapshots() -> None:
    """And goes on behind them."""
    service = make_item(mean())
    learn_days(service, [float(n) for n in range(PAST + 5)])
    parts, thawed = Parts(), make_service()
    freeze(service, parts)
    thaw(thawed, parts)
    assert history(thawed) == history(service)
    for each in (service, thawed):
        learn_days(each, [7.0], FIRST + timedelta(PAST + 5))
    assert history(thawed) == history(service)
    assert history(thawed)[-1].target == 7.0


def test_classes_have_no_such_past() -> None:
    """Only numbers can be drawn over one another."""
    service = make_service(Flavor.BINARY)
    upload(service, "item", "bayes", naive_bayes.GaussianNB())  # type: ignore[no-untyped-call]
    learn(service, ("item", True), x=[{"a": 1.0}])
    assert history(service) == []
