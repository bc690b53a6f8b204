"""The dashboard "Fleet": what is held, what it costs, and which versions run it."""

from __future__ import annotations

from deploy.dashboards.layout import Page, Row
from deploy.dashboards.panels import Look, Query, graph, number, ranking
from deploy.dashboards.promql import age, of, rate

SERVER_BYTES = of("process_resident_memory_bytes")
WORKER_BYTES = of("thalweg_workers_resident_memory_bytes")


def page() -> Page:
    """The dashboard."""
    return Page(
        uid="thalweg-fleet",
        title="Thalweg / Fleet",
        description="How many models are there, what runs them, what do they cost?",
        since="now-24h",
        rows=(_held(), _cost(), _scrape()),
    )


def _held() -> Row:
    return Row(
        "What is held",
        (
            number(
                "Models",
                "Named units, one per item.",
                Look(unit="short", width=6),
                Query(f"sum({of('thalweg_models')})"),
            ),
            number(
                "Candidates by engine",
                "compiled: a row of arrays behind a kernel. river: the estimator itself, in a "
                "worker, some hundred times slower.",
                Look(unit="short", width=6),
                Query(f"sum by (engine) ({of('thalweg_candidates')})", "{{engine}}"),
            ),
            number(
                "Templates",
                "Patterns of names; new models that match are cloned from their candidates.",
                Look(unit="short", width=6),
                Query(f"sum({of('thalweg_templates')})"),
            ),
            number(
                "Up for",
                "How long this process has run.",
                Look(unit="s", width=6),
                Query(age("process_start_time_seconds")),
            ),
            graph(
                "Models over time",
                "They grow by uploads, and by templates when a new name is learned.",
                Look(unit="short", width=12),
                Query(of("thalweg_models"), "models"),
                Query(of("thalweg_templates"), "templates"),
            ),
            graph(
                "Candidates over time",
                "By what runs them.",
                Look(unit="short", width=12, stacked=True),
                Query(of("thalweg_candidates"), "{{engine}}"),
            ),
        ),
    )


def _cost() -> Row:
    return Row(
        "What it costs",
        (
            graph(
                "Memory",
                "Resident memory of the server, and of all its model workers together.",
                Look(unit="bytes", stacked=True),
                Query(SERVER_BYTES, "server"),
                Query(WORKER_BYTES, "workers"),
            ),
            graph(
                "Memory per candidate",
                "Server and workers over all candidates: what one more will cost, at most.",
                Look(unit="bytes"),
                Query(
                    f"(sum({SERVER_BYTES}) + sum({WORKER_BYTES})) "
                    f"/ sum({of('thalweg_candidates')})",
                    "bytes",
                ),
            ),
            graph(
                "Processor",
                "Cores that the server keeps busy; its workers are processes of their own and not "
                "in it.",
                Look(unit="short"),
                Query(rate("process_cpu_seconds_total"), "cores"),
            ),
            graph(
                "File descriptors",
                "Open ones, and how many there may be. A connection takes one.",
                Look(unit="short"),
                Query(of("process_open_fds"), "open"),
                Query(of("process_max_fds"), "at most"),
            ),
        ),
    )


def _scrape() -> Row:
    return Row(
        "Telemetry and versions",
        (
            number(
                "Candidates without series",
                "What --metrics-model-limit leaves out; the worst candidates are in.",
                Look(unit="short", width=6, steps=(("green", None), ("yellow", 1))),
                Query(f"sum({of('thalweg_model_series_truncated')})"),
            ),
            number(
                "Scrape",
                "How long Prometheus takes to read /metrics.",
                Look(unit="s", width=6, steps=(("green", None), ("yellow", 2), ("red", 10))),
                Query(f"max({of('scrape_duration_seconds')})"),
            ),
            number(
                "Series",
                "Samples in one scrape: Prometheus' memory goes by these.",
                Look(unit="short", width=6),
                Query(f"sum({of('scrape_samples_scraped')})"),
            ),
            number(
                "Instances",
                "Servers in this job. One writes: a second one is a mistake, or a takeover.",
                Look(unit="short", width=6, steps=(("green", None), ("red", 2))),
                Query(f"count({of('thalweg_build_info')})"),
            ),
            ranking(
                "Versions",
                "What the server is made of.",
                Look(unit="short", width=24),
                Query(of("thalweg_build_info")),
                columns={
                    "instance": "Instance",
                    "version": "Thalweg",
                    "river": "River",
                    "python": "Python",
                },
            ),
        ),
    )
