"""The dashboard "Forecast quality": how wrong forecasts are, where, and whether it gets worse."""

from __future__ import annotations

from deploy.dashboards.alerts import firing
from deploy.dashboards.layout import Page, Row, Variable, query
from deploy.dashboards.panels import (
    GOOD_IS_ZERO,
    Look,
    Query,
    bars,
    distribution,
    graph,
    number,
    ranking,
)
from deploy.dashboards.promql import mean_error, of, rate
from grafana_foundation_sdk.builders.dashboard import CustomVariable
from grafana_foundation_sdk.models.dashboard import VariableOption

MAE = "thalweg_champion_mae"
DRIFT = "job_group_candidate:thalweg_group_mae7d_per_mae28d:ratio"
GROUP = 'group=~"$group"'
MODEL = 'model="$model"'
WORSE = (("green", None), ("yellow", 1.1), ("red", 1.3))

CHAMPIONS_MAE = f"{of('thalweg_model_mae')} and {of('thalweg_model_champion')} == 1"
"""MAE of every model by its champion; candidates beyond --metrics-model-limit are not in it."""

OPEN_MODEL = (
    "/d/thalweg-quality?${__url_time_range}&${datasource:queryparam}&${job:queryparam}"
    "&var-model=${__value.raw:percentencode}"
)
"""Where a click on a model's name leads: to this dashboard, with that model in its last row."""


def page() -> Page:
    """The dashboard."""
    return Page(
        uid="thalweg-quality",
        title="Thalweg / Forecast quality",
        description="How wrong are forecasts, which models are worst, is it getting worse? "
        "For servers whose models predict numbers.",
        since="now-7d",
        variables=(_window(), _group(), _model()),
        rows=(_all(), _spread(), _champions(), _groups(), _one()),
    )


def _window() -> Variable:
    return (
        CustomVariable("window")
        .label("Mean over")
        .description("Of how much time the errors are taken together, at each point of a graph.")
        .values("5m,1h,6h,1d,7d,28d")
        .current(VariableOption(selected=True, text="1d", value="1d"))
    )


def _group() -> Variable:
    return (
        query(
            "group",
            "Group",
            "Groups of models, as --metrics-group cuts them from the names.",
            f"label_values({of('thalweg_group_scored_predictions_total')}, group)",
        )
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )


def _model() -> Variable:
    # A list of tens of thousands would be of no use, and slow: the worst ones, or any name typed.
    return (
        query(
            "model",
            "Model",
            "One model: one of the hundred worst, or any name that is typed.",
            f"query_result(topk(100, {CHAMPIONS_MAE}))",
        )
        .regex('/model="((?:[^"\\\\]|\\\\.)*)"/')
        .allow_custom_value(True)
    )


def _all() -> Row:
    return Row(
        "All models",
        (
            number(
                "MAE of the champions",
                "Mean over all models of their champion's mean absolute error, in units of the "
                "target.",
                Look(unit="short", width=6, decimals=3),
                Query(f"sum({of(f'{MAE}_sum')}) / sum({of(f'{MAE}_count')})"),
            ),
            number(
                "Scored models",
                "Models whose champion has an error to show.",
                Look(unit="short", width=6),
                Query(f"sum({of(f'{MAE}_count')})"),
            ),
            number(
                "Worst drift",
                "The largest MAE of 7 days over that of 28 days, of any group and candidate. An "
                "alert comes at 1.3.",
                Look(unit="short", width=6, steps=WORSE, decimals=2),
                Query(f"max({of(DRIFT)})"),
            ),
            number(
                "Predictions that were no numbers",
                "NaN, infinite, too large or none, within a day. They are not scored.",
                Look(unit="short", width=6, steps=GOOD_IS_ZERO, decimals=0),
                Query(f"sum(increase({of('thalweg_nonfinite_predictions_total')}[1d]))"),
            ),
            firing(),
            graph(
                "MAE by candidate",
                "Mean absolute error of the predictions scored within $window, over all models. A "
                "row counts once: fast and slow items weigh by their rows.",
                Look(unit="short", width=16),
                Query(mean_error("thalweg", by="candidate", window="$window"), "{{candidate}}"),
            ),
            graph(
                "Scored predictions",
                "How many predictions stand behind the means.",
                Look(unit="ops"),
                Query(
                    rate("thalweg_scored_predictions_total", by="candidate", window="$window"),
                    "{{candidate}}",
                ),
            ),
        ),
    )


