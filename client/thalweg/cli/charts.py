"""Draws forecasts: into a file with matplotlib, or as text with plotille."""

from __future__ import annotations

import math
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any

from thalweg.cli.group import Failure
from thalweg.cli.output import number, visible

INCHES, DOTS_PER_INCH, FONT_SIZE = (12, 6), 100, 12
DAY_LABELS_MAX = 10
SOLD_COLOR = "#5f6b7a"
COLORS = ("#0067b1", "#d1495b", "#2e8b57", "#b8860b", "#7b4fa3", "#008b8b")
"""Of candidates, in turn: told apart on white, also by those who do not see red and green alike."""
DASHES = ("-", "--", "-.", ":")

TERMINAL_COLORS = ("bright_blue", "bright_red", "bright_green", "bright_yellow", "bright_magenta")
MARKERS = "ox+*#@"
"""Of candidates, in turn, where a terminal shows no colours."""
ROWS = 16
COLUMNS_MIN, COLUMNS_BESIDE = 20, 24
"""The narrowest figure, and what plotille writes to the left and right of one."""
LABEL_COLUMNS = 10
"""What plotille has for a label on the axis of values; it cuts longer ones."""
TICKS = 5
"""About so many labels on the axis of values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One day; the value is None where there is none."""

    date: date
    value: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one candidate forecasts.

    Attributes:
        candidate: its name.
        champion: whether it is the one that answers.
        mae: its mean absolute error so far, None before the first score.
        points: one per day, in order.
    """

    candidate: str
    champion: bool
    mae: float | None
    points: tuple[Point, ...]

    @property
    def label(self) -> str:
        """What the legend says."""
        facts = ["champion"] * self.champion
        facts += [f"MAE {number(self.mae)}"] * (self.mae is not None)
        return visible(self.candidate) + f" ({', '.join(facts)})" * bool(facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What there is to draw.

    Attributes:
        model: its name.
        first, last: the days forecast, both included.
        sold: what was sold, before and during these days; empty where nobody asked.
        forecasts: a line per candidate.
    """

    model: str
    first: date
    last: date
    sold: tuple[Point, ...]
    forecasts: tuple[Line, ...]

    @property
    def title(self) -> str:
        """What it shows, in a line."""
        return f"{visible(self.model)}, forecast of {self.first} to {self.last}"

    @property
    def unit(self) -> str:
        """What the axis of values counts."""
        return "units" if self.sold else "target"


def to_file(chart: Chart, target: Path) -> None:
    """Draw into a file, in the format that its name ends with; on white, 1200 by 600 dots.

    Raises:
        Failure: matplotlib is not installed.
        ValueError: no such format.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra, and slow to load
    except ModuleNotFoundError as error:
        raise _incomplete(error) from error
    figure = Figure(figsize=INCHES, dpi=DOTS_PER_INCH, layout="constrained", facecolor="white")
    _draw(chart, figure.add_subplot())
    figure.legend(loc="outside lower left", frameon=False, ncols=4, fontsize=FONT_SIZE)
    drawn = BytesIO()
    figure.savefig(drawn, format=target.suffix.removeprefix(".") or "png")
    target.write_bytes(drawn.getvalue())


def _draw(chart: Chart, axes: Any) -> None:
    dates: Any = import_module("matplotlib.dates")  # untyped, unlike the rest of matplotlib
    if chart.sold:
        axes.plot(*_columns(chart.sold), color=SOLD_COLOR, linewidth=1.2, marker=".", label=" sold")
        axes.axvspan(chart.first, chart.last, color="#f2f4f7", zorder=0)
    for position, line in enumerate(chart.forecasts):
        axes.plot(
            *_columns(line.points),
            color=COLORS[position % len(COLORS)],
            linestyle=DASHES[position % len(DASHES)],
            linewidth=2.4 if line.champion else 1.8,
            # Without the space a name that begins with an underscore is left out of the legend.
            label=" " + line.label.replace("$", r"\$"),
        )
    axes.set_title(chart.title.replace("$", r"\$"), loc="left", fontsize=FONT_SIZE + 3, pad=12)
    axes.set_xlabel("day", fontsize=FONT_SIZE)
    axes.set_ylabel(chart.unit, fontsize=FONT_SIZE)
    axes.xaxis.set_major_locator(dates.AutoDateLocator(maxticks=DAY_LABELS_MAX))
    axes.xaxis.set_major_formatter(dates.DateFormatter("%d %b %Y"))
    axes.margins(x=0.01)
    axes.grid(axis="y", color="#d9dee4", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))


def _columns(points: Sequence[Point]) -> tuple[list[date], list[float]]:
    """Return days and values; NaN, which is not drawn, where there is none."""
    values = [float("nan") if point.value is None else point.value for point in points]
    return [point.date for point in points], values


def in_terminal(chart: Chart) -> str:
    """Return it drawn as text, as wide as the terminal.

    Raises:
        Failure: plotille is not installed.
    """
    try:
        import plotille  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise _incomplete(error) from error
    figure = plotille.Figure()
    figure.with_colors = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    figure.width = max(shutil.get_terminal_size().columns - COLUMNS_BESIDE, COLUMNS_MIN)
    figure.height = ROWS
    figure.origin = False
    figure.x_label, figure.y_label = "day", chart.unit
    figure.x_ticks_fkt = lambda day, _: f"{date.fromordinal(round(day)):%d %b %y}"
    if chart.sold:
        figure.plot(*_numbers(chart.sold), lc="white", label="sold")
    for position, line in enumerate(chart.forecasts):
        plain = {"interp": None, "marker": MARKERS[position % len(MARKERS)]}
        figure.plot(
            *_numbers(line.points),
            lc=TERMINAL_COLORS[position % len(TERMINAL_COLORS)],
            label=line.label,
            **({} if figure.with_colors else plain),
        )
    begin = chart.sold[0].date if chart.sold else chart.first
    figure.set_x_limits(begin.toordinal(), chart.last.toordinal() + 0.5)  # the edge is not drawn
    _scale(figure, _numbers([*chart.sold, *chain(*(each.points for each in chart.forecasts))])[1])
    return f"{chart.title}\n\n{figure.show(legend=True)}"


def _numbers(points: Sequence[Point]) -> tuple[list[int], list[float]]:
    """Return days, counted, and values, without the days that have none."""
    known = [(point.date.toordinal(), point.value) for point in points if point.value is not None]
    return [day for day, _ in known], [value for _, value in known]


def _scale(figure: Any, values: Sequence[float]) -> None:
    """Let the axis of values begin at 0, or below, and label only round ones."""
    low, high = min(0.0, *values), max(values)
    high += (high - low or 1.0) / ROWS
    figure.set_y_limits(low, high)
    step = _round_step((high - low) / TICKS)

    def label(here: float, above: float) -> str:
        tick = math.ceil(here / step) * step
        said = number(tick, max(0, -math.floor(math.log10(step))))
        short = said if len(said) <= LABEL_COLUMNS else f"{tick:.3g}"
        return short if tick < above else ""

    figure.y_ticks_fkt = label


def _round_step(step: float) -> float:
    """Return the next number above that is 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step)


def _incomplete(error: ModuleNotFoundError) -> Failure:
    package = (error.name or "").partition(".")[0]
    return Failure(f"plot needs {package}: pip install 'thalweg[plot]'")
