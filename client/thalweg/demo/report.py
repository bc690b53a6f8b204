"""What the demo prints."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from thalweg.cli.output import counted, number, print_json, print_table, visible
from thalweg.demo.gather import UNITS_PER_DAY_MIN

if TYPE_CHECKING:
    from thalweg.demo.figures import Act, ByHand, Figures, Forecast, ItemQuality, Quality
    from thalweg.demo.scene import Scene
    from thalweg.results import ServerInfo


def say(text: str) -> None:
    """Print lines of the story."""
    click.echo(text)


def opening(info: ServerInfo, address: str, scene: Scene) -> str:
    """Return what there is before anything happened."""
    days, items = scene.sales.days, counted(len(scene.sales.ids), "item")
    return (
        f"Server: Thalweg {info.server_version} with River {info.river_version} at {address}\n"
        f"Sales:  {items}, {len(days)} days, {days[0]} to {days[-1]}\n"
        f"        ({scene.origin})\n"
        f"Models: knn and lm, uploaded once as templates of {scene.glob}\n"
    )


def compiling() -> str:
    """Return what an upload takes long for."""
    return (
        "The server compiles both pipelines, which it does once and keeps on disk:\n"
        "this takes some 20 seconds, and the next start goes on at once.\n"
    )


def act(what: str, played: Act) -> str:
    """Return what came of a streamed part."""
    size = f"{counted(played.days, 'day')}, {counted(played.rows, 'row')}"
    return (
        f"{what}: {size}, each learned by both, "
        f"in {played.seconds:.1f} s ({played.rows_per_second:,.0f} rows/s)"
    )


def by_hand(played: ByHand) -> str:
    """Return the example's own calls and their answers."""
    value = played.predicted.get(played.answered_by)
    return (
        f"\n{visible(played.item)} on {played.day}, by hand:\n"
        f"  predict, kept as {visible(played.prediction_id)}\n"
        f"    -> {number(value)} by the champion, {played.answered_by}"
        f"  ({_pairs(played.predicted)})\n"
        f"  learn {played.sold:g} sold, by that id\n"
        f"    -> MAE now {_pairs(played.mae)}"
    )


def show_json(figures: Figures, seconds: float) -> None:
    """Print everything for machines."""
    rates = {
        "warm_up_rows_per_second": figures.warm_up.rows_per_second,
        "streamed_rows_per_second": figures.streamed.rows_per_second,
    }
    print_json(dataclasses.asdict(figures) | rates | {"seconds": seconds})


def show(figures: Figures, seconds: float) -> None:
    """Print the tables, and where the metrics are."""
    say(_forecast(figures.forecast, figures.items))
    say(f"\n{counted(figures.items, 'item')}, MAE in units per item and day:\n")
    _print_qualities(figures)
    say(_notes(figures))
    _print_items("Worst items, all days", figures.worst)
    _print_items(f"Best items that sell {UNITS_PER_DAY_MIN:g} a day", figures.best)
    say(f"\nPrometheus reads {figures.metrics}, for example:")
    for line in figures.metrics_lines:
        say(f"  {line}")
    say(f"\nDone in {seconds:.0f} s.")


def kept(address: str, metrics: str) -> str:
    """Return how to go on with a server that stays up."""
    page = metrics.removesuffix("metrics")
    return (
        f"\nThe server stays up until Ctrl-C; a live page is at {page}\n"
        f"  thalweg models --server {address} --order-by 'mae desc' --limit 5"
    )


def _forecast(made: Forecast, items: int) -> str:
    own = f"{number(made.mean)} of {visible(made.item)}, by {made.candidate}"
    all_items = f"{made.total:,.0f} units in all, of {counted(items, 'item')}"
    return f"\nForecast for {made.day}: {own};\n  {all_items}"


def _print_qualities(figures: Figures) -> None:
    first, last = figures.warm_up.days, figures.streamed.days
    headings = (
        "",
        "won before",
        "won after",
        f"MAE first {first}",
        f"MAE last {last}",
        f"MAE all {first + last}",
    )
    print_table(headings, [_quality(line) for line in figures.qualities])


def _quality(line: Quality) -> Sequence[str]:
    won = (_share(line.won_before), _share(line.won_after))
    return (
        line.candidate,
        *won,
        number(line.mae_before),
        number(line.mae_streamed),
        number(line.mae_after),
    )


def _notes(figures: Figures) -> str:
    lines = [
        "",
        f"won: share of the items whose champion it was, before and after the last "
        f"{figures.streamed.days}",
        "days. MAE: of predictions made before the sale was learned. champion: what the",
        "server answered, from the candidate that was best for the item until then.",
    ]
    lines += [
        f"{name} had no finite answer {count:,} times, which its MAE leaves out."
        for name, count in figures.unusable.items()
        if count
    ]
    return "\n".join(lines)


def _print_items(title: str, items: Sequence[ItemQuality]) -> None:
    if not items:
        return
    say("")
    headings = (title, "champion", "MAE", "sold a day")
    rows = [(visible(i.item), i.champion, number(i.mae), number(i.units_per_day, 1)) for i in items]
    print_table(headings, rows, names=2)


def _pairs(figures: Mapping[str, float | None]) -> str:
    return ", ".join(f"{name} {number(value)}" for name, value in figures.items())


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
