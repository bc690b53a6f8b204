"""Every rpc, through both clients, against the real server."""

from __future__ import annotations

import datetime
import math
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from river import linear_model, naive_bayes, preprocessing, stats

import thalweg
from tests.conftest import StartServer
from thalweg import Columns, Row, errors, results
from thalweg_server.background import BackgroundServer

DAY = datetime.date(2016, 5, 22)


class Mean:
    """A regressor that answers the mean of all targets; it sees whatever it is given."""

    def __init__(self) -> None:
        self.mean = stats.Mean()
        self.seen: list[object] = []

    def predict_one(self, x: Any) -> float:
        return self.mean.get()

    def learn_one(self, x: Any, y: Any) -> None:
        self.seen.append(dict(x))
        self.mean.update(y)


def regressor() -> Any:
    """Return a River pipeline."""
    return preprocessing.StandardScaler() | linear_model.LinearRegression()


@pytest.fixture
def client(server: BackgroundServer) -> Iterator[thalweg.Client]:
    """Return a client of a regression server."""
    with thalweg.Client(server.address) as connected:
        yield connected


@pytest.fixture
async def aclient(server: BackgroundServer) -> AsyncIterator[thalweg.aio.Client]:
    """Return an asyncio client of a regression server."""
    async with thalweg.aio.Client(server.address) as connected:
        yield connected


def test_init_reports_and_sets(start_server: StartServer) -> None:
    """None only asks; another flavor is a conflict only where there are models."""
    with thalweg.Client(start_server(flavor=None).address) as client:
        assert client.init().flavor == ""
        with pytest.raises(errors.NotInitialised):
            client.predict("m")
        info = client.init("regression")
        assert info.flavor == client.init().flavor == "regression"
        assert info.river_version and info.python_version and info.max_message_bytes
        client.upload_model("m", regressor())
        with pytest.raises(errors.FlavorConflict):
            client.init("binary")
        assert client.init("binary", reset=True).model_count == 0


def test_a_model_from_upload_to_delete(client: thalweg.Client) -> None:
    """Upload, learn, predict, describe, list, delete."""
    info = client.upload_model("m", regressor(), candidate="lm")
    assert (info.model, info.champion, info.learned) == ("m", "lm", 0)
    assert info.candidates[0].score.mae is None
    learned = client.learn("m", 3, {"a": 1.0}, date=DAY)
    assert (learned.learned, learned.duplicate) == (1, False)
    assert learned.scores[0].count == 1
    predicted = client.predict("m", {"a": 1.0}, all_candidates=True)
    assert isinstance(predicted.value, float)
    assert predicted.learned_through == DAY
    assert [each.candidate for each in predicted.candidates] == ["lm"]
    assert client.get_model("m").learned == 1
    assert [model.model for model in client.list_models()] == ["m"]
    client.delete_model("m")
    with pytest.raises(errors.UnknownModel):
        client.get_model("m")


def test_the_wrong_field_is_named(client: thalweg.Client) -> None:
    """Field violations come through."""
    client.upload_model("m", regressor())
    with pytest.raises(errors.BadDate) as caught:
        client.predict("m", date="2016-02-30")
    assert [violation.field for violation in caught.value.field_violations] == ["date"]


def test_delayed_labels_count_once(client: thalweg.Client) -> None:
    """Predict with an id, learn by it, and again."""
    client.upload_model("m", regressor())
    client.predict("m", {"a": 1.0}, prediction_id="p")
    assert not client.learn("", 2.0, prediction_id="p").duplicate
    assert client.learn("", 2.0, prediction_id="p").duplicate


def test_a_forecast_has_a_day_per_point(client: thalweg.Client) -> None:
    """horizon gives consecutive days from date."""
    client.upload_model("m", Mean(), context=("id", "date"))
    client.learn("m", 4.0, date=DAY)
    forecast = client.predict("m", date=DAY + datetime.timedelta(1), horizon=3).forecast
    assert [point.date for point in forecast] == [DAY + datetime.timedelta(i) for i in (1, 2, 3)]
    assert forecast[0].mean == 4.0
    assert forecast[0].lower is None


def test_predict_many_tells_unknown_names(client: thalweg.Client) -> None:
    """One value per model and day, unknown names apart."""
    for name, target in (("a", 1.0), ("b", 2.0)):
        client.upload_model(name, Mean(), context=("date",))
        client.learn(name, target, date=DAY)
    parts = list(client.predict_many(["b", "nobody", "a"], date=DAY, horizon=2))
    means = {name: list(values) for part in parts for name, values in part.by_model()}
    assert means["b"] == [2.0, 2.0] and means["a"] == [1.0, 1.0]
    assert [name for part in parts for name in part.unknown_models] == ["nobody"]
    assert {day for part in parts for day in part.dates} == {DAY, DAY + datetime.timedelta(1)}


def test_features_of_predict_many_are_shared_or_one_per_model(client: thalweg.Client) -> None:
    """A plain value counts for all models, a sequence goes model by model."""
    for name in "ab":
        client.upload_model(name, linear_model.LinearRegression())
        client.learn(name, 1.0, {"x": 1.0, "y": 1.0})
    parts = list(client.predict_many(["a", "b"], features={"x": [1.0, 0.0], "y": 0.0}))
    (_, first), (_, second) = (pair for part in parts for pair in part.by_model())
    assert first[0] > second[0]


