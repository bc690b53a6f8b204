"""What Prometheus sees of a running server, over HTTP, right after an ack."""

from __future__ import annotations

import queue
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import dill
import pytest
from prometheus_client.parser import text_string_to_metric_families
from river import dummy, linear_model, metrics, stats

from tests.conftest import Connect, StartServer
from tests.estimators import Nan
from tests.wire import batch, opening, payload, question, row
from thalweg.v1 import forecaster_pb2 as pb
from thalweg.v1.forecaster_pb2_grpc import ForecasterStub
from thalweg_server.background import BackgroundServer

NAMES = ["plain", 'quo"ted', "back\\slash", "new\nline", "émoji 🦆", "n" * 256]


def scrape(server: BackgroundServer) -> dict[tuple[str, str], float]:
    """Series by (metric, model) and, without a model, by (metric, "")."""
    with urlopen(f"http://{server.metrics_address}/metrics") as page:
        text = page.read().decode()
    return {
        (sample.name, sample.labels.get("model", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_mae_equals_rivers_right_after_the_ack(
    server: BackgroundServer, stub: ForecasterStub
) -> None:
    """After each ack, every model's MAE is river.metrics.MAE of the same pairs, bit for bit."""
    payload = dill.dumps(linear_model.LinearRegression(), recurse=True)
    stub.UploadModel(pb.UploadModelRequest(model="*", payload=payload, template=True))
    loops = {name: (linear_model.LinearRegression(), metrics.MAE()) for name in NAMES}
    for n in range(1, 6):
        xs, ys = [0.1 * n + i for i in range(6)], [n / 3 + i for i in range(6)]
        column = pb.Column(numbers=pb.NumberColumn(values=xs))
        body = pb.LearnColumns(models=NAMES, target=ys, features={"x": column})
        opened = pb.StreamLearnRequest(open=pb.StreamOpen())
        batch = pb.StreamLearnRequest(columns=body, sequence=1)
        [_, answer] = stub.StreamLearn(iter([opened, batch]))
        assert answer.ack.learned == len(NAMES)
        series = scrape(server)
        for name, x, y in zip(NAMES, xs, ys, strict=True):
            model, mae = loops[name]
            mae.update(y, model.predict_one({"x": x}))
            model.learn_one({"x": x}, y)
            assert series["thalweg_model_mae", name] == mae.get()
            assert series["thalweg_model_learned_total", name] == n


def test_calls_are_counted_under_the_usual_names(
    server: BackgroundServer, stub: ForecasterStub
) -> None:
    """grpc_server_* counters have what go-grpc-middleware calls them, by code."""
    stub.Init(pb.InitRequest())
    with urlopen(f"http://{server.metrics_address}/metrics") as page:
        text = page.read().decode()
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    labels = {
        "grpc_type": "unary",
        "grpc_service": "thalweg.v1.Forecaster",
        "grpc_method": "Init",
    }
    assert [s.value for s in samples if s.labels == {**labels, "grpc_code": "OK"}] == [1.0]
    started = [s.value for s in samples if s.name == "grpc_server_started_total"]
    assert started == [1.0]


SECONDS_MAX = 30.0

AGREED = """
    thalweg_absolute_error_total counter candidate
    thalweg_scored_predictions_total counter candidate
    thalweg_nonfinite_predictions_total counter candidate
    thalweg_champion_switches_total counter candidate
    thalweg_group_absolute_error_total counter candidate group
    thalweg_group_scored_predictions_total counter candidate group
    thalweg_group_learned_through_timestamp_seconds gauge group
    thalweg_champions gauge candidate
    thalweg_champion_mae histogram
    thalweg_candidates gauge engine
    thalweg_learn_rows_total counter outcome
    thalweg_models gauge
    thalweg_templates gauge
    thalweg_pending_predictions gauge
    thalweg_last_learned_timestamp_seconds gauge
    thalweg_ready gauge
    thalweg_waiting_calls gauge
    thalweg_open_streams gauge
    thalweg_stream_waiting_rows gauge
    thalweg_batch_duration_seconds histogram
    thalweg_workers gauge
    thalweg_workers_resident_memory_bytes gauge
    thalweg_workers_replaced_total counter
    thalweg_candidate_strikes_total counter
    thalweg_quarantined_candidates gauge
    thalweg_model_series_truncated gauge
    thalweg_build_info gauge python river version
    thalweg_model_mae gauge candidate model
    thalweg_model_mae_recent gauge candidate model
    thalweg_model_champion gauge candidate model
    thalweg_model_learned_total counter model
    thalweg_model_learned_through_timestamp_seconds gauge model
"""
"""Names, types and labels that dashboards and alerts are made of."""

DURABLE = """
    thalweg_log_commit_duration_seconds histogram
    thalweg_durability_lag_seconds gauge
    thalweg_log_entries_since_snapshot gauge
    thalweg_snapshot_failures_total counter
    thalweg_snapshot_timestamp_seconds gauge
    thalweg_snapshot_duration_seconds gauge
    thalweg_snapshot_size_bytes gauge
"""
"""Those of a server with a data directory that has taken a snapshot."""


def page_of(server: BackgroundServer) -> str:
    """The page as it is sent."""
    with urlopen(f"http://{server.metrics_address}/metrics") as page:
        text: str = page.read().decode()
    return text


def described(text: str) -> set[tuple[str, ...]]:
    """Name, type and labels of each of our families that has series."""
    found = set()
    for family in text_string_to_metric_families(text):
        if family.name.startswith("thalweg_") and family.samples:
            name = family.name + "_total" * (family.type == "counter")
            labels = {label for sample in family.samples for label in sample.labels} - {"le"}
            found.add((name, family.type, *sorted(labels)))
    return found


def listed(text: str) -> set[tuple[str, ...]]:
    """The same of one of the lists above."""
    return {tuple(line.split()) for line in text.splitlines() if line.strip()}


def until(server: BackgroundServer, name: str, wanted: float) -> None:
    """Waits for a series without labels to have a value."""
    deadline = time.monotonic() + SECONDS_MAX
    while (found := scrape(server).get((name, ""))) != wanted:
        assert time.monotonic() < deadline, f"{name} is {found}, not {wanted}"
        time.sleep(0.02)


@contextmanager
def held(server: BackgroundServer) -> Iterator[Callable[[], None]]:
    """Keeps the models' thread busy until the function is called, or the block is left."""
    begun, over = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        over.wait(SECONDS_MAX)

    server.loop.call_soon_threadsafe(server.server.models_thread.slice, work)
    assert begun.wait(SECONDS_MAX)
    try:
        yield over.set
    finally:
        over.set()


def taught(stub: ForecasterStub) -> None:
    """Two candidates, one of which kernels run, and some days learned."""
    for name, estimator in (("mean", dummy.StatisticRegressor(stats.Mean())), ("nan", Nan())):
        upload = pb.UploadModelRequest(model="*", candidate=name, payload=payload(estimator))
        upload.template = True
        stub.UploadModel(upload)
    rows = [row("HOBBIES_1_001_CA_1", float(day), date=f"2016-05-{day:02}") for day in (1, 2, 3)]
    [_, _] = stub.StreamLearn(iter([opening(), batch(1, rows)]))


def test_a_page_has_what_dashboards_are_made_of(
    start_server: StartServer, connect: Connect
) -> None:
    """Every agreed series with its type and labels, and no other of ours; nothing durable."""
    server = start_server(metrics_group="m5")
    before = time.time()
    taught(connect(server).stub)
    text = page_of(server)
    assert described(text) == listed(AGREED)
    for line in """
        thalweg_candidates{engine="compiled"} 1.0
        thalweg_candidates{engine="river"} 1.0
        thalweg_group_scored_predictions_total{candidate="mean",group="HOBBIES_1/CA_1"} 3.0
        thalweg_group_learned_through_timestamp_seconds{group="HOBBIES_1/CA_1"} 1.4622336e+09
        thalweg_model_learned_through_timestamp_seconds{model="HOBBIES_1_001_CA_1"} 1462233600
        thalweg_batch_duration_seconds_count 1.0
        thalweg_ready 1.0
        thalweg_templates 1.0
    """.strip().splitlines():
        assert line.strip() in text
    samples = scrape(server)
    assert before <= samples["thalweg_last_learned_timestamp_seconds", ""] <= time.time()
    assert samples["thalweg_workers_resident_memory_bytes", ""] > 1e6


def test_a_durable_server_tells_of_its_log_and_its_snapshots(
    start_server: StartServer, connect: Connect, tmp_path: Path
) -> None:
    """Those series come on top; a snapshot's come with the first."""
    settings = {"snapshot_learning_seconds": 0.0, "snapshot_pause_seconds": 0.0}
    server = start_server(data_dir=tmp_path, **settings)
    taught(connect(server).stub)
    deadline = time.monotonic() + SECONDS_MAX
    while described(page_of(server)) != listed(AGREED + DURABLE):
        assert time.monotonic() < deadline, described(page_of(server)) ^ listed(AGREED + DURABLE)
        time.sleep(0.05)
    samples = scrape(server)
    assert samples["thalweg_log_commit_duration_seconds_count", ""] >= 3
    assert samples["thalweg_durability_lag_seconds", ""] == 0.0


@pytest.mark.system
def test_promtool_finds_nothing_to_say(
    start_server: StartServer, connect: Connect, tmp_path: Path
) -> None:
    """Prometheus' own linter, on the page of a server that has learned."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("there is no promtool: apt-get install prometheus")
    server = start_server(data_dir=tmp_path)
    taught(connect(server).stub)
    done = subprocess.run(
        [promtool, "check", "metrics"],
        input=page_of(server),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_streams_and_their_rows_are_counted_while_they_last(
    server: BackgroundServer, stub: ForecasterStub
) -> None:
    """Open from the call's begin to its end; rows until they are applied; batches when acked."""
    stub.UploadModel(pb.UploadModelRequest(model="a", payload=payload(Nan())))
    requests: queue.SimpleQueue[pb.StreamLearnRequest | None] = queue.SimpleQueue()
    until(server, "thalweg_open_streams", 0)
    responses = stub.StreamLearn(iter(requests.get, None))
    requests.put(opening())
    next(responses)
    until(server, "thalweg_open_streams", 1)
    with held(server):
        requests.put(batch(1, [row("a", 1.0)] * 5))
        requests.put(batch(2, [row("a", 1.0), row("a", float("nan"))]))
        until(server, "thalweg_stream_waiting_rows", 7)
        assert scrape(server)["thalweg_batch_duration_seconds_count", ""] == 0
        time.sleep(0.05)
    assert [next(responses).ack.sequence for _ in range(2)] == [1, 2]
    until(server, "thalweg_stream_waiting_rows", 0)
    samples = scrape(server)
    assert samples["thalweg_batch_duration_seconds_count", ""] == 2
    assert samples["thalweg_batch_duration_seconds_sum", ""] >= 2 * 0.05
    requests.put(batch(9, [row("a", 1.0)]))  # out of order: it ends the stream
    with pytest.raises(Exception, match="batch 9 came where 3 was expected"):
        next(responses)
    until(server, "thalweg_open_streams", 0)
    until(server, "thalweg_stream_waiting_rows", 0)
    assert scrape(server)["thalweg_batch_duration_seconds_count", ""] == 2


def test_calls_that_wait_for_the_models_are_counted(
    server: BackgroundServer, stub: ForecasterStub
) -> None:
    """Those that read and those that learn."""
    stub.UploadModel(pb.UploadModelRequest(model="a", payload=payload(Nan())))
    with held(server):
        calls = [stub.Predict.future(question("a")) for _ in range(3)]
        calls += [stub.Learn.future(row("a", 1.0)) for _ in range(2)]
        until(server, "thalweg_waiting_calls", 5)
    for call in calls:
        call.result(SECONDS_MAX)
    until(server, "thalweg_waiting_calls", 0)


def test_a_server_that_drains_is_not_ready(start_server: StartServer, connect: Connect) -> None:
    """The page is served until the last batch is acked."""
    server = start_server()
    stub = connect(server).stub
    stub.UploadModel(pb.UploadModelRequest(model="a", payload=payload(Nan())))
    requests: queue.SimpleQueue[pb.StreamLearnRequest | None] = queue.SimpleQueue()
    responses = stub.StreamLearn(iter(requests.get, None))
    requests.put(opening())
    next(responses)
    until(server, "thalweg_ready", 1)
    with held(server):
        requests.put(batch(1, [row("a", 1.0)]))
        until(server, "thalweg_stream_waiting_rows", 1)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        until(server, "thalweg_ready", 0)
    stopping.join()
    requests.put(None)
