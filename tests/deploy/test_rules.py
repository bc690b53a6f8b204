"""Prometheus' files, as promtool reads them, and the runbook that the alerts lead to."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.files import PROMETHEUS, ROOT, asked_by, metrics_in, needs, read_yaml, rules

UNIT_TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
ALERTS = [rule["alert"] for rule in rules("alert")]


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs promtool among Prometheus' files."""
    command = ["promtool", *arguments]
    return subprocess.run(command, cwd=PROMETHEUS, capture_output=True, text=True, check=False)


class TestPromtool:
    """What promtool says."""

    pytestmark = needs("promtool")

    def test_it_accepts_the_configuration(self, tmp_path: Path) -> None:
        """With the files that it names, the rules among them."""
        text = (PROMETHEUS / "prometheus.yml").read_text()
        assert text.count("/etc/thalweg/") == 2
        for name in ("tls.crt", "metrics-token"):
            (tmp_path / name).touch()
        (tmp_path / "rules").symlink_to(PROMETHEUS / "rules")
        path = tmp_path / "prometheus.yml"
        path.write_text(text.replace("/etc/thalweg/", f"{tmp_path}/"))
        done = promtool("check", "config", "--lint-fatal", str(path))
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("rules found") == 2

    def test_it_accepts_the_rules(self) -> None:
        """Each file of rules, without a warning."""
        files = [str(path) for path in sorted((PROMETHEUS / "rules").glob("*.yml"))]
        done = promtool("check", "rules", "--lint-fatal", *files)
        assert done.returncode == 0, done.stdout + done.stderr

    @pytest.mark.timeout(300)
    @pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.stem)
    def test_alerts_fire_when_they_should_and_only_then(self, path: Path) -> None:
        """The unit tests of the rules, in simulated time."""
        done = promtool("test", "rules", str(path))
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_tried_where_it_fires_and_where_it_does_not(alert: str) -> None:
    """The unit tests hold a case of both kinds."""
    cases = [
        bool(case["exp_alerts"])
        for path in UNIT_TESTS
        for test in read_yaml(path)["tests"]
        for case in test.get("alert_rule_test", ())
        if case["alertname"] == alert
    ]
    assert set(cases) == {True, False}


@pytest.mark.parametrize("rule", rules("alert"), ids=ALERTS)
def test_every_alert_says_what_is_wrong_and_what_to_do(rule: Any) -> None:
    """A severity, a summary, a description, and a section of the runbook with three parts."""
    assert rule["labels"]["severity"] in {"critical", "warning"}
    notes = rule["annotations"]
    assert set(notes) == {"summary", "description", "runbook"}
    assert re.fullmatch(r"Thalweg[A-Z]\w+", rule["alert"])
    assert notes["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
    section = RUNBOOK.split(f"\n## {rule['alert']}\n")[1].split("\n## ")[0]
    for part in ("**Meaning.**", "**First look.**", "**Cure.**"):
        assert section.count(part) == 1


def test_the_runbook_is_about_alerts_that_exist() -> None:
    """No section is left of an alert that is gone."""
    assert re.findall(r"(?m)^## (.*)$", RUNBOOK) == ALERTS


def test_recording_rules_are_named_by_level_metric_and_operation() -> None:
    """As Prometheus' own guide asks; and what one of them reads is recorded before."""
    recorded: set[str] = set()
    for expression in asked_by("record"):
        level, metric, operation = expression.place.split(":")
        assert re.fullmatch(r"job(_group)?(_candidate)?", level)
        assert re.fullmatch(r"(thalweg|grpc_server)_\w+", metric)
        assert re.fullmatch(
            r"(rate|increase|ratio|ratio_rate|ratio_increase)(\d+[mdh])?", operation
        )
        names = set(metrics_in(expression.text))
        assert names
        assert {name for name in names if ":" in name} <= recorded
        recorded.add(expression.place)
