"""Ids that callers gave: predictions that wait for their true value, and requests done."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from thalweg_server.core.limits import Limits
from thalweg_server.core.observation import Question
from thalweg_server.core.ports import Answer


@dataclass(frozen=True, slots=True)
class Pending:
    """A prediction handed out: what was asked and, by upload number, what was answered."""

    question: Question
    answers: Mapping[int, Answer]
    at: float


@dataclass(frozen=True, slots=True)
class Done:
    """An id that was learned from."""

    model: str
    at: float


class Ledger:
    """Remembers ids for `ids_kept_seconds`, and at most the newest `ids_kept_max` of each kind."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._predictions: OrderedDict[str, Pending | Done] = OrderedDict()
        self._requests: OrderedDict[str, Done] = OrderedDict()
        self._by_model: dict[str, set[str]] = {}
        self.pending = 0

    def prediction(self, prediction_id: str) -> Pending | Done | None:
        """What is known of a prediction id."""
        return self._predictions.get(prediction_id)

    def request(self, request_id: str) -> Done | None:
        """What is known of a request id."""
        return self._requests.get(request_id)

    @property
    def predictions(self) -> Mapping[str, Pending | Done]:
        """All prediction ids, in the order in which they expire."""
        return self._predictions

    @property
    def requests(self) -> Mapping[str, Done]:
        """All request ids, in the order in which they expire."""
        return self._requests

    def restore(
        self, predictions: Mapping[str, Pending | Done], requests: Mapping[str, Done]
    ) -> None:
        """Holds these, in this order, and no others."""
        self.clear()
        self._predictions.update(predictions)
        self._requests.update(requests)
        for prediction_id, entry in predictions.items():
            if isinstance(entry, Pending):
                self._by_model.setdefault(entry.question.model, set()).add(prediction_id)
                self.pending += 1

    def expect(self, prediction_id: str, pending: Pending) -> None:
        """Stores a prediction, in place of a pending one of the same id."""
        self._forget(prediction_id)
        self._predictions[prediction_id] = pending
        self._by_model.setdefault(pending.question.model, set()).add(prediction_id)
        self.pending += 1
        self._expire(pending.at)

    def settle(self, prediction_id: str, done: Done) -> None:
        """Marks a prediction as learned from."""
        self._forget(prediction_id)
        self._predictions[prediction_id] = done
        self._expire(done.at)

    def record(self, request_id: str, done: Done) -> None:
        """Marks a request as done."""
        self._requests[request_id] = done
        self._expire(done.at)

    def forget_model(self, model: str) -> None:
        """Drops the pending predictions of a model that was deleted."""
        for prediction_id in list(self._by_model.get(model, ())):
            self._forget(prediction_id)

    def clear(self) -> None:
        """Drops everything."""
        self._predictions.clear()
        self._requests.clear()
        self._by_model.clear()
        self.pending = 0

    def _forget(self, prediction_id: str) -> None:
        entry = self._predictions.pop(prediction_id, None)
        if isinstance(entry, Pending):
            self.pending -= 1
            siblings = self._by_model[entry.question.model]
            siblings.discard(prediction_id)
            if not siblings:
                del self._by_model[entry.question.model]

    def _expire(self, now: float) -> None:
        oldest = now - self._limits.ids_kept_seconds
        for entries in (self._predictions, self._requests):
            while entries:
                first, entry = next(iter(entries.items()))
                if entry.at >= oldest and len(entries) <= self._limits.ids_kept_max:
                    break
                if entries is self._predictions:
                    self._forget(first)
                else:
                    del entries[first]
