"""The list of alerts that fire, which more than one dashboard shows."""

from __future__ import annotations

from deploy.dashboards.panels import Look, Panel, Query, ranking

COLUMNS = {
    "alertname": "Alert",
    "severity": "Severity",
    "instance": "Instance",
    "group": "Group",
    "candidate": "Candidate",
    "outcome": "Rows",
}


def firing() -> Panel:
    """Alerts that fire. They are Prometheus' own, so no Alertmanager is asked."""
    return ranking(
        "Alerts",
        "What fires now. docs/runbook.md says what each one means, and what to do.",
        Look(unit="short", width=24),
        Query('ALERTS{alertname=~"Thalweg.*", alertstate="firing"}'),
        columns=COLUMNS,
    )
