"""The series of every model, rendered once and kept until the model changes.

With 61,000 candidates a scrape is 15 MB of text. The lines of a model stay as they are until it
is touched, so a scrape costs what changed since the last one, and learning does nothing for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from itertools import accumulate, chain
from operator import attrgetter

import numpy as np

from thalweg_server.core.model import Model
from thalweg_server.core.observation import NO_DAY, Flavor
from thalweg_server.core.service import Service
from thalweg_server.telemetry.families import (
    CHAMPION,
    LEARNED,
    SCORES,
    TEXTS,
    THROUGH,
    champion_row,
    families,
    losses,
    scores,
)
from thalweg_server.telemetry.fleet import DAY_SECONDS
from thalweg_server.telemetry.lines import ModelText
from thalweg_server.telemetry.text import header

MODELS_PER_BREATH = 1_024
"""Models rendered, some ten milliseconds of work, before other threads surely get a turn."""

BREATH_SECONDS = 0.000_05
"""How long that turn at least is: a thread that waits for the GIL needs a moment to take it."""

MODELS_PER_PART = 4_096
"""Models whose lines are joined at once: some 300 KB, which no thread notices."""


class ModelSeries:
    """The page's model part. Any thread may render, but no other part sets `Roster.touched` back.

    Live state is read without a lock: the service's thread writes it, a reader may catch a model
    in the middle of a change, and that model is then among the touched of the next scrape.

    Args:
        service: whose models.
        limit: candidates to export at most.
    """

    def __init__(self, service: Service, limit: int) -> None:
        self.truncated = 0
        """Candidates that the last page left out."""
        self._service = service
        self._limit = limit
        self._rendering = threading.Lock()
        self._flavor: Flavor | None = None
        self._texts: dict[str, ModelText] = {}
        self._lines: dict[str, dict[str, bytes]] = {}
        """Family to model to lines."""
        self._page: tuple[bytes, ...] = ()
        self._left: set[str] = set()
        """Models that changed and that a scrape which failed has not rendered."""

    def render(self) -> tuple[bytes, ...]:
        """The lines of all models, family by family; the same object while nothing changes."""
        with self._rendering:
            changed = self._take()
            flavor = self._service.flavor
            if flavor is not self._flavor:
                changed |= self._begin(flavor)
            if changed and flavor is not None:
                try:
                    self._update(changed, flavor)
                except BaseException:
                    self._left = changed
                    raise
            return self._page

    def _take(self) -> set[str]:
        """Names of models that changed, came or went since the last scrape.

        Sets back what it finds before anything is read: what changes from here on is news to the
        next scrape.
        """
        held, touched = self._service.registry.models, self._service.registry.roster.touched
        models = list(held.values())
        numbers = np.fromiter(map(attrgetter("number"), models), np.int64, len(models))
        # One without a number is being made or removed; one beyond the end came this moment.
        listed = np.flatnonzero((numbers >= 0) & (numbers < len(touched)))
        changed = listed[touched[numbers[listed]]]
        touched[numbers[changed]] = False
        left, self._left = self._left, set()
        gone = set(self._texts).difference(held)
        return {models[i].name for i in changed.tolist()} | left | gone

    def _begin(self, flavor: Flavor | None) -> set[str]:
        self._flavor = flavor
        self._texts.clear()
        self._lines = {} if flavor is None else {name: {} for name in families(flavor)}
        self._page = ()
        self.truncated = 0
        return set(self._service.registry.models)

    def _update(self, changed: set[str], flavor: Flavor) -> None:
        wanted = self._select(changed, flavor)
        held = self._service.registry.models
        for name in wanted.difference(held):
            self._drop(name)
        # In the order in which they came: a stable page, and memory is read in order, which
        # takes half the time of a set's order.
        models = [model for name, model in list(held.items()) if name in wanted]
        for start in range(0, len(models), MODELS_PER_BREATH):
            self._render_models(models[start : start + MODELS_PER_BREATH], flavor)
            time.sleep(BREATH_SECONDS)
        self._page = tuple(self._join())

    def _select(self, changed: set[str], flavor: Flavor) -> set[str]:
        """The names to render now; drops the lines of models that are not to be exported."""
        models = list(self._service.registry.models.values())
        sizes = [len(model.candidates) for model in models]
        if sum(sizes) <= self._limit:
            if self.truncated:  # those that were left out so far
                changed = changed | {model.name for model in models}
            self.truncated = 0
            return changed
        worst = self._worst(models, sizes, flavor)
        held = set(self._texts)
        for name in held - worst:
            self._drop(name)
        return (changed & worst) | (worst - held)

    def _worst(self, models: Sequence[Model], sizes: Sequence[int], flavor: Flavor) -> set[str]:
        loss = losses(self._service.board, flavor, [champion_row(model) for model in models])
        # Ascending losses, upside down; NaN, which is no score yet, sorts last as it is.
        order = np.argsort(-loss, kind="stable")
        so_far = np.cumsum(np.array(sizes)[order])
        exported = so_far <= self._limit
        self.truncated = sum(sizes) - int(so_far[exported].max(initial=0))
        return {models[i].name for i in order[exported].tolist()}

    def _render_models(self, models: Sequence[Model], flavor: Flavor) -> None:
        champions, learned = self._lines[CHAMPION], self._lines[LEARNED]
        through = self._lines[THROUGH]
        texts = []
        roster = self._service.registry.roster
        numbers = np.fromiter(map(attrgetter("number"), models), np.int64, len(models))
        counts, days = roster.learned[numbers].tolist(), roster.through[numbers].tolist()
        # 30,500 times: no call that can be avoided
        for model, count, day in zip(models, counts, days, strict=True):
            name = model.name
            text = self._texts.get(name)
            # Candidates are compared by identity first, so this is cheap where nothing changed.
            if text is None or text.candidates != model.candidates:
                text = self._texts[name] = ModelText(model, SCORES[flavor])
            texts.append(text)
            if text.champion != model.order[:1]:
                champions[name] = text.champion_lines(model.order[:1])
            learned[name] = text.learned % count
            through[name] = b"" if day == NO_DAY else text.through % (day * DAY_SECONDS)
        self._render_scores([model.name for model in models], texts, flavor)

    def _render_scores(
        self, names: Sequence[str], texts: Sequence[ModelText], flavor: Flavor
    ) -> None:
        ends = list(accumulate(len(text.rows) for text in texts))
        spans = list(zip(texts, [0, *ends], ends, strict=False))
        rows = list(chain.from_iterable(text.rows for text in texts))
        columns = scores(self._service.board, flavor, rows)
        for i, (family, column) in enumerate(zip(SCORES[flavor], columns, strict=True)):
            values = tuple(column.tolist())
            if np.isnan(column).any():
                lines = [text.score_lines(family, values[a:b]) for text, a, b in spans]
            else:
                lines = [text.blanks[i] % values[a:b] for text, a, b in spans]
            self._lines[family].update(zip(names, lines, strict=True))

    def _drop(self, name: str) -> None:
        self._texts.pop(name, None)
        for lines in self._lines.values():
            lines.pop(name, None)

    def _join(self) -> Iterable[bytes]:
        for family, kept in self._lines.items():
            yield header(family, *TEXTS[family])
            lines = list(kept.values())
            for start in range(0, len(lines), MODELS_PER_PART):
                yield b"".join(lines[start : start + MODELS_PER_PART])
                time.sleep(BREATH_SECONDS)
