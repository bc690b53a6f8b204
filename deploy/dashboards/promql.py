"""Expressions that the dashboards have many of. Where they say nothing else, of one job."""

from __future__ import annotations

CALLS = 'grpc_service="thalweg.v1.Forecaster"'


def of(name: str, where: str = "") -> str:
    """The series of a metric, or of a recording rule."""
    labels = ", ".join(filter(None, ['job="$job"', where]))
    return f"{name}{{{labels}}}"


def rate(name: str, *, by: str = "", where: str = "", window: str = "$__rate_interval") -> str:
    """What a counter grows by in a second, summed.

    Args:
        name: of the counter.
        by: labels to keep.
        where: further conditions.
        window: over which the rate is taken.
    """
    return f"sum{_by(by)} (rate({of(name, where)}[{window}]))"


def quantile(share: float, name: str, *, by: str = "", where: str = "") -> str:
    """A quantile of a histogram of durations, of what came within the window of a rate."""
    labels = ", ".join(filter(None, ["le", by]))
    return f"histogram_quantile({share}, {rate(f'{name}_bucket', by=labels, where=where)})"


def mean_error(prefix: str, *, by: str, window: str, where: str = "") -> str:
    """Mean absolute error of the predictions scored in a window: a rate over a rate.

    Args:
        prefix: "thalweg" for all models, "thalweg_group" for groups of them.
        by: labels to keep.
        window: within which they were scored.
        where: further conditions.
    """
    errors = rate(f"{prefix}_absolute_error_total", by=by, window=window, where=where)
    scored = rate(f"{prefix}_scored_predictions_total", by=by, window=window, where=where)
    return f"{errors} / {scored}"


def age(name: str) -> str:
    """Seconds since a time that a gauge holds."""
    return f"time() - max({of(name)})"


def _by(labels: str) -> str:
    return f" by ({labels})" if labels else ""
