"""Progress bars on stderr, or a function of the caller's instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Report = Callable[[int, int | None], None]
"""Takes the units done and the units in all, None where nobody knows."""
Progress = bool | Report
"""True = a bar on stderr, False = nothing, or a function that gets every step."""


@contextmanager
def reporting(progress: Progress, description: str, unit: str = "rows") -> Iterator[Report]:
    """Yield the function to call with every step.

    Args:
        progress: what the caller asked for.
        description: stands before the bar.
        unit: what is counted.
    """
    if progress is False:
        yield lambda done, total: None
    elif progress is True:
        with bar(description, unit) as report:
            yield report
    else:
        yield progress


@contextmanager
def bar(description: str, unit: str = "rows") -> Iterator[Report]:
    """Yield a function that moves a bar with count, rate and remaining time on stderr."""
    from rich.console import Console  # noqa: PLC0415 - rich costs more than the client itself
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text  # noqa: PLC0415

    class Count(ProgressColumn):
        def render(self, task: Task) -> Text:
            of = "" if task.total is None else f" of {task.total:,.0f}"
            return Text(f"{task.completed:,.0f}{of}")

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(f"{speed:,.0f} {unit}/s" if speed else "")

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        Count(),
        Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as shown:
        task = shown.add_task(description, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)
