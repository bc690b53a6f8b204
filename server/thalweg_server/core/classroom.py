"""Where models learn: what is admitted, who teaches, a slice at a time. Knows no log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from thalweg_server.core.admission import Admission
from thalweg_server.core.columns import numeric
from thalweg_server.core.job import BatchJob
from thalweg_server.core.learning import Learner, Rows, School, Taught
from thalweg_server.core.ledger import Ledger
from thalweg_server.core.limits import Limits
from thalweg_server.core.observation import Batch, Flavor
from thalweg_server.core.pace import Pace, Tempo
from thalweg_server.core.registry import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Classroom:
    """Has the models of a registry learn.

    Args:
        registry: the models.
        ledger: predictions that wait, and requests done.
        limits: bounds on what is admitted.
        tempo: how long a slice may take.
        numbers: how regressions learn,
        labels: and classifications.
        flavor: which it is; raises NotInitialised.
        changed: told of what has learned.
    """

    registry: Registry
    ledger: Ledger
    limits: Limits
    tempo: Tempo
    numbers: School
    labels: School
    flavor: Callable[[], Flavor]
    changed: Callable[[Taught], None]

    def prepared(self, batch: Batch) -> Batch:
        """The batch with targets as this flavor wants them. Any thread; twice does nothing more."""
        if self.flavor() is Flavor.REGRESSION:
            return numeric(batch, self.limits)
        if isinstance(batch.targets, np.ndarray):
            return replace(batch, targets=batch.targets.tolist())
        return batch

    def admission(self, *, skip_learned_dates: bool = False) -> Admission:
        """Admits rows as things are now."""
        return Admission(self.registry, self.ledger, self.flavor(), self.limits, skip_learned_dates)

    def learn(self, batch: Batch, rows: Rows, at: float, *, detailed: bool = False) -> Taught:
        """Has admitted rows learned in order; `detailed` asks for a lesson of each."""
        if not len(rows):
            return Taught()
        school = self.numbers if self.flavor() is Flavor.REGRESSION else self.labels
        learner = Learner(self.registry, self.ledger, school)
        with self.tempo.learning():
            taught = learner.apply(batch, rows, at, detailed=detailed)
        if taught.learned:
            self.registry.roster.totals.learned_at = at
        self.changed(taught)
        return taught

    def job(
        self,
        batch: Batch,
        *,
        at: float,
        pace: Pace | None = None,
        skip_learned_dates: bool = False,
        predictions: bool = False,
    ) -> BatchJob:
        """A job that learns a batch slice by slice.

        Args:
            batch: as it came.
            at: when, in seconds since the epoch.
            pace: what sized slices of batches like this; None = it has to be found out.
            skip_learned_dates: whether a row is a duplicate where its model knows the day.
            predictions: whether the report is to say what callers would have got.
        """
        return BatchJob(
            batch=self.prepared(batch),
            admission=lambda: self.admission(skip_learned_dates=skip_learned_dates),
            learn=lambda batch, rows: self.learn(batch, rows, at),
            pace=pace or Pace(self.tempo),
            errors_listed_max=self.limits.errors_listed_max,
            totals=self.registry.roster.totals,
            predictions=predictions,
        )
