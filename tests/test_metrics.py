"""What Prometheus sees of a running server, over HTTP, right after an ack."""

from __future__ import annotations

from urllib.request import urlopen

import dill
from prometheus_client.parser import text_string_to_metric_families
from river import linear_model, metrics

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
