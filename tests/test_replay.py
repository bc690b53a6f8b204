"""A log that is applied again makes the same server, from wherever a snapshot begins."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable, Iterator, Sequence

import pytest
from river import compose, linear_model, naive_bayes, preprocessing, tree

from tests import estimators
from tests.histories import History, Step, copied, live, make_service, payloads, told
from tests.parts import Parts
from thalweg import m5
from thalweg_server.core.errors import StreamFenced
from thalweg_server.core.events import Entry, Event, Initialised, Progress, Raised, Streamed
from thalweg_server.core.freezing import freeze, thaw
from thalweg_server.core.limits import Limits
from thalweg_server.core.observation import Batch, Flavor, Names
from thalweg_server.core.ports import Engine
from thalweg_server.core.replay import Replay
from thalweg_server.core.service import Service
from thalweg_server.engines.compiled import CompiledEngine
from thalweg_server.engines.compiled.cache import KernelCache
from thalweg_server.engines.compiled.fleet import Fleets
from thalweg_server.engines.river import RiverEngine
from thalweg_server.storage.codec import Encoded, decode, encode
from thalweg_server.storage.memory import MemoryStore

pytestmark = pytest.mark.timeout(600)  # a kernel's first compilation takes a while

SEEDS = range(int(os.environ.get("THALWEG_SEEDS", "12")))

ESTIMATORS = {
    Flavor.REGRESSION: payloads(
        compose.Select("a", "b") | preprocessing.StandardScaler() | linear_model.LinearRegression(),
        compose.Select("a", "b") | tree.HoeffdingTreeRegressor(grace_period=5),
        m5.lm(),
        m5.knn(),
        estimators.RaisesInPredict(),
    ),
    Flavor.MULTICLASS: payloads(
        compose.Select("a", "b") | naive_bayes.GaussianNB(), estimators.Labeller()
    ),
}


class Recorder(MemoryStore):
    """A log in memory, of events as they would come back from a file."""

    def __init__(self) -> None:
        super().__init__()
        self._log: list[tuple[Encoded, Progress]] = []

    def append(self, events: Sequence[Event], progress: Progress) -> int:
        """Keeps the events."""
        for event in events:
            self._keep(event, progress)
        return len(self._log)

    def submit(self, event: Streamed, then: Callable[[int | None], None]) -> None:
        """Keeps the event."""
        self._keep(event, Progress())
        then(len(self._log))

    def note(self, event: Raised) -> None:
        """Keeps the event."""
        self._keep(event, Progress())

    def entries(self, start: int) -> Iterator[Entry]:
        """What was kept, made anew each time: batches keep what their service looked up."""
        for position, (encoded, progress) in enumerate(self._log[start - 1 :], start):
            names = None if encoded.names is None else Names(encoded.names)
            yield Entry(position, decode(encoded.kind, encoded.body, names), progress)

    def _keep(self, event: Event, progress: Progress) -> None:
        self._log.append((encode(event), progress))


class Server:
    """A service whose streams' batches are learned a slice now and then, between other calls.

    Args:
        engine: what runs its candidates.
        seed: of when they are learned.
    """

    def __init__(self, engine: Engine, seed: int) -> None:
        self.log = Recorder()
        self.service = make_service(engine, store=self.log)
        self._chance = random.Random(seed)
        self._sequences: dict[str, int] = {}

    def live(self, steps: Sequence[Step]) -> None:
        """Makes the calls; streams' batches wait for their turn."""
        for step in steps:
            if step.kind == "stream":
                self._submit(*step.given)
            else:
                live(self.service, [step])
            for _ in range(self._chance.randrange(4)):
                self._learn(self._chance.randrange(1, 9))

    def finish(self) -> None:
        """Learns what still waits."""
        while self.service.backlog:
            self._learn(100)

    def reset(self, flavor: Flavor) -> None:
        """Empties the service, whatever still waits."""
        self.service.init(flavor, reset=True)
        self._sequences.clear()

    def _learn(self, rows: int) -> None:
        if self.service.backlog:
            self.service.backlog.first.job.pace.size = rows
            with contextlib.suppress(StreamFenced):
                self.service.schooling.step()

    def _submit(self, stream_id: str, batch: Batch, skip: bool, at: float) -> None:
        service = self.service
        stream = service.streams.open(stream_id, at)
        sequence = self._sequences[stream_id] = self._sequences.get(stream_id, 0) + 1
        turn = service.schooling.turn(
            copied(batch), at=at, stream=stream, sequence=sequence, skip_learned_dates=skip
        )
        service.store.submit(turn.event, lambda position: service.backlog.put(turn, position or 0))
        service.streams.close(stream)


