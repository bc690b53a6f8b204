"""Grafana's dashboards: what the code makes is what is committed, and it can be read."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from deploy.dashboards.__main__ import write

from tests.deploy.files import DASHBOARDS, DEPLOY, dashboards, panels, read_yaml

NAMES = ["thalweg-fleet", "thalweg-quality", "thalweg-service"]
GRAFANAS_OWN = {"__all", "__rate_interval", "__url_time_range", "__value"}


def test_the_committed_dashboards_are_what_the_code_makes(tmp_path: Path) -> None:
    """`python -m deploy.dashboards` would change nothing, and leaves no other file behind."""
    write(tmp_path)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    committed = {path.name: path.read_text() for path in DASHBOARDS.iterdir()}
    assert committed == made, "run: python -m deploy.dashboards"
    assert sorted(dashboards()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_panel_says_what_it_shows(name: str) -> None:
    """It has a title, a description in a sentence, a unit, and the data source of the page."""
    for panel in panels(dashboards()[name]):
        assert panel["title"]
        assert re.fullmatch(r".{15,}\.", panel["description"]), panel["title"]
        if panel["type"] == "heatmap":
            assert panel["options"]["yAxis"]["unit"]
        else:
            assert panel["fieldConfig"]["defaults"]["unit"]
        sources = [panel["datasource"], *(target["datasource"] for target in panel["targets"])]
        assert all(each == {"type": "prometheus", "uid": "${datasource}"} for each in sources)


@pytest.mark.parametrize("name", NAMES)
def test_panels_do_not_overlap(name: str) -> None:
    """Each has its own number and its own place within Grafana's 24 columns."""
    every = dashboards()[name]["panels"]
    assert len({each["id"] for each in every}) == len(every)
    places = [each["gridPos"] for each in every]
    assert all(each["x"] + each["w"] <= 24 for each in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or apart, (one, other)


@pytest.mark.parametrize("name", NAMES)
def test_every_variable_is_there(name: str) -> None:
    """What panels and variables ask by is a variable of the page, or Grafana's own."""
    dashboard = dashboards()[name]
    given = {each["name"] for each in dashboard["templating"]["list"]}
    assert {"datasource", "job"} <= given
    used = set(re.findall(r"\$\{?(\w+)", str([dashboard["panels"], dashboard["templating"]])))
    assert used <= given | GRAFANAS_OWN
    assert given <= used, "a variable that nothing asks by"


def test_dashboards_lead_to_one_another() -> None:
    """All have the tag that all link to, and a link within a panel leads to one of them."""
    pages = dashboards()
    for page in pages.values():
        [link] = page["links"]
        assert link["tags"] == page["tags"] == ["thalweg"]
        assert link["includeVars"]
        assert link["keepTime"]
    uids = {page["uid"] for page in pages.values()}
    assert uids == set(pages)
    led_to = set(re.findall(r"/d/([\w-]+)", str(pages)))
    assert led_to
    assert led_to <= uids


def test_grafana_finds_what_it_is_provisioned_with() -> None:
    """The folder and the data source of the provisioning files are those of compose.yaml."""
    services = read_yaml(DEPLOY / "compose.yaml")["services"]
    mounts = dict(reversed(each.split(":")[:2]) for each in services["grafana"]["volumes"])
    folder = DEPLOY / "grafana" / "provisioning"
    [provider] = read_yaml(folder / "dashboards" / "thalweg.yml")["providers"]
    assert mounts[provider["options"]["path"]] == "./grafana/dashboards"
    assert mounts["/etc/grafana/provisioning"] == "./grafana/provisioning"
    home = Path(services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (DASHBOARDS / home.name).exists()
    assert str(home.parent) == provider["options"]["path"]
    [source] = read_yaml(folder / "datasources" / "prometheus.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    scraping: Any = read_yaml(DEPLOY / "prometheus" / "prometheus.yml")["global"]
    assert source["jsonData"]["timeInterval"] == scraping["scrape_interval"]
