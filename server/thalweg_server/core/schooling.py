"""Observations on their way to the classroom: logged first, then learned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from thalweg_server.core.backlog import Backlog, Turn
from thalweg_server.core.classroom import Classroom
from thalweg_server.core.events import Event, Learned, Raised, Streamed
from thalweg_server.core.learning import Rows
from thalweg_server.core.observation import Batch
from thalweg_server.core.screening import screen
from thalweg_server.core.storing import Store
from thalweg_server.core.streams import Stream
from thalweg_server.core.together import Repeated, Told, merged, runs
from thalweg_server.core.totals import Totals


@dataclass(frozen=True, slots=True)
class Schooling:
    """Takes in what is to be learned.

    Args:
        classroom: where it is learned.
        backlog: streams' batches that are logged and wait for their turn.
        totals: counts rows.
        store: the event log.
        log: adds an event to it, and returns when that is durable.
    """

    classroom: Classroom
    backlog: Backlog
    totals: Totals
    store: Store
    log: Callable[[Event], None]

    def learn_together(self, batches: Sequence[Batch], at: float) -> Iterator[tuple[int, Told]]:
        """Learns observations of unary calls, a batch of one each, in order.

        Yields the position of each with what its caller is told, while things are as this
        observation has left them. Has to be exhausted.
        """
        self.classroom.tempo.call()
        batch = self.classroom.prepared(merged(batches))
        screened = screen(self.classroom.admission(), batch, range(len(batch)))
        self.totals.rows["duplicate"] += screened.duplicates
        self.totals.rows["rejected"] += len(screened.refused)
        yield from screened.refused
        admitted = screened.admitted
        if len(admitted):
            logged = batch if len(admitted) == len(batch) else batch.select(admitted)
            self.log(Learned(logged, at))
            for rows in runs(logged, np.arange(len(admitted))):
                for row, told in self._lessons(logged, rows, at):
                    yield int(admitted[row]), told
        for row, name in screened.duplicate_of.items():
            yield row, Repeated(name)

    def _lessons(self, batch: Batch, rows: Rows, at: float) -> Iterator[tuple[int, Told]]:
        taught = self.classroom.learn(batch, rows, at, detailed=True)
        self.totals.rows["learned"] += taught.learned
        self.totals.rows["failed"] += len(taught.refused) + len(taught.failed)
        self._note(taught.raised)
        errors = dict([*taught.refused, *taught.failed])
        yield from errors.items()
        yield from ((each.row, each) for each in taught.lessons if each.row not in errors)

    def turn(
        self,
        batch: Batch,
        *,
        at: float,
        stream: Stream,
        sequence: int,
        skip_learned_dates: bool = False,
        predictions: bool = False,
    ) -> Turn:
        """A stream's batch, for the log and then for the backlog. The event loop's thread."""
        job = self.classroom.job(
            batch,
            at=at,
            pace=stream.pace,
            skip_learned_dates=skip_learned_dates,
            predictions=predictions,
        )
        event = Streamed(
            batch=job.batch,
            at=at,
            stream_id=stream.stream_id,
            sequence=sequence,
            skip_learned_dates=skip_learned_dates,
            epoch=stream.epoch,
        )
        return Turn(event, job)

    def step(self) -> bool:
        """Learns a slice of the first batch in the backlog; returns whether that is done."""
        turn = self.backlog.first
        done = self.backlog.step()
        if done:
            self._note(turn.job.report.raised, turn.position)
        return done

    def _note(self, raised: Mapping[int, str], position: int = 0) -> None:
        if raised:
            self.store.note(Raised(position or self.backlog.event, raised))
