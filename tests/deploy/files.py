"""What deploy/ holds, read as the programs read it that it is for."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
DEPLOY = ROOT / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
DASHBOARDS = DEPLOY / "grafana" / "dashboards"

PACKAGES = {"openssl": "openssl", "prometheus": "prometheus", "promtool": "prometheus"}
"""Programs that tests need, and Debian's packages that have them."""

Values = dict[str, str]
"""Grafana's variables, and what stands for them."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A PromQL expression, and where it comes from."""

    place: str
    text: str

    def filled(self, values: Values) -> str:
        """The expression with Grafana's variables filled in; fails where one is unknown."""
        return re.sub(r"\$(\w+)|\$\{(\w+)\}", lambda m: values[m[1] or m[2]], self.text)


def needs(*programs: str) -> Any:
    """Marks a test as one for the system, skipped where a program is missing."""
    missing = {PACKAGES[each] for each in programs if shutil.which(each) is None}
    reason = f"not installed: apt-get install {' '.join(sorted(missing))}"
    return [pytest.mark.system, pytest.mark.skipif(bool(missing), reason=reason)]


def read_yaml(path: Path) -> Any:
    """The one document of a YAML file."""
    return yaml.safe_load(path.read_text())


def dashboards() -> dict[str, Any]:
    """Every committed dashboard by its name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(DASHBOARDS.glob("*.json"))}


def panels(dashboard: Any) -> list[Any]:
    """The panels of a dashboard, without the headings of its rows."""
    return [each for each in dashboard["panels"] if each["type"] != "row"]


def asked_by_panels() -> list[Expression]:
    """Every expression of every panel."""
    return [
        Expression(f"{name}: {panel['title']}", target["expr"])
        for name, dashboard in dashboards().items()
        for panel in panels(dashboard)
        for target in panel["targets"]
    ]


def rules(kind: str) -> list[Any]:
    """All rules of a kind: "alert" or "record"."""
    files = [read_yaml(path) for path in sorted((PROMETHEUS / "rules").glob("*.yml"))]
    found = [rule for file in files for group in file["groups"] for rule in group["rules"]]
    return [rule for rule in found if kind in rule]


def asked_by(kind: str) -> list[Expression]:
    """The expressions of all rules of a kind."""
    return [Expression(rule[kind], rule["expr"]) for rule in rules(kind)]


def metrics_in(expression: str) -> Iterator[str]:
    """Names of metrics and recording rules in an expression; alerts are not among them."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", expression)
    for name in re.findall(r"(?<![\w:$])[a-z_][\w:]*", bare):
        if ":" in name or name == "up" or re.match(r"(thalweg|grpc_server|process|scrape)_", name):
            yield name
