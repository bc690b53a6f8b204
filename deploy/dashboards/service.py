"""The dashboard "Service": is it up, how fast is it, what fails, is everything safe on disk."""

from __future__ import annotations

from deploy.dashboards.alerts import firing
from deploy.dashboards.layout import Page, Row
from deploy.dashboards.panels import GOOD_IS_ZERO, Look, Panel, Query, graph, number
from deploy.dashboards.promql import CALLS, age, of, quantile, rate

ERROR_RATIO = "job:grpc_server_handled_errors_per_handled:ratio_rate5m"
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def page() -> Page:
    """The dashboard."""
    return Page(
        uid="thalweg-service",
        title="Thalweg / Service",
        description="Is the server up, how fast does it answer, what fails, what is not safe yet?",
        since="now-3h",
        rows=(_now(), _calls(), _learning(), _durability(), _workers()),
    )


def _now() -> Row:
    ready = {"0": ("not ready", "red"), "1": ("ready", "green")}
    learned = rate("thalweg_learn_rows_total", where='outcome="learned"')
    errors = (("green", None), ("yellow", 0.01), ("red", 0.05))
    ages = (("green", None), ("yellow", 86_400), ("red", 129_600))
    return Row(
        "Now",
        (
            number(
                "State",
                "Whether the server takes calls.",
                Look(unit="short", width=4, names=ready),
                Query(f"min({of('thalweg_ready')})"),
            ),
            number(
                "Rows learned",
                "Observations learned, by whichever call they came.",
                Look(unit="rowsps", width=4),
                Query(learned),
            ),
            number(
                "Last learned",
                "How long ago the last observation was learned. An alert comes after 36 hours.",
                Look(unit="s", width=4, steps=ages),
                Query(age("thalweg_last_learned_timestamp_seconds")),
            ),
            number(
                "Calls",
                "Calls that ended, over five minutes.",
                Look(unit="reqps", width=4),
                Query(of("job:grpc_server_handled:rate5m")),
            ),
            number(
                "Errors of the server's",
                "Share of calls that ended with Internal, Unknown, Unavailable, DataLoss or "
                "DeadlineExceeded, over five minutes.",
                Look(unit="percentunit", width=4, steps=errors),
                Query(of(ERROR_RATIO)),
            ),
            number(
                "In quarantine",
                "Candidates that were stopped too often, and are asked and taught no more.",
                Look(unit="short", width=4, steps=GOOD_IS_ZERO),
                Query(f"sum({of('thalweg_quarantined_candidates')})"),
            ),
            firing(),
        ),
    )


def _calls() -> Row:
    return Row(
        "Calls",
        (
            *(_latency(name) for name in QUANTILES),
            graph(
                "Calls by method",
                "Calls that ended. A stream is one call, however many batches it brings.",
                Look(unit="reqps"),
                Query(
                    rate("grpc_server_handled_total", by="grpc_method", where=CALLS),
                    "{{grpc_method}}",
                ),
            ),
            graph(
                "Calls that failed, by code",
                "All codes but OK: the callers' mistakes, such as NotFound, and the server's.",
                Look(unit="reqps", stacked=True),
                Query(
                    rate(
                        "grpc_server_handled_total",
                        by="grpc_code",
                        where=f'{CALLS}, grpc_code!="OK"',
                    ),
                    "{{grpc_code}}",
                ),
            ),
            graph(
                "Errors of the server's",
                "Share of all calls, over five minutes. An alert begins at the line.",
                Look(unit="percentunit", limit=0.05),
                Query(of(ERROR_RATIO), "errors"),
            ),
            graph(
                "Messages",
                "Messages in and out; in a stream each batch and each ack is one.",
                Look(unit="msgps"),
                Query(rate("grpc_server_msg_received_total", where=CALLS), "received"),
                Query(rate("grpc_server_msg_sent_total", where=CALLS), "sent"),
            ),
            graph(
                "Calls that wait",
                "Unary calls that wait for the models' thread; 2,000 at most, then callers are "
                "told to come back.",
                Look(unit="short"),
                Query(of("thalweg_waiting_calls"), "waiting"),
            ),
            graph(
                "Predictions without their true value",
                "Predictions under an id that Learn has not named yet. They are scored when it "
                "does.",
                Look(unit="short"),
                Query(of("thalweg_pending_predictions"), "pending"),
            ),
        ),
    )


