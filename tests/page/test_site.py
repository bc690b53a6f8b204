"""The page's routes, over real sockets."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from river import dummy, linear_model, stats

from tests.page.showing import Shown, first, showing, upload_dated
from tests.scraping import learn, make_service, mean, upload
from thalweg_server.callers.checking import SecretFile
from thalweg_server.core.observation import Flavor
from thalweg_server.page import State
from thalweg_server.page.site import STATIC

DAY = date(2016, 5, 22).toordinal() - date(1970, 1, 1).toordinal()


class Refuses(dummy.StatisticRegressor):
    """Learns, and cannot predict once it has."""

    def predict_one(self, x: dict[str, object]) -> float:
        """See River."""
        if self.statistic.get() > 2.0:
            raise ValueError("no crystal ball")
        return float(super().predict_one(x))


@pytest.fixture
def shown() -> Iterator[Shown]:
    """A page of a regression service without models."""
    with showing(make_service()) as shown:
        yield shown


def test_the_shell_and_its_parts_come_from_the_server_alone(shown: Shown) -> None:
    """Everything the shell asks for is there, typed, and nothing names another machine."""
    status, headers, body = shown.get("/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    asked = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', body.decode()))
    asked |= {f"/static/{path.name}" for path in STATIC.iterdir()}
    kinds = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    for path in asked - {"/static/index.html"}:
        status, headers, body = shown.get(path)
        assert (status, headers["content-type"].partition(";")[0]) == (
            200,
            kinds[Path(path).suffix],
        )
        assert not re.findall(rb"https?://(?!www\.w3\.org/2000/svg)", body), path


def test_a_browser_is_told_to_run_nothing_else(shown: Shown) -> None:
    """The policy is on every answer, and the shell has no script, style or handler of its own."""
    for path in ("/", "/static/page.js", "/api/models", "/api/models/none", "/nothing"):
        policy = shown.get(path)[1]["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
    shell = shown.get("/")[2].decode()
    assert not re.findall(
        r"<style|<script(?! type=\"module\" src=\"/static/)|\son\w+=|\sstyle=", shell
    )


def test_nothing_beside_the_static_files_is_served(shown: Shown) -> None:
    """A path that climbs out of the folder is not found."""
    for path in ("/static/../site.py", "/static/%2e%2e/site.py", "/static/", "/static/none.js"):
        assert shown.get(path)[0] == 404


def test_a_search_finds_parts_of_names_in_any_case(shown: Shown) -> None:
    """Names that begin so come first; a glob is of the whole name; 20 are enough."""
    for name in ("FOODS_2", "HOBBIES_1_CA", "HOBBIES_2_TX", "old_hobbies", "ß<b>"):
        upload(shown.service, name, "mean", mean())
    assert shown.found("hobb") == ["HOBBIES_1_CA", "HOBBIES_2_TX", "old_hobbies"]
    assert shown.found("_2") == ["FOODS_2", "HOBBIES_2_TX"]
    assert shown.found("hobbies_?_*") == ["HOBBIES_1_CA", "HOBBIES_2_TX"]
    assert shown.found("*X") == ["HOBBIES_2_TX"]
    assert shown.found("<B>") == ["ß<b>"]
    assert shown.found("(") == []
    assert len(shown.found("")) == 5
    for number in range(30):
        upload(shown.service, f"many-{number:02}", "mean", mean())
    assert shown.found("many") == [f"many-{number:02}" for number in range(20)]


def test_a_search_notices_models_that_come_and_go(shown: Shown) -> None:
    """What was found before is not what is there now."""
    upload(shown.service, "a1", "mean", mean())
    assert shown.found("a") == ["a1"]
    upload(shown.service, "a2", "mean", mean())
    shown.service.delete("a1", "", template=False)
    assert shown.found("a") == ["a2"]


def test_a_model_shows_what_get_model_would(shown: Shown) -> None:
    """Scores, counts, engine and champion of each candidate."""
    upload(shown.service, "shop/1 é", "mean", mean())
    upload(shown.service, "shop/1 é", "late", dummy.StatisticRegressor(stats.EWMean(0.3)))
    for target in (3.0, 8.0, 4.0):
        learn(shown.service, ("shop/1 é", target))
    status, model = shown.model("shop/1 é")
    view = shown.service.view("shop/1 é")
    assert status == 200
    assert (model["name"], model["flavor"], model["learned"]) == ("shop/1 é", "regression", 3)
    for told, held in zip(model["candidates"], view.candidates, strict=True):
        assert told["name"] == held.name
        assert told["engine"] == held.engine
        assert told["champion"] == held.champion
        assert told["mae"] == pytest.approx(held.score.mae, rel=1e-5)
        assert told["rmse"] == pytest.approx(held.score.rmse, rel=1e-5)
        assert told["scored"] == held.score.count == 3


def test_a_model_shows_its_last_targets_beside_what_was_said(shown: Shown) -> None:
    """Sixty at most, the oldest first, with the prediction that a caller would have got."""
    upload_dated(shown.service, "item", "mean", mean())
    targets = [float(number % 7) for number in range(70)]
    for number, target in enumerate(targets):
        learn(shown.service, ("item", target), day=DAY + number)
    history = shown.model("item")[1]["history"]
    assert len(history) == 60
    assert [target for _, target, _ in history] == targets[10:]
    assert history[0][0] == "2016-06-01"
    assert history[0][2] == pytest.approx(sum(targets[:10]) / 10, rel=1e-5)


def test_a_model_forecasts_the_four_weeks_after_its_last_day(shown: Shown) -> None:
    """By its champion, which sees the date."""
    upload_dated(shown.service, "item", "mean", mean())
    for number, target in enumerate((2.0, 4.0)):
        learn(shown.service, ("item", target), day=DAY + number)
    model = shown.model("item")[1]
    assert model["learned_through"] == "2016-05-23"
    assert model["forecast"] == {
        "problem": None,
        "candidate": "mean",
        "begins": "2016-05-24",
        "values": [3.0] * 28,
    }


def test_a_model_that_cannot_forecast_says_why(shown: Shown) -> None:
    """No dates; features that only callers know; an estimator that raises."""
    upload(shown.service, "undated", "mean", mean())
    upload(shown.service, "featured", "mean", linear_model.LinearRegression())
    upload_dated(shown.service, "raising", "mean", Refuses(stats.Mean()))
    learn(shown.service, ("undated", 1.0))
    learn(shown.service, ("featured", 1.0), x=[{"a": 1.0}], day=DAY)
    learn(shown.service, ("raising", 9.0), day=DAY)
    for name, why in (
        ("undated", "no dates"),
        ("featured", "features that only callers know"),
        ("raising", "no crystal ball"),
    ):
        forecast = shown.model(name)[1]["forecast"]
        assert why in forecast["problem"]
        assert forecast["values"] == []


def test_a_classifier_shows_shares_of_right_answers(shown: Shown) -> None:
    """Accuracy and log loss stand in place of errors; there is no history and no forecast."""
    service = make_service(Flavor.BINARY)
    upload(service, "item", "lr", linear_model.LogisticRegression())
    for number in range(20):
        learn(service, ("item", number % 2 == 0), x=[{"a": float(number % 2)}])
    with showing(service) as labelled:
        model = labelled.model("item")[1]
        [candidate] = model["candidates"]
        score = service.view("item").candidates[0].score
        assert candidate["accuracy"] == pytest.approx(score.accuracy)
        assert candidate["log_loss"] == pytest.approx(score.log_loss, rel=1e-5)
        assert (candidate["mae"], model["history"], model["forecast"]) == (None, [], None)
        with labelled.events() as events:
            survey = first(events, "survey")
            [entry] = survey["best"]
            assert entry["quality"] == pytest.approx(score.accuracy)
            name, right, scored, _ = first(events, "pulse")["candidates"][0]
            assert (name, right / scored) == ("lr", pytest.approx(score.accuracy))


def test_an_unknown_model_is_not_found_and_named(shown: Shown) -> None:
    """One line says what is wrong, and the name comes back as data."""
    status, told = shown.model("<script>")
    assert status == 404
    assert told["problem"] == "no model '<script>': it may have been deleted"


def test_models_are_not_asked_while_the_server_starts_or_goes(shown: Shown) -> None:
    """503 says which of both; samples hold the state and no half-made figures."""
    upload(shown.service, "item", "mean", mean())
    for state in (State.STARTING, State.DRAINING):
        shown.around.state = state
        status, told = shown.model("item")
        assert status == 503
        assert state.value in told["problem"]
    shown.around.state = State.STARTING
    with shown.events() as events:
        while (sample := first(events, "pulse"))["state"] != "starting":
            pass
        assert set(sample) == {"at", "state"}


def test_a_service_without_a_flavor_is_shown(shown: Shown) -> None:
    """Nobody has called Init: the page says so instead of failing."""
    shown.service.flavor = None
    with shown.events() as events:
        assert first(events, "survey") == {"models": 0}
        assert first(events, "pulse")["flavor"] is None


def test_all_of_the_page_asks_for_the_token(tmp_path: Path) -> None:
    """A browser gives it as a password; without it there is neither shell nor stream."""
    secret = "0123456789abcdef0123456789abcdef"
    (tmp_path / "token").write_text(secret)
    shown_password = "Basic " + base64.b64encode(f"me:{secret}".encode()).decode()
    with showing(make_service(), SecretFile(tmp_path / "token")) as shown:
        for path in ("/", "/static/page.js", "/api/models", "/api/models/x", "/events"):
            assert shown.get(path)[0] == 401, path
            if path != "/events":
                assert shown.get(path, authorization=shown_password)[0] in (200, 404), path
        assert shown.get("/events", "HEAD", authorization=shown_password)[0] == 200


def test_many_searches_at_once_are_all_answered(shown: Shown) -> None:
    """They wait for each other, and mix nothing up."""
    for number in range(50):
        upload(shown.service, f"item-{number}", "mean", mean())
    wrong: list[str] = []

    def look(number: int) -> None:
        if shown.found(f"item-{number}")[0] != f"item-{number}":
            wrong.append(str(number))

    threads = [threading.Thread(target=look, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