@pytest.fixture(params=["river", "compiled"])
def make_engine(request: pytest.FixtureRequest, kernels: KernelCache) -> Callable[[], Engine]:
    """Makes engines of either kind."""
    if request.param == "river":
        return RiverEngine
    return lambda: CompiledEngine(RiverEngine(), Fleets(kernels))


def replayed(engine: Engine, log: Recorder, parts: Parts | None, at: Progress) -> Service:
    """A service that was begun with a snapshot, or with nothing, and brought to the log's end."""
    service = make_service(engine)
    if parts is not None:
        thaw(service, parts)
    replay = Replay(service, at)
    replay.run(log.entries(at.batch))
    return service


def known(service: Service) -> object:
    """All that callers can be told, and how far each stream is."""
    marks = [(name, mark.applied) for name, mark in service.streams.marks.items()]
    return told(service), marks, service.ledger.pending


@pytest.mark.parametrize("flavor", ESTIMATORS)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_replayed_server_goes_on_as_if_nothing_had_been(
    make_engine: Callable[[], Engine], flavor: Flavor, seed: int
) -> None:
    """From the whole log, and from a snapshot at any moment, in the middle of a batch, too."""
    history = History(flavor, ESTIMATORS[flavor], seed)
    server = Server(make_engine(), seed)
    server.service.start({})
    server.service.init(flavor, reset=False)
    server.live(history.steps(40))
    if seed % 3 == 0:
        server.reset(flavor)
        server.live(history.steps(40))
    parts, progress = Parts(), server.service.backlog.progress
    freeze(server.service, parts)
    server.live(history.steps(40))
    server.finish()
    expected = known(server.service)
    again = replayed(make_engine(), server.log, None, Progress())
    later = replayed(make_engine(), server.log, parts, progress)
    assert known(again) == expected
    assert known(later) == expected
    steps = history.steps(30)
    outcomes = live(server.service, steps)
    assert outcomes
    assert live(again, steps) == outcomes
    assert live(later, steps) == outcomes
    assert known(again) == known(later) == known(server.service)


def test_replay_admits_under_the_limits_of_that_time() -> None:
    """A server that is started with lower limits knows what it had learned before all the same."""
    history = History(Flavor.REGRESSION, ESTIMATORS[Flavor.REGRESSION], 1)
    server = Server(RiverEngine(), 1)
    server.service.start({})
    server.service.init(Flavor.REGRESSION, reset=False)
    server.live(history.steps(60))
    server.finish()
    assert len(server.service.registry.models) > 2
    service = make_service(RiverEngine(), Limits(models_max=1, magnitude_max=0.5, ids_kept_max=1))
    Replay(service, Progress()).run(server.log.entries(1))
    assert known(service) == known(server.service)
    assert service.limits.models_max == 1


def test_batches_of_before_a_reset_are_dropped_again() -> None:
    """Whatever of them was logged when the reset came, or only after it."""
    history = History(Flavor.REGRESSION, ESTIMATORS[Flavor.REGRESSION], 2)
    server = Server(RiverEngine(), 2)
    server.service.init(Flavor.REGRESSION, reset=False)
    server.live(history.steps(20))
    stream = server.service.streams.open("late", 0.0)
    batch = history.steps(1)[0]
    while batch.kind != "stream":
        batch = history.steps(1)[0]
    before = server.service.schooling.turn(batch.given[1], at=0.0, stream=stream, sequence=1)
    server.reset(Flavor.REGRESSION)
    server.service.store.submit(
        before.event, lambda position: server.service.backlog.put(before, position or 0)
    )
    server.finish()
    assert not server.service.registry.models
    again = replayed(RiverEngine(), server.log, None, Progress())
    assert known(again) == known(server.service)
    assert isinstance(list(server.log.entries(1))[-2].event, Initialised)
