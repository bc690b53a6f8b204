"""One sample a second of what the server does: the curves are there when somebody opens the page.

Samples hold counters, not rates: whoever misses some has a coarser curve and not a wrong one.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from thalweg_server.core.observation import Flavor
from thalweg_server.page.candidates import Names
from thalweg_server.page.events import dump
from thalweg_server.page.subject import State, Subject

SAMPLES_KEPT = 600
"""Ten minutes: what somebody who comes because something just happened wants to see."""

CANDIDATES_SHOWN = 8
"""Curves that an eye can tell apart; those with the most scored predictions."""


class Pulse:
    """Takes samples, each serialised once, and keeps the latest. One thread.

    Args:
        subject: what is looked at.
    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._names = Names(subject.service.totals)
        self._kept: deque[bytes] = deque(maxlen=SAMPLES_KEPT)

    def take(self) -> bytes:
        """A sample of this moment, as JSON."""
        sample = dump(self._sample())
        self._kept.append(sample)
        return sample

    def kept(self) -> bytes:
        """All samples kept, oldest first, as a JSON array."""
        return b"[" + b",".join(self._kept) + b"]"

    def _sample(self) -> dict[str, Any]:
        state, service = self._subject.state(), self._subject.service
        sample: dict[str, Any] = {"at": round(time.time(), 3), "state": state.value}
        if state is State.STARTING:  # somebody else is putting the models in their places
            return sample
        load, registry = self._subject.load(), service.registry
        return sample | {
            "flavor": service.flavor.value if service.flavor else None,
            "models": len(registry.models),
            "templates": len(registry.templates),
            "rows": dict(service.totals.rows),
            "pending": service.ledger.pending,
            "predictions": load.predictions,
            "streams": load.streams,
            "waiting": load.waiting,
            "candidates": self._sums(),
        }

    def _sums(self) -> Sequence[Sequence[str | float]]:
        """Name, sum of absolute errors (or right answers), scored and unusable predictions."""
        service, count = self._subject.service, len(self._subject.service.totals.keys)
        groups, every = service.totals.groups, np.arange(count)
        scored = self._names.sums(every, groups.scored[:count])
        unusable = self._names.sums(every, groups.unusable[:count])
        if service.flavor is Flavor.REGRESSION:
            sums = self._names.sums(every, groups.error_sum[:count])
        else:  # right answers are counted where the candidates are
            group = service.board.group[: service.board.size].copy()
            sums = self._names.sums(group, service.board.correct[: len(group)])
        most = sorted(scored, key=lambda name: -scored[name])[:CANDIDATES_SHOWN]
        return [(name, sums.get(name, 0.0), scored[name], unusable.get(name, 0.0)) for name in most]
