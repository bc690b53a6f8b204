"""While one model hangs, others answer; what was acknowledged outlives whatever becomes of it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from river import compose, linear_model, preprocessing, tree

from tests.conftest import StartServer
from tests.scraping import read, value
from tests.wire import SECONDS, Wire, question, refused, row
from tests.workers.conftest import limits
from tests.workers.misbehaving import Misbehaving
from thalweg.v1 import forecaster_pb2 as pb
from thalweg_server.background import BackgroundServer
from thalweg_server.config import Config, Patience
from thalweg_server.core.observation import Flavor
from thalweg_server.core.policy import Origin, Policy
from thalweg_server.engines.compiled import CompiledEngine
from thalweg_server.engines.compiled.cache import KernelCache
from thalweg_server.engines.compiled.fleet import Fleets
from thalweg_server.workers import WorkerEngine, Zygote

pytestmark = pytest.mark.timeout(600)  # a kernel's first compilation takes a while

HANG_SECONDS = 2.0
BAD, X = {"bad": True}, {"a": 1.0}

HANGS: dict[str, Callable[[Wire, str], Any]] = {
    "predict": lambda wire, model: wire.stub.Predict.future(question(model, BAD), timeout=SECONDS),
    "learn": lambda wire, model: wire.stub.Learn.future(row(model, 1.0, BAD), timeout=SECONDS),
}


@pytest.fixture
def wire(kernels: KernelCache, zygote: Zygote) -> Iterator[Wire]:
    """A server with models of two uploaders and of none, in the river engine and the compiled."""
    patience = Patience(cpu_seconds=20.0, wall_seconds=HANG_SECONDS)
    workers = WorkerEngine(zygote, limits(call=patience))
    engine = CompiledEngine(workers, Fleets(kernels))
    config = Config(flavor=Flavor.REGRESSION, port=0, metrics_port=0)
    with (
        BackgroundServer(config, engine=engine) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        wire = Wire(server, channel)
        for when in HANGS:
            upload_as(wire, "eve", f"hangs in {when}", Misbehaving("sleep", when))
        upload_as(wire, "eve", "eve's", Misbehaving())
        upload_as(wire, "bob", "bob's", Misbehaving())
        upload_as(wire, "bob", "naps", Misbehaving("nap"))
        upload_as(wire, "", "tree", tree.HoeffdingTreeRegressor())
        linear = preprocessing.StandardScaler() | linear_model.LinearRegression()
        upload_as(wire, "", "compiled", compose.Select("a") | linear)
        for model in wire.names():
            wire.learn(model, 3.0, X)
            wire.predict(model, X)
        assert wire.get("compiled").candidates[0].engine == "compiled"
        yield wire


def upload_as(wire: Wire, uploader: str, model: str, estimator: Any) -> None:
    """Uploads code of somebody, or what holds none for nobody."""
    origin = Origin(Policy.TRUSTED, uploader) if uploader else Origin()
    forecaster: Any = wire.server.server._forecaster
    forecaster._origin = lambda _: origin
    wire.upload(model, estimator)


def begun(wire: Wire, when: str) -> Any:
    """A call that hangs, and has begun to."""
    hang = HANGS[when](wire, f"hangs in {when}")
    hosts = wire.engine._river._house._hosts
    end = time.monotonic() + SECONDS
    while not hosts["trusted:eve"].busy:
        assert time.monotonic() < end
        time.sleep(0.001)
    return hang


def asked(wire: Wire, model: str) -> Any:
    """A question under way."""
    return wire.stub.Predict.future(question(model, X), timeout=SECONDS)


def answer(call: Any) -> float:
    """What it was answered."""
    number: float = call.result().prediction.value
    return number


@pytest.mark.parametrize("when", HANGS)
def test_others_are_answered_while_one_hangs(when: str, wire: Wire) -> None:
    """Compiled ones and River's, of other uploaders and of none; they are described as well."""
    before = {name: wire.predict(name, X).prediction.value for name in ("compiled", "tree")}
    hang = begun(wire, when)
    for _ in range(5):
        for name, number in before.items():
            assert wire.predict(name, X).prediction.value == number
        assert wire.predict("bob's", X).prediction.value == 3.0
    assert wire.get("tree").learned == 1
    assert wire.get("compiled").candidates[0].engine == "compiled"
    assert wire.get("bob's").candidates[0].state_bytes > 0
    assert len(wire.names()) == 7
    with refused("UNKNOWN_MODEL"):
        wire.predict("nobody")
    assert not hang.done()
    with refused("ESTIMATOR_FAILED") as failures:
        hang.result()
    assert f"it took longer than {HANG_SECONDS:g} s and was stopped" in failures[0].message


