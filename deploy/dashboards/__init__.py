"""Thalweg's Grafana dashboards, as code: `python -m deploy.dashboards` writes their JSON."""