def test_list_models_walks_all_pages(client: thalweg.Client) -> None:
    """The caller sees no pages."""
    for i in range(5):
        client.upload_model(f"m{i}", regressor())
    names = [model.model for model in client.list_models(page_size=2, order_by="name desc")]
    assert names == ["m4", "m3", "m2", "m1", "m0"]
    assert [model.model for model in client.list_models(glob="m[3]")] == []
    with pytest.raises(errors.BadRequest):
        list(client.list_models(order_by="beauty"))


def test_a_download_is_what_was_learned(client: thalweg.Client) -> None:
    """As bytes or as the estimator, learned state included."""
    client.upload_model("m", Mean(), context=("id",))
    client.learn("m", 4.0, {"b": 1, "a": None})
    assert isinstance(client.download_model("m"), bytes)
    estimator = client.download_model("m", load=True)
    assert estimator.mean.get() == 4.0
    assert [list(x.items()) for x in estimator.seen] == [[("a", None), ("b", 1), ("id", "m")]]


def test_templates_make_models(client: thalweg.Client) -> None:
    """A template is listed apart and cloned for new names."""
    client.upload_model("HOBBIES_*", regressor(), candidate="lm", template=True)
    (ack,) = client.stream_learn([Row(model="HOBBIES_1", target=1.0, features={"a": 1.0})])
    assert ack.learned == 1
    assert client.get_model("HOBBIES_1").champion == "lm"
    assert client.get_model("HOBBIES_*", template=True).template
    assert [model.model for model in client.list_models(template=True)] == ["HOBBIES_*"]
    client.delete_model("HOBBIES_*", template=True)


def test_a_bad_row_is_reported_and_the_rest_is_learned(client: thalweg.Client) -> None:
    """Its position and its reason come with the ack."""
    client.upload_model("*", Mean(), template=True)
    rows = [Row(model="m", target=math.nan if i == 7 else 1.0) for i in range(1000)]
    (ack,) = client.stream_learn(rows)
    assert (ack.learned, ack.error_count, ack.rows) == (999, 1, 1000)
    assert (ack.errors[0].row, ack.errors[0].reason) == (7, "ERROR_REASON_BAD_TARGET")


def test_predictions_and_learned_dates_of_a_stream(client: thalweg.Client) -> None:
    """return_predictions and skip_learned_dates reach the server."""
    client.upload_model("*", Mean(), template=True)
    columns = Columns(models=["m"] * 3, targets=[1.0, 3.0, 5.0], date_days=[1, 2, 3])
    (ack,) = client.stream_learn(columns, return_predictions=True)
    assert list(ack.predictions) == [0.0, 1.0, 2.0]
    (again,) = client.stream_learn(columns, skip_learned_dates=True)
    assert (again.learned, again.duplicates) == (0, 3)
    assert not again.resumed


def test_watched_scores_begin_with_the_present(client: thalweg.Client) -> None:
    """First the current state, then every change, at last the deletion."""
    client.upload_model("m", Mean())
    client.learn("m", 2.0)
    updates = client.watch_scores(["m"])
    assert next(updates).learned == 1
    client.learn("m", 4.0)
    assert next(updates).scores[0].mae == 2.0
    client.delete_model("m")
    assert next(updates).deleted
    updates.close()
    with pytest.raises(errors.UnknownModel):
        next(client.watch_scores(["nobody"]))


def test_binary_and_multiclass_answers(start_server: StartServer) -> None:
    """Classifiers answer a label and a probability per class."""
    with thalweg.Client(start_server(flavor=None).address) as client:
        client.init("binary")
        client.upload_model("m", naive_bayes.GaussianNB())
        for target in (True, False):
            client.learn("m", target, {"a": float(target)})
        answer = client.predict("m", {"a": 1.0})
        assert answer.label in ("true", "false")
        assert answer.value is None
        assert sum(answer.prediction.probabilities.values()) == pytest.approx(1)
        client.init("multiclass", reset=True)
        client.upload_model("m", naive_bayes.GaussianNB())
        for target in ("x", "y", "z"):
            client.learn("m", target, {"a": float(ord(target))})
        assert client.predict("m", {"a": float(ord("y"))}).label in "xyz"


async def test_asyncio_has_every_rpc(aclient: thalweg.aio.Client) -> None:
    """The same calls, awaited, give the same kinds of results."""
    assert (await aclient.init()).flavor == "regression"
    await aclient.wait_ready()
    info = await aclient.upload_model("*", Mean(), template=True, candidate="mean")
    assert info.template
    acks = [ack async for ack in aclient.stream_learn([Row(model="m", target=2.0, date=DAY)])]
    assert acks[0].learned == 1
    assert (await aclient.learn("m", 4.0, request_id="r")).learned == 2
    assert (await aclient.learn("m", 4.0, request_id="r")).duplicate
    assert (await aclient.predict("m")).value == 3.0
    parts = [part async for part in aclient.predict_many(glob="*")]
    assert [list(part.by_model()) for part in parts] == [[("m", (3.0,))]]
    assert [model.model async for model in aclient.list_models()] == ["m"]
    assert (await aclient.get_model("m")).learned == 2
    assert (await aclient.download_model("m", load=True)).mean.get() == 3.0
    updates = aclient.watch_scores(["m"])
    assert isinstance(await anext(updates), results.ScoreUpdate)
    await updates.aclose()
    await aclient.delete_model("m")
    with pytest.raises(errors.UnknownModel):
        await aclient.get_model("m")
