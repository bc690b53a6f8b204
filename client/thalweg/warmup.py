"""Warm-up over a blocking client; `Plan` says what to do, `Tally` what was done, `fitting` how."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from thalweg import fitting
from thalweg.batches import Item
from thalweg.fitting import Candidate, Fit
from thalweg.observations import Columns
from thalweg.progress import Progress, reporting
from thalweg.pump import items_of
from thalweg.results import Ack, RowError, WarmUp
from thalweg.v1 import forecaster_pb2 as pb

if TYPE_CHECKING:
    from thalweg.client import Client

__all__ = ["Candidate", "Keep", "Mode", "Plan", "Tally", "run"]

Mode = Literal["remote", "local"]
Keep = Literal["best", "all"]
ERRORS_KEPT = 100
"""As many as an ack carries: enough to see what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do; see `Client.warm_up`.

    Raises:
        ValueError: no candidates, or no such mode or keep.
    """

    candidates: Mapping[str, Candidate]
    mode: Mode
    glob: str
    context: Sequence[str]
    keep: Keep
    replace: bool
    skip_learned_dates: bool
    stream_id: str | None
    batch_rows: int | None
    progress: Progress

    def __post_init__(self) -> None:
        if not self.candidates:
            raise ValueError("a warm-up needs at least one candidate")
        if self.mode not in ("remote", "local"):
            raise ValueError(f"mode is 'remote' or 'local', not {self.mode!r}")
        if self.keep not in ("best", "all"):
            raise ValueError(f"keep is 'best' or 'all', not {self.keep!r}")

    def template(self, candidate: str) -> dict[str, Any]:
        """Return how to upload a candidate as a template."""
        return {
            "candidate": candidate,
            "template": True,
            "replace": self.replace,
            "context": self.context,
        }

    def stream(self) -> dict[str, Any]:
        """Return how to stream the history."""
        return {
            "stream_id": self.stream_id,
            "skip_learned_dates": self.skip_learned_dates,
            "batch_rows": self.batch_rows,
        }

    def uploads(self, fit: Fit) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the candidates of a fitted item to upload, and how."""
        names = fit.estimators if self.keep == "all" else [fit.best] if fit.best else []
        for name in names:
            yield name, {"candidate": name, "replace": self.replace, "context": self.context}


@dataclass(slots=True)
class Tally:
    """What has been done so far."""

    started: float = field(default_factory=time.perf_counter)
    models: set[str] = field(default_factory=set)
    rows: int = 0
    learned: int = 0
    duplicates: int = 0
    error_count: int = 0
    errors: list[RowError] = field(default_factory=list)
    won: dict[str, int] = field(default_factory=dict)
    error_sums: dict[str, float] = field(default_factory=dict)
    error_counts: dict[str, int] = field(default_factory=dict)

    def note(self, item: Item) -> None:
        """Remember the models of an item of the history."""
        self.models.update(_names(item))

    def add_ack(self, ack: Ack) -> None:
        """Take note of a batch."""
        room = ERRORS_KEPT - len(self.errors)
        self.errors += [
            RowError(row=self.rows + error.row, reason=error.reason, message=error.message)
            for error in islice(ack.errors, room)
        ]
        self.rows += ack.rows
        self.learned += ack.learned
        self.duplicates += ack.duplicates
        self.error_count += ack.error_count

    def add_fit(self, fit: Fit) -> None:
        """Take note of an item."""
        self.models.add(fit.model)
        self.rows += fit.rows
        if fit.best:
            self.learned += fit.rows
            self.won[fit.best] = self.won.get(fit.best, 0) + 1
        else:
            self.error_count += fit.rows
        for name, trial in fit.trials.items():
            self.error_sums[name] = self.error_sums.get(name, 0.0) + trial.error_sum
            self.error_counts[name] = self.error_counts.get(name, 0) + trial.scored

    def result(self) -> WarmUp:
        """Return the outcome."""
        return WarmUp(
            models=len(self.models),
            rows=self.rows,
            learned=self.learned,
            duplicates=self.duplicates,
            error_count=self.error_count,
            errors=tuple(self.errors),
            won=self.won,
            mae={
                name: total / self.error_counts[name] if self.error_counts[name] else None
                for name, total in self.error_sums.items()
            },
            seconds=time.perf_counter() - self.started,
        )


def rows_in_all(history: Iterable[Item] | Item) -> int | None:
    """Return the rows of a history, None where only reading it would tell."""
    if isinstance(history, Sequence):
        return sum(_rows(item) for item in history)
    return _rows(history) if isinstance(history, Columns | pb.LearnRows | pb.LearnColumns) else None


def _rows(item: Item) -> int:
    if isinstance(item, pb.LearnRows):
        return len(item.rows)
    if isinstance(item, pb.LearnColumns):
        return len(item.target) or len(item.target_text)
    return len(item) if isinstance(item, Columns) else 1


def _names(item: Item) -> Iterable[str]:
    if isinstance(item, pb.LearnRows):
        return (row.model for row in item.rows)
    return item.models if isinstance(item, Columns | pb.LearnColumns) else (item.model,)


def run(client: Client, plan: Plan, history: Iterable[Item] | Columns) -> WarmUp:
    """Warm up; see `Client.warm_up`."""
    return _local(client, plan, history) if plan.mode == "local" else _remote(client, plan, history)


def _remote(client: Client, plan: Plan, history: Iterable[Item] | Columns) -> WarmUp:
    tally, total = Tally(), rows_in_all(history)
    with reporting(plan.progress, "learning") as report:
        for name, candidate in plan.candidates.items():
            client.upload_model(plan.glob, fitting.fresh(candidate), **plan.template(name))
        for ack in client.stream_learn(_noted(tally, history), **plan.stream()):
            tally.add_ack(ack)
            report(tally.rows, total)
    return tally.result()


def _noted(tally: Tally, history: Iterable[Item] | Columns) -> Iterator[Item]:
    for item in items_of(history):
        tally.note(item)
        yield item


def _local(client: Client, plan: Plan, history: Iterable[Item] | Columns) -> WarmUp:
    tally, grouped = Tally(), fitting.History()
    for item in items_of(history):
        grouped.add(item)
    flavor = client.init().flavor
    with reporting(plan.progress, "fitting") as report:
        for model in grouped.models:
            fit = fitting.fit(grouped, model, plan.candidates, plan.context, flavor)
            for name, how in plan.uploads(fit):
                client.upload_model(model, fit.estimators[name], **how)
            tally.add_fit(fit)
            report(tally.rows, grouped.rows)
    return tally.result()
