"""Applying a log again: the same events in the same order give the same server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from thalweg_server.core.backlog import Turn
from thalweg_server.core.events import (
    Deleted,
    Entry,
    Event,
    Initialised,
    Learned,
    Predicted,
    Progress,
    Started,
    Streamed,
    Uploaded,
)
from thalweg_server.core.ports import NotReady
from thalweg_server.core.service import Service


class Guard(Protocol):
    """Remembers what replay is at, should it end the process."""

    def applying(self, position: int) -> bool:
        """Notes which entry is applied; returns whether `learning` is to be told of each row."""

    def learning(self, row: int, model: str, candidate: str) -> str:
        """Notes which candidate learns; returns why it must not, empty where it may."""

    def done(self) -> None:
        """The log is applied."""


class Replay:
    """Brings a service to where its log ends.

    Args:
        service: empty, or as a snapshot left it.
        progress: how far the log is applied in it.
        guard: told what is applied; None = nobody is.
    """

    def __init__(self, service: Service, progress: Progress, guard: Guard | None = None) -> None:
        self._service = service
        self._guard = guard
        self._names: dict[int, tuple[str, str]] = {}
        self._backlog = service.backlog
        self._progress = progress
        self._backlog.event = progress.event
        self.entries = 0

    def run(self, entries: Iterable[Entry]) -> None:
        """Applies entries, the first one that at `progress.batch`, under the limits of their time.

        Raises:
            CorruptStorage: the log is damaged.
        """
        limits = self._service.limits
        now = limits.copy()
        last = self._backlog.event
        for entry in entries:
            self.entries += 1
            last = entry.position
            if isinstance(entry.event, Streamed):
                self._put(entry.event, entry.position)
            elif entry.position > self._progress.event:
                self._backlog.catch_up(entry.progress, self._applying)
                self._applying(entry.position)
                self._apply(entry.event)
                self._backlog.event = entry.position
        self._backlog.finish(self._applying)
        self._backlog.event = max(self._backlog.event, last)
        self._service.engine.watch(None)
        limits.update(now)
        if self._guard is not None:
            self._guard.done()

    def _applying(self, position: int) -> None:
        if self._guard is not None:
            watched = self._guard.applying(position)
            self._names.clear()  # slots may have changed hands
            self._service.engine.watch(self._learning if watched else None)

    def _learning(self, slot: int, row: int) -> str:
        assert self._guard is not None
        if slot not in self._names:
            models = self._service.registry.models.values()
            self._names = {
                c.slot: (model.name, c.name) for model in models for c in model.candidates
            }
        return self._guard.learning(row, *self._names[slot])

    def _put(self, event: Streamed, position: int) -> None:
        job = self._service.classroom.job(
            event.batch, at=event.at, skip_learned_dates=event.skip_learned_dates
        )
        if position == self._progress.batch:
            job.next = self._progress.row
        self._backlog.put(Turn(event, job), position)

    def _apply(self, event: Event) -> None:
        service = self._service
        match event:
            case Started():
                service.limits.update(event.limits)
            case Initialised():
                service.apply_init(event)
            case Uploaded():
                self._upload(event)
            case Deleted():
                service.apply_delete(event)
            case Predicted():
                reply = service.oracle.ask(event.question, candidate="", everyone=True)
                service.apply_predict(event, reply)
            case Learned():
                job = service.classroom.job(event.batch, at=event.at)
                job.advance(len(event.batch))

    def _upload(self, event: Uploaded) -> None:
        while True:
            try:
                loaded = self._service.intake.reload(event, self._service.ready())
            except NotReady as making:
                making.wait()
            else:
                self._service.apply_upload(event, loaded)
                return