def _latency(name: str) -> Panel:
    where = f'{CALLS}, grpc_type="unary"'
    asked = quantile(QUANTILES[name], "grpc_server_handling_seconds", by="grpc_method", where=where)
    return graph(
        f"Latency {name} by method",
        f"{QUANTILES[name]:.0%} of unary calls took no longer, from their start to their end on "
        "the server.",
        Look(unit="s"),
        Query(asked, "{{grpc_method}}"),
    )


def _learning() -> Row:
    batch = "thalweg_batch_duration_seconds"
    return Row(
        "Learning",
        (
            graph(
                "Rows by outcome",
                "Rows sent to learn: learned, known already, refused, or failed in the estimator.",
                Look(unit="rowsps", width=6),
                Query(rate("thalweg_learn_rows_total", by="outcome"), "{{outcome}}"),
            ),
            graph(
                "Batch latency",
                "From a batch's arrival in StreamLearn to its ack.",
                Look(unit="s", width=6),
                *(Query(quantile(q, batch), name) for name, q in QUANTILES.items()),
            ),
            graph(
                "Open streams",
                "StreamLearn calls that are open.",
                Look(unit="short", width=6),
                Query(of("thalweg_open_streams"), "open"),
            ),
            graph(
                "Backlog of streams",
                "Rows received and not yet applied. Full streams hold their senders back.",
                Look(unit="short", width=6),
                Query(of("thalweg_stream_waiting_rows"), "rows"),
            ),
        ),
    )


def _durability() -> Row:
    commit = "thalweg_log_commit_duration_seconds"
    return Row(
        "Durability",
        (
            graph(
                "Durability lag",
                "How long the oldest change that is not durable yet has waited. An alert begins "
                "at the line. No series with --ephemeral.",
                Look(unit="s", limit=10),
                Query(of("thalweg_durability_lag_seconds"), "lag"),
            ),
            graph(
                "Commits of the log",
                "How long a commit took: mostly the disk's own fsync.",
                Look(unit="s"),
                *(Query(quantile(q, commit), name) for name, q in QUANTILES.items()),
            ),
            graph(
                "Commits a second",
                "Callers that wait together share a commit, so these are fewer than changes.",
                Look(unit="ops"),
                Query(rate(f"{commit}_count"), "commits"),
            ),
            graph(
                "Age of the newest snapshot",
                "It grows while nothing is learned, and that is fine: see the entries behind it.",
                Look(unit="s", width=6),
                Query(age("thalweg_snapshot_timestamp_seconds"), "age"),
            ),
            graph(
                "Entries behind the snapshot",
                "Entries of the log that a restart would repeat.",
                Look(unit="short", width=6),
                Query(of("thalweg_log_entries_since_snapshot"), "entries"),
            ),
            graph(
                "Writing a snapshot",
                "How long the newest one took. Learning goes on meanwhile.",
                Look(unit="s", width=4),
                Query(of("thalweg_snapshot_duration_seconds"), "duration"),
            ),
            graph(
                "Size of the snapshot",
                "Of the newest one; two are kept.",
                Look(unit="bytes", width=4),
                Query(of("thalweg_snapshot_size_bytes"), "size"),
            ),
            number(
                "Snapshots that failed",
                "Within a day. Nothing is lost by it, but a restart takes longer.",
                Look(unit="short", width=4, steps=GOOD_IS_ZERO, decimals=0),
                Query(f"sum(increase({of('thalweg_snapshot_failures_total')}[1d]))"),
            ),
        ),
    )


def _workers() -> Row:
    return Row(
        "Model workers",
        (
            graph(
                "Workers",
                "Processes that load uploads, and run what no kernel runs.",
                Look(unit="short"),
                Query(of("thalweg_workers"), "workers"),
            ),
            graph(
                "Workers replaced, strikes",
                "Workers that ended, or were ended, and candidates that had to be stopped; in an "
                "hour.",
                Look(unit="short"),
                Query(f"sum(increase({of('thalweg_workers_replaced_total')}[1h]))", "replaced"),
                Query(f"sum(increase({of('thalweg_candidate_strikes_total')}[1h]))", "strikes"),
            ),
            graph(
                "Candidates in quarantine",
                "Stopped three times. Upload them anew, or delete them.",
                Look(unit="short"),
                Query(of("thalweg_quarantined_candidates"), "in quarantine"),
            ),
        ),
    )
