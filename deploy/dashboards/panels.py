"""Panels as Thalweg's dashboards use them: every one has a description and a unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import TypeVar

from grafana_foundation_sdk.builders import bargauge, common, heatmap, prometheus, stat, table
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import timeseries as series
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import heatmap as heat
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")

Panel = bargauge.Panel | heatmap.Panel | series.Panel | stat.Panel | table.Panel

Steps = Sequence[tuple[str, float | None]]
"""Colours, and the values from which they hold; None = from the least value on."""

PLAIN: Steps = (("text", None),)
GOOD_IS_ZERO: Steps = (("green", None), ("red", 1))
GRAPH_ROWS = 8
NUMBER_ROWS = 4


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression, and what its series are called in the legend."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How values are shown.

    Args:
        unit: Grafana's name of the unit.
        width: in Grafana's columns, of which there are 24.
        steps: colours of values.
        limit: where an alert begins: a dashed line.
        stacked: series on top of one another, as shares where the unit is a percentage.
        names: what to say instead of a number.
        decimals: digits behind the point; Grafana chooses by default.
    """

    unit: str
    width: int = 8
    steps: Steps = PLAIN
    limit: float | None = None
    stacked: bool = False
    names: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    decimals: int | None = None


P = TypeVar("P", series.Panel, stat.Panel, table.Panel, heatmap.Panel, bargauge.Panel)


def _framed(panel: P, title: str, description: str, look: Look, *, rows: int = GRAPH_ROWS) -> P:
    """The same panel with what each one has: its words, its data and its size."""
    return (
        panel.title(title).description(description).datasource(SOURCE).span(look.width).height(rows)
    )


def graph(title: str, description: str, look: Look, *queries: Query) -> Panel:
    """Values over time, with the last and the largest ones in a table below."""
    panel = (
        _framed(series.Panel(), title, description, look)
        .unit(look.unit)
        .min(0)
        .fill_opacity(70 if look.stacked else 8)
        .show_points(options.VisibilityMode.NEVER)
        .color_scheme(build.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .tooltip(
            common.VizTooltipOptions()
            .mode(options.TooltipDisplayMode.MULTI)
            .sort(options.SortOrder.DESCENDING)
        )
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(options.LegendDisplayMode.LIST)
            .placement(options.LegendPlacement.BOTTOM)
        )
        .targets([_target(number, each) for number, each in enumerate(queries)])
    )
    if look.stacked:
        shares = look.unit == "percentunit"
        mode = options.StackingMode.PERCENT if shares else options.StackingMode.NORMAL
        panel.stacking(common.StackingConfig().mode(mode))
    if look.limit is not None:
        panel.thresholds(_thresholds((("transparent", None), ("red", look.limit))))
        line = common.GraphThresholdsStyleConfig()
        panel.thresholds_style(line.mode(options.GraphThresholdsStyleMode.DASHED))
    return panel


def number(title: str, description: str, look: Look, query: Query) -> Panel:
    """The value now, coloured by its steps; with a legend, one value for each series."""
    panel = (
        _framed(stat.Panel(), title, description, look, rows=NUMBER_ROWS)
        .unit(look.unit)
        .thresholds(_thresholds(look.steps))
        .mappings(_mappings(look.names))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .graph_mode(options.BigValueGraphMode.NONE)
        .color_mode(options.BigValueColorMode.VALUE)
        .text_mode(
            options.BigValueTextMode.VALUE_AND_NAME
            if query.legend
            else options.BigValueTextMode.VALUE
        )
        .targets([_target(0, query, instant=True)])
    )
    return panel if look.decimals is None else panel.decimals(look.decimals)


def ranking(
    title: str,
    description: str,
    look: Look,
    query: Query,
    *,
    columns: Mapping[str, str],
    links: Mapping[str, str] | None = None,
    smallest_first: bool = False,
) -> Panel:
    """A table of labels and, where a column is for them, of values in their order.

    Args:
        title: of the panel.
        description: what it shows.
        look: of the values.
        query: gives the rows.
        columns: label or "Value" to its heading, from left to right; other labels are left out.
        links: heading to the URL that a click on a cell of that column opens.
        smallest_first: else the largest values are.
    """
    order = {name: place for place, name in enumerate(columns)}
    keep = model.DataTransformerConfig(
        id_val="filterFieldsByName", options={"include": {"names": list(columns)}}
    )
    name = model.DataTransformerConfig(
        id_val="organize", options={"indexByName": order, "renameByName": dict(columns)}
    )
    panel = (
        _framed(table.Panel(), title, description, look)
        .unit(look.unit)
        .thresholds(_thresholds(look.steps))
        .no_value("none")
        .transformations([keep, name])
        .targets([_target(0, query, instant=True, form=PromQueryFormat.TABLE)])
    )
    if "Value" in columns:
        by_value = common.TableSortByFieldState().display_name(columns["Value"])
        panel.sort_by([by_value.desc(not smallest_first)])
    for heading, url in (links or {}).items():
        link = [{"title": "Open", "url": url}]
        panel.override_by_name(heading, [model.DynamicConfigValue(id_val="links", value=link)])
    return panel


def distribution(title: str, description: str, look: Look, query: Query) -> Panel:
    """A histogram over time: the darker, the more there are."""
    return (
        _framed(heatmap.Panel(), title, description, look)
        .calculate(False)
        .y_axis(heatmap.YAxisConfig().unit(look.unit))
        .cell_values(heatmap.CellValues().unit("short"))
        .color(
            heatmap.HeatmapColorOptions()
            .mode(heat.HeatmapColorMode.SCHEME)
            .scheme("Blues")
            .steps(64)
        )
        .targets([_target(0, query, form=PromQueryFormat.HEATMAP)])
    )


def bars(title: str, description: str, look: Look, query: Query) -> Panel:
    """A histogram as it is now: one bar for each bucket, named by its upper bound."""
    return (
        _framed(bargauge.Panel(), title, description, look)
        .unit(look.unit)
        .min(0)
        .thresholds(_thresholds((("blue", None),)))
        .orientation(options.VizOrientation.VERTICAL)
        .display_mode(options.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .targets([_target(0, query, instant=True, form=PromQueryFormat.HEATMAP)])
    )


def _target(
    place: int,
    query: Query,
    *,
    instant: bool = False,
    form: PromQueryFormat = PromQueryFormat.TIME_SERIES,
) -> prometheus.Dataquery:
    target = (
        prometheus.Dataquery()
        .expr(query.expr)
        .legend_format(query.legend or "__auto")
        .datasource(SOURCE)
        .format(form)
        .ref_id(ascii_uppercase[place])
    )
    return target.instant() if instant else target.range()


def _thresholds(steps: Steps) -> build.ThresholdsConfig:
    found = [model.Threshold(color=color, value=value) for color, value in steps]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(found)


def _mappings(names: Mapping[str, tuple[str, str]]) -> list[model.ValueMapping]:
    if not names:
        return []
    results = {
        value: model.ValueMappingResult(text=text, color=color, index=place)
        for place, (value, (text, color)) in enumerate(names.items())
    }
    return [model.ValueMap(options=results)]
