"""With a real Prometheus: every expression of panels and rules has an answer, and it is right."""

from __future__ import annotations

import subprocess

import pytest

from tests.deploy.conftest import DAYS, FIRST_DAY, MODELS, Scene
from tests.deploy.files import asked_by, asked_by_panels, metrics_in, needs

pytestmark = [
    *needs("prometheus", "promtool", "openssl"),
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("prometheus"),  # one scene for all
]

GROUP = "FOODS_1/CA_1"
ALL_GROUPS = {
    "job": "thalweg",
    "__rate_interval": "30s",
    "window": "30s",
    "group": ".*",
    "model": MODELS[0],
}


@pytest.mark.parametrize("group", [".*", GROUP, f"({GROUP}|HOBBIES_1/TX_1)"])
def test_every_panel_has_something_to_show(scene: Scene, group: str) -> None:
    """Each of its expressions gives series, of numbers, whichever groups are chosen."""
    asked = asked_by_panels()
    assert len(asked) > 60
    empty = []
    for each in asked:
        series = scene.prometheus.query(each.filled(ALL_GROUPS | {"group": group}))
        if not series or all(one["value"][1] == "NaN" for one in series):
            empty.append(f"{each.place}: {each.text}")
    assert not empty, "\n".join(empty)


def test_every_recording_rule_records(scene: Scene) -> None:
    """Each expression gives series, which Prometheus has kept under the rule's name."""
    for each in asked_by("record"):
        assert scene.prometheus.query(each.text), each.place
        assert scene.prometheus.query(each.place), each.place


def test_every_alert_asks_for_series_that_exist(scene: Scene) -> None:
    """Prometheus evaluates it, and knows each metric that it names, if nothing is wrong now."""
    names = scene.prometheus.names
    for each in asked_by("alert"):
        scene.prometheus.query(each.text)
        asked = set(metrics_in(each.text))
        assert asked
        assert asked <= names, f"{each.place}: {asked - names}"


def test_prometheus_evaluates_all_rules_without_an_error(scene: Scene) -> None:
    """Every rule is healthy, and of the alerts only the one that the test provokes fires."""
    groups = scene.prometheus.get("rules")["groups"]
    found = [rule for group in groups for rule in group["rules"]]
    assert len(found) == len(asked_by("alert")) + len(asked_by("record"))
    assert {rule["health"] for rule in found} == {"ok"}
    fires = {rule["name"] for rule in found if rule.get("state") == "firing"}
    assert fires == {"ThalwegRejectedRows"}


def test_every_models_error_in_prometheus_is_the_one_of_get_model(scene: Scene) -> None:
    """MAE, recent MAE, champion and count of every model, bit for bit, after the last ack."""
    seen = {
        (one["metric"]["__name__"], one["metric"]["model"], one["metric"].get("candidate", "")): (
            float(one["value"][1])
        )
        for one in scene.prometheus.query('{__name__=~"thalweg_model_.+", model!=""}')
    }
    for name in MODELS:
        model = scene.client.get_model(name)
        assert seen["thalweg_model_learned_total", name, ""] == model.learned == DAYS
        assert len(model.candidates) == 2
        for candidate in model.candidates:
            series = (name, candidate.candidate)
            assert seen["thalweg_model_mae", *series] == candidate.score.mae
            assert seen["thalweg_model_mae_recent", *series] == candidate.score.mae_recent
            assert seen["thalweg_model_champion", *series] == (
                candidate.candidate == model.champion
            )


def test_sums_agree_with_the_models(scene: Scene) -> None:
    """Of groups and candidates, of the distribution, of champions, of rows: all count the same."""
    value = scene.prometheus.value
    rows = len(MODELS) * DAYS
    assert scene.learned == rows
    assert value('sum(thalweg_learn_rows_total{outcome="learned"})') == rows
    assert value("sum(thalweg_group_scored_predictions_total)") == value(
        "sum(thalweg_scored_predictions_total)"
    )
    assert value("count(count by (group) (thalweg_group_scored_predictions_total))") == 12
    assert value("sum(thalweg_champions)") == len(MODELS)
    assert value("sum(thalweg_champion_mae_count)") == len(MODELS)
    assert value('sum(thalweg_champion_mae_bucket{le="+Inf"})') == len(MODELS)
    last = (FIRST_DAY + DAYS - 1) * 86_400
    assert value("min(thalweg_model_learned_through_timestamp_seconds)") == last
    assert value("min(thalweg_group_learned_through_timestamp_seconds)") == last


def test_promtool_accepts_the_metrics(scene: Scene) -> None:
    """Names, types, units and help texts are as Prometheus wants them."""
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=scene.metrics(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
