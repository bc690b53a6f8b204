"""What all dashboards have in common: variables, links, rows, and the order of panels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deploy.dashboards.panels import SOURCE, Panel
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

TAG = "thalweg"
"""Dashboards of this tag link to one another."""

Variable = Builder[model.VariableModel]


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading, from left to right; they wrap at 24 columns."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One dashboard.

    Args:
        uid: its name in URLs, and of its file.
        title: in lists and links.
        description: what questions it answers.
        since: how far back it looks at first, as Grafana writes it.
        variables: beside the data source and the job, which all have.
        rows: from top to bottom.
    """

    uid: str
    title: str
    description: str
    since: str
    rows: Sequence[Row]
    variables: Sequence[Variable] = ()

    def build(self) -> model.Dashboard:
        """The dashboard as Grafana stores it."""
        page = (
            build.Dashboard(self.title)
            .uid(self.uid)
            .description(self.description)
            .tags([TAG])
            .timezone("utc")  # days of sales are days in UTC
            .time(self.since, "now")
            .refresh("30s")
            .tooltip(model.DashboardCursorSync.CROSSHAIR)
            .variables([_source(), _job(), *self.variables])
            .link(_siblings())
        )
        number = 0
        for row in self.rows:
            number += 1
            page.with_row(build.Row(row.title).id(number))
            for panel in row.panels:
                number += 1
                page.with_panel(panel.id(number))
        return page.build()


def query(name: str, label: str, description: str, values: str) -> build.QueryVariable:
    """A variable whose values Prometheus is asked for, anew when the time range changes."""
    return (
        build.QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(SOURCE)
        .query({"query": values, "refId": name})
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
    )


def _source() -> Variable:
    return (
        build.DatasourceVariable("datasource")
        .label("Prometheus")
        .description("The Prometheus that scrapes Thalweg.")
        .type("prometheus")
    )


def _job() -> Variable:
    # Not the instance: that changes with every restart in a cluster.
    return query(
        "job",
        "Server",
        "The scrape job: one server, under whatever addresses it had.",
        "label_values(thalweg_build_info, job)",
    )


def _siblings() -> Builder[model.DashboardLink]:
    return (
        build.DashboardLink("Thalweg")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .tooltip("The other dashboards of this server")
        .keep_time(True)
        .include_vars(True)
    )