@pytest.mark.parametrize("when", HANGS)
def test_its_uploaders_others_are_answered_by_another_worker(when: str, wire: Wire) -> None:
    """Reads of the model that hangs wait for it; then they are answered, too."""
    hang = begun(wire, when)
    waits = asked(wire, f"hangs in {when}")
    reads = [asked(wire, "eve's"), asked(wire, "eve's")]
    described = wire.stub.GetModel.future(pb.GetModelRequest(model="eve's"), timeout=SECONDS)
    assert [answer(call) for call in reads] == [3.0, 3.0]
    assert described.result().info.candidates[0].state_bytes > 0
    assert not waits.done()
    assert not hang.done()
    assert answer(waits) == 3.0
    assert hang.exception() is not None
    wire.learn("eve's", 1.0, X)  # what the other worker has of it is out of date
    before = answer(asked(wire, "eve's"))
    hang = begun(wire, when)
    assert answer(asked(wire, "eve's")) == before != 3.0
    assert not hang.done()
    assert hang.exception() is not None


@pytest.mark.parametrize("when", HANGS)
def test_what_changes_comes_after(when: str, wire: Wire) -> None:
    """Learning, uploads, deletions and stored predictions keep their order behind the hang."""
    before = wire.predict("tree", X).prediction.value
    hang = begun(wire, when)
    stub = wire.stub
    changes = [
        stub.Learn.future(row("tree", 5.0, X), timeout=SECONDS),
        stub.Learn.future(row("bob's", 4.0, X), timeout=SECONDS),
        stub.Predict.future(question("tree", X, prediction_id="p"), timeout=SECONDS),
        stub.DeleteModel.future(pb.DeleteModelRequest(model="naps"), timeout=SECONDS),
    ]
    for _ in range(20):
        assert wire.predict("bob's", X).prediction.value == 3.0
    assert wire.get("naps").learned == 1
    assert not any(change.done() for change in (*changes, hang))
    assert changes[0].result().learned == 2
    assert changes[1].result().candidates[0].prediction.value == 3.0
    after = wire.predict("tree", X).prediction.value
    assert answer(changes[2]) in (before, after)  # two calls at once: whichever came first
    changes[3].result()
    assert hang.done()
    assert wire.predict("bob's", X).prediction.value == 7.0
    assert wire.names() == [
        "bob's",
        "compiled",
        "eve's",
        "hangs in learn",
        "hangs in predict",
        "tree",
    ]
    assert wire.learn("tree", 6.0, prediction_id="p").learned == 3


@pytest.mark.parametrize("when", HANGS)
def test_reads_within_reads(when: str, wire: Wire) -> None:
    """While one waits for eve, many wait for bob, and others for neither."""
    names = ("tree", "bob's", "compiled")
    expected = [wire.predict(name, X).prediction.value for name in names]
    hang = begun(wire, when)
    naps = [wire.stub.Predict.future(question("naps", BAD), timeout=SECONDS) for _ in range(4)]
    others = [asked(wire, name) for _ in range(10) for name in names]
    assert [answer(call) for call in naps] == [3.0] * 4
    assert [answer(call) for call in others] == expected * 10
    assert hang.exception().code() is grpc.StatusCode.FAILED_PRECONDITION
    assert not wire.server.server.failure


def test_strikes_and_quarantine_are_told(wire: Wire) -> None:
    """By GetModel and ListModels, to whoever predicts and learns, and to Prometheus."""
    telemetry = wire.server.server._telemetry
    first = read(telemetry)
    assert value(first, "thalweg_workers") == 3
    for count in range(4):
        (candidate,) = wire.get("hangs in predict").candidates
        assert candidate.strikes == count
        assert bool(candidate.quarantined) == (count == 3)
        if count < 3:
            with refused("ESTIMATOR_FAILED") as failures:
                wire.predict("hangs in predict", BAD)
            assert f"(strike {count + 1} of 3)" in failures[0].message
    reason = candidate.quarantined
    assert reason == (
        "stopped 3 times, the last time because it took longer than 2 s and was stopped; "
        "replace or delete it"
    )
    with refused("ESTIMATOR_FAILED") as failures:
        wire.predict("hangs in predict", X)
    assert f"Quarantined: {reason}" in failures[0].message
    with refused("ESTIMATOR_FAILED") as failures:
        wire.learn("hangs in predict", 1.0, X)
    listed = {info.model: info.candidates[0].quarantined for info in wire.list().models}
    assert listed["hangs in predict"] == reason
    assert not listed["eve's"]
    wire.predict("eve's", X)
    samples = read(telemetry)
    assert value(samples, "thalweg_workers") == 3
    assert value(samples, "thalweg_workers_replaced_total") == 3
    assert value(samples, "thalweg_candidate_strikes_total") == 3
    assert value(samples, "thalweg_quarantined_candidates") == 1
    wire.delete("hangs in predict")
    assert value(read(telemetry), "thalweg_quarantined_candidates") == 0