def _spread() -> Row:
    shares = {"half of the models": 0.5, "90%": 0.9, "99%": 0.99}
    buckets = f"sum by (le) ({of(f'{MAE}_bucket')})"
    return Row(
        "From model to model",
        (
            distribution(
                "Distribution of MAE over time",
                "How many models have a champion with such an error; the darker, the more.",
                Look(unit="short"),
                Query(buckets, "{{le}}"),
            ),
            bars(
                "Distribution of MAE now",
                "Models by their champion's error; each bar is named by its largest.",
                Look(unit="short"),
                Query(buckets, "{{le}}"),
            ),
            graph(
                "Quantiles of MAE",
                "The error that so many of the models stay below.",
                Look(unit="short"),
                *(
                    Query(f"histogram_quantile({share}, {buckets})", name)
                    for name, share in shares.items()
                ),
            ),
            ranking(
                "The 20 worst models",
                "By their champion's error over everything that it was scored on. A click opens "
                "one below.",
                Look(unit="short", width=24),
                Query(f"topk(20, {CHAMPIONS_MAE})"),
                columns={"model": "Model", "candidate": "Champion", "Value": "MAE"},
                links={"Model": OPEN_MODEL},
            ),
        ),
    )


def _champions() -> Row:
    return Row(
        "Champions",
        (
            graph(
                "Champion shares",
                "For which share of the models a candidate answers.",
                Look(unit="percentunit", width=12, stacked=True),
                Query(
                    f"{of('thalweg_champions')} "
                    f"/ ignoring (candidate) group_left sum without (candidate) "
                    f"({of('thalweg_champions')})",
                    "{{candidate}}",
                ),
            ),
            graph(
                "Switches",
                "How often a candidate became a model's champion in place of a sibling, within "
                "$window. Many, long after the start: siblings are much alike.",
                Look(unit="short", width=12),
                Query(
                    f"sum by (candidate) "
                    f"(increase({of('thalweg_champion_switches_total')}[$window]))",
                    "{{candidate}}",
                ),
            ),
        ),
    )


def _groups() -> Row:
    return Row(
        "Groups",
        (
            graph(
                "MAE by group",
                "Mean absolute error of the predictions scored within $window, in the groups "
                "chosen above.",
                Look(unit="short", width=12),
                Query(
                    mean_error(
                        "thalweg_group", by="group, candidate", window="$window", where=GROUP
                    ),
                    "{{group}} {{candidate}}",
                ),
            ),
            graph(
                "Drift by group",
                "MAE of 7 days over that of 28 days, of the ten groups where it is largest. An "
                "alert begins at the line.",
                Look(unit="short", width=12, limit=1.3),
                Query(f"topk(10, {of(DRIFT, GROUP)})", "{{group}} {{candidate}}"),
            ),
            ranking(
                "Last day learned",
                "By group, in UTC; those that are behind first: their data is missing.",
                Look(unit="time:YYYY-MM-DD", width=24),
                Query(
                    "1000 * max by (group) "
                    f"({of('thalweg_group_learned_through_timestamp_seconds', GROUP)})"
                ),
                columns={"group": "Group", "Value": "Last day"},
                smallest_first=True,
            ),
        ),
    )


def _one() -> Row:
    learned = f"sum({of('thalweg_model_learned_total', MODEL)})"
    day = f"1000 * max({of('thalweg_model_learned_through_timestamp_seconds', MODEL)})"
    champion = f"{of('thalweg_model_champion', MODEL)} == 1"
    return Row(
        "One model: $model",
        (
            number(
                "Champion",
                "The candidate that answers for this model, and its MAE.",
                Look(unit="short", width=8, decimals=3),
                Query(f"{of('thalweg_model_mae', MODEL)} and {champion}", "{{candidate}}"),
            ),
            number(
                "Learned",
                "Observations that this model has learned.",
                Look(unit="short", width=8),
                Query(learned),
            ),
            number(
                "Last day learned",
                "The latest date among them, in UTC.",
                Look(unit="time:YYYY-MM-DD", width=8),
                Query(day),
            ),
            graph(
                "Live MAE of its candidates",
                "Mean absolute error over everything that a candidate was scored on.",
                Look(unit="short", width=12),
                Query(of("thalweg_model_mae", MODEL), "{{candidate}}"),
            ),
            graph(
                "Recent MAE of its candidates",
                "Mean of a candidate's last 28 absolute errors.",
                Look(unit="short", width=12),
                Query(of("thalweg_model_mae_recent", MODEL), "{{candidate}}"),
            ),
        ),
    )
