"""Applying a log again: the same events in the same order give the same server."""

from __future__ import annotations

from collections.abc import Iterable

from thalweg_server.core.backlog import Turn
from thalweg_server.core.events import (
    Deleted,
    Entry,
    Event,
    Initialised,
    Learned,
    Predicted,
    Progress,
    Quarantined,
    Started,
    Streamed,
    Uploaded,
)
from thalweg_server.core.ports import NotReady
from thalweg_server.core.service import Service


class Replay:
    """Brings a service to where its log ends.

    Args:
        service: empty, or as a snapshot left it.
        progress: how far the log is applied in it.
    """

    def __init__(self, service: Service, progress: Progress) -> None:
        self._service = service
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
                self._backlog.catch_up(entry.progress)
                self._apply(entry.event)
                self._backlog.event = entry.position
        self._backlog.finish()
        self._backlog.event = max(self._backlog.event, last)
        limits.update(now)

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
            case Quarantined():
                service.quarantine.apply(event)
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