def grown(start_server: StartServer, connect: Callable[[BackgroundServer], Wire], at: Path) -> Wire:
    """A durable server with a candidate in quarantine, one beside it and another model."""
    wire = connect(start_server(data_dir=at, workers=limits()))
    wire.upload("m", Misbehaving("leave", "learn"), "bad")
    wire.upload("m", Misbehaving("fail", "never"), "good")
    wire.upload("t*", Misbehaving("leave"), template=True)
    wire.upload("other", tree.HoeffdingTreeRegressor())
    for number in range(12):
        wire.learn("m", float(number), BAD if number in (3, 5, 7) else X)
        wire.learn("other", float(number), {"a": float(number)})
        wire.learn(f"t{number}", 1.0, X)
    return wire


def told(wire: Wire) -> list[Any]:
    """All that a restart must not change."""
    infos = [wire.get(name) for name in wire.names()]
    for info in infos:
        for candidate in info.candidates:
            candidate.ClearField("state_bytes")
            candidate.ClearField("strikes")  # of the process, where a snapshot does not hold them
    answers = [wire.predict("m", X, candidate="good"), wire.predict("other", {"a": 4.5})]
    return [*map(str, infos), *map(str, answers)]


@pytest.mark.parametrize("again", ["killed", "stopped"])
def test_quarantine_and_all_that_was_acknowledged_outlive_the_server(
    again: str,
    tmp_path: Path,
    start_server: StartServer,
    connect: Callable[[BackgroundServer], Wire],
) -> None:
    """The next one says and answers the same, whether the last one had time to stop or not."""
    wire = grown(start_server, connect, tmp_path / "data")
    bad, good = wire.get("m").candidates
    assert bad.quarantined.startswith("stopped 3 times, the last time because its worker ended")
    assert (good.quarantined, good.learned) == ("", 12)
    assert wire.predict("m", X, candidate="good").prediction.value == float(sum(range(12)))
    with refused("ESTIMATOR_FAILED"):
        wire.predict("m", X, candidate="bad")
    before = told(wire)
    if again == "stopped":
        wire.server.stop()
    shutil.copytree(tmp_path / "data", tmp_path / "copy")  # as a power cut would leave it
    patient = limits(strikes_max=100)  # by strikes alone it would not be in quarantine
    wire = connect(start_server(data_dir=tmp_path / "copy", workers=patient))
    assert told(wire) == before
    assert value(read(wire.server.server._telemetry), "thalweg_quarantined_candidates") == 1
    with refused("ESTIMATOR_FAILED") as failures:
        wire.predict("m", X, candidate="bad")
    assert f"Quarantined: {bad.quarantined}" in failures[0].message


def test_a_replacement_lifts_the_quarantine(
    tmp_path: Path, start_server: StartServer, connect: Callable[[BackgroundServer], Wire]
) -> None:
    """For good: also after a restart."""
    wire = grown(start_server, connect, tmp_path / "data")
    wire.upload("m", Misbehaving("fail", "never"), "bad", replace=True)
    for _ in range(2):
        info = {c.candidate: c for c in wire.get("m").candidates}["bad"]
        assert (info.quarantined, info.strikes) == ("", 0)
        assert wire.predict("m", BAD, candidate="bad").prediction.value == info.learned
        wire.learn("m", 1.0, BAD)
        wire.server.stop()
        wire = connect(start_server(data_dir=tmp_path / "data", workers=limits()))
    assert wire.predict("m", BAD, candidate="bad").prediction.value == 2.0


def test_clones_that_misbehave_condemn_their_template(
    tmp_path: Path, start_server: StartServer, connect: Callable[[BackgroundServer], Wire]
) -> None:
    """Whoever begins as they did is not asked, in this server and the next."""
    wire = grown(start_server, connect, tmp_path / "data")
    for number in range(3):
        with refused("ESTIMATOR_FAILED"):
            wire.predict(f"t{number}", BAD)
    for _ in range(2):
        with refused("ESTIMATOR_FAILED") as failures:
            wire.predict("t of tomorrow", X)
        assert "candidates that begin as it did were stopped 3 times" in failures[0].message
        assert wire.get("t*", template=True).candidates[0].quarantined
        wire.server.stop()
        wire = connect(start_server(data_dir=tmp_path / "data", workers=limits()))
