"""Every ErrorReason, by a generated client over a real socket."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import grpc
import pytest

from tests.conftest import Connect, StartServer
from tests.error_cases import CASES, NOT_HERE, Case, prepare
from tests.estimators import Constant, Slow, linear
from tests.structure import difference
from tests.waiting import until
from tests.wire import SECONDS, Wire, batch, failure, question, refused, row
from thalweg.v1 import forecaster_pb2 as pb
from thalweg_server.core.limits import Limits
from thalweg_server.engines.river import RiverEngine


@pytest.fixture
def uninitialised(start_server: StartServer, connect: Connect) -> Wire:
    """A server that was not told what to predict."""
    return connect(start_server(flavor=None))


@pytest.fixture
def small(start_server: StartServer, connect: Connect) -> Wire:
    """A server with small limits."""
    limits = Limits(batch_rows_max=8, candidates_max=2, models_max=3)
    return connect(start_server(limits=limits, message_bytes_max=65_536))


@pytest.fixture
def overloaded(start_server: StartServer, connect: Connect) -> Iterator[Wire]:
    """A server that is busy, with as many calls waiting as may."""
    wire = connect(start_server(waiting_calls_max=2, engine=RiverEngine()))
    wire.upload("slow", Slow(0.3))
    models_thread, learn = wire.server.server.models_thread, wire.stub.Learn
    calls = [learn.future(row("slow", 1.0), timeout=SECONDS)]
    until(lambda: wire.live("slow").begun)
    calls += [learn.future(row("slow", 1.0), timeout=SECONDS) for _ in range(2)]
    until(lambda: models_thread.waiting == 2)
    yield wire
    for call in calls:
        call.result()


@pytest.fixture
def draining(start_server: StartServer, connect: Connect) -> Iterator[Wire]:
    """A server that is shutting down and still busy with a stream's batch."""
    server = start_server()
    wire = connect(server)
    wire.upload("slow", Slow(0.02))
    with wire.stream() as stream:
        stream.open("s")
        stream.send(batch(1, [row("slow", 1.0)] * 20))
        until(lambda: wire.live("slow").learned > 0)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        until(lambda: server.server.draining)
        yield wire
        stopping.join()


@pytest.mark.parametrize("case", CASES, ids=[f"{c.reason}: {c.name}" for c in CASES])
@pytest.mark.usefixtures("shared_wire")  # once per engine
def test_a_mistake_is_refused_with_its_reason(case: Case, request: pytest.FixtureRequest) -> None:
    """Status, ErrorInfo, BadRequest and text tell what is wrong, and nothing has changed."""
    wire: Wire = request.getfixturevalue(case.server)
    initialised = wire.init().flavor != pb.FLAVOR_UNSPECIFIED
    if initialised:
        prepare(wire)
    before = wire.state() if initialised else None
    with pytest.raises(grpc.RpcError) as raised:
        case.call(wire)
    seen = failure(raised.value)
    assert (seen.reason, seen.code, seen.domain) == (case.reason, case.code, "thalweg"), seen
    assert seen.fields == ([case.at] if case.at else seen.fields)
    assert seen.metadata == case.metadata
    assert seen.retry_seconds is None
    for text in case.says:
        assert text in seen.message
    if initialised and not case.changes:
        assert not difference(before, wire.state())


def test_the_table_knows_every_reason() -> None:
    """Each ErrorReason of the contract is provoked here, or named with why it is not."""
    elsewhere = {"OVERLOADED", "DRAINING"}  # below: these need a busy server
    known = {case.reason for case in CASES} | elsewhere | set(NOT_HERE)
    assert known == {name.removeprefix("ERROR_REASON_") for name, _ in pb.ErrorReason.items()}


def test_the_table_proves_state_unchanged_for_every_reason_that_promises_it() -> None:
    """Where a call can be refused at all, some case compares the state before and after."""
    proved = {case.reason for case in CASES if not case.changes}
    stateful = {"ESTIMATOR_FAILED", "STREAM_FENCED", "LIMIT_REACHED"}  # tests of their own
    assert proved >= {case.reason for case in CASES} - stateful


def test_a_busy_server_asks_for_patience(overloaded: Wire) -> None:
    """Too many waiting calls: OVERLOADED, with the time to wait, and nothing was done."""
    with refused("OVERLOADED") as seen:
        overloaded.learn("slow", 99.0)
    assert seen[0].code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert seen[0].retry_seconds == 1.0
    assert "2 calls" in seen[0].message
    until(lambda: overloaded.live("slow").learned == 3)
    assert overloaded.estimator("slow").targets == [1.0] * 3


def test_streams_are_held_back_and_never_overloaded(overloaded: Wire) -> None:
    """OVERLOADED is for unary calls: streaming ones wait for their turn."""
    with overloaded.stream() as stream:
        assert stream.open("s").last_applied_sequence == 0
        assert stream.learn(batch(1, [row("slow", 2.0)])).learned == 1
    watch = overloaded.stub.WatchScores(pb.WatchScoresRequest(glob="*"), timeout=SECONDS)
    assert next(watch).model == "slow"
    watch.cancel()


def test_a_busy_server_lets_server_streams_wait(overloaded: Wire) -> None:
    """PredictMany and DownloadModel are no unary calls either."""
    assert overloaded.predict_many(glob="*")[0].models == ["slow"]
    assert overloaded.download("slow")


def test_a_draining_server_turns_calls_away(draining: Wire) -> None:
    """New calls get UNAVAILABLE and DRAINING, and it is safe to repeat them."""
    with refused("DRAINING") as seen:
        draining.learn("slow", 99.0)
    assert seen[0].code is grpc.StatusCode.UNAVAILABLE
    assert "another server" in seen[0].message
    with refused("DRAINING"), draining.stream() as stream:
        stream.open()
    assert 99.0 not in draining.estimator("slow").targets


UNARY = [
    ("UploadModel", pb.UploadModelRequest()),
    ("Predict", pb.PredictRequest()),
    ("Learn", pb.LearnRequest()),
    ("ListModels", pb.ListModelsRequest()),
    ("GetModel", pb.GetModelRequest()),
    ("DeleteModel", pb.DeleteModelRequest()),
]
SERVER_STREAMS = [
    ("PredictMany", pb.PredictManyRequest()),
    ("DownloadModel", pb.DownloadModelRequest()),
    ("WatchScores", pb.WatchScoresRequest(models=["a"], glob="b")),
]


def test_before_init_nothing_but_init_answers(uninitialised: Wire) -> None:
    """Every other rpc is NOT_INITIALISED, whatever else is wrong with the request."""
    stub = uninitialised.stub
    for name, request in UNARY:
        with refused("NOT_INITIALISED") as seen:
            getattr(stub, name)(request, timeout=SECONDS)
        assert seen[0].code is grpc.StatusCode.FAILED_PRECONDITION, name
    for name, request in SERVER_STREAMS:
        with refused("NOT_INITIALISED"):
            list(getattr(stub, name)(request, timeout=SECONDS))
    with refused("NOT_INITIALISED"), uninitialised.stream() as stream:
        stream.open()
    uninitialised.init(pb.FLAVOR_REGRESSION)
    assert uninitialised.names() == []


NAMES = [
    'says "hi"',
    "it's",
    "two\nlines",
    "tab\tand \\ backslash",
    "\x00nul",
    "😀🧊" * 32,
    "ünï/cödé",
    " ",
    "[a-z]",
    "x" * 256,
    "None",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_without_glob_characters_works(name: str, regression: Wire) -> None:
    """Quotes, newlines, emoji and 256 bytes are fine in names of models and candidates."""
    wire = regression
    wire.upload(name, linear(), name)
    assert wire.learn(name, 1.0, {name: 2.0}).model == name
    assert wire.predict(name, {name: 2.0}, candidate=name).candidate == name
    assert wire.names(glob=name) == [name]
    assert wire.get(name).champion == name
    with refused("CANDIDATE_EXISTS"):
        wire.upload(name, linear(), name)
    wire.delete(name, name)
    assert wire.names() == []


def test_one_bad_row_among_a_thousand_leaves_999_learned(regression: Wire) -> None:
    """The ack names the row, its reason and its value, and the rest is learned."""
    wire = regression
    wire.upload("m", Constant())
    rows = [row("m", float(i)) for i in range(1000)]
    rows[500] = row("m", float("nan"))
    with wire.stream() as stream:
        stream.open("s")
        ack = stream.learn(batch(1, rows))
    assert (ack.learned, ack.error_count, ack.duplicates) == (999, 1, 0)
    assert [(e.row, e.reason) for e in ack.errors] == [(500, pb.ERROR_REASON_BAD_TARGET)]
    assert "nan" in ack.errors[0].message
    assert wire.get("m").learned == wire.live("m").learned == 999


def test_a_long_error_in_any_script_still_arrives_with_its_reason(regression: Wire) -> None:
    """Texts are cut so that trailers stay within what every client accepts."""
    wire = regression
    for i in range(4):
        wire.upload("m", Loud(), f"c{i}")
    with refused("ESTIMATOR_FAILED") as seen:
        wire.learn("m", 1.0)
    assert seen[0].code is grpc.StatusCode.FAILED_PRECONDITION
    assert "RuntimeError: 😀" in seen[0].message
    with refused("ESTIMATOR_FAILED"):
        wire.stub.Predict(question("m"), timeout=SECONDS)


class Loud(Constant):
    """Raises at length."""

    def learn_one(self, x: object, y: object) -> None:
        """Raise."""
        raise RuntimeError("😀" * 5_000)

    predict_one = learn_one  # type: ignore[assignment]


def predict_one_raises(self: Loud, x: object) -> None:
    """Raise, with the signature that predict_one has."""
    raise RuntimeError("😀" * 5_000)


Loud.predict_one = predict_one_raises  # type: ignore[method-assign,assignment]
