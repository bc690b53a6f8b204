"""Clients that hold no code of ours: the contract and the server's reflection are enough."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import dill
from grpc_tools import protoc
from river import linear_model

from tests.conftest import StartServer
from thalweg_server.background import BackgroundServer

ROOT = Path(__file__).resolve().parent.parent
PAYLOAD = dill.dumps(linear_model.LinearRegression(), recurse=True)

STRANGER = """
import sys
import grpc
from thalweg.v1 import forecaster_pb2 as pb, forecaster_pb2_grpc

assert pb.__file__.startswith(sys.path[0]), pb.__file__
with grpc.insecure_channel(sys.argv[1]) as channel:
    stub = forecaster_pb2_grpc.ForecasterStub(channel)
    stub.Init(pb.InitRequest(flavor=pb.FLAVOR_REGRESSION))
    stub.UploadModel(pb.UploadModelRequest(model="m", payload=sys.stdin.buffer.read()))
    x = {"x": pb.Value(number=1.0)}
    before = stub.Predict(pb.PredictRequest(model="m", features=x))
    stub.Learn(pb.LearnRequest(model="m", features=x, target=pb.Value(number=2.0)))
    rows = pb.LearnRows(rows=[pb.LearnRequest(model="m", features=x, target=pb.Value(number=2.0))])
    answers = stub.StreamLearn(iter([
        pb.StreamLearnRequest(open=pb.StreamOpen(stream_id="s")),
        pb.StreamLearnRequest(sequence=1, rows=rows),
    ]))
    opened, acked = list(answers)
    after = stub.Predict(pb.PredictRequest(model="m", features=x))
    assert acked.ack.learned == 1
    assert before.prediction.value == 0.0 < after.prediction.value
    print(after.learned)
"""


def curl(server: BackgroundServer, rpc: str, *messages: dict[str, Any]) -> list[dict[str, Any]]:
    """Calls an rpc with `buf curl`, which learns the schema from the server's reflection."""
    command = [str(Path(sys.executable).with_name("buf")), "curl", "--protocol", "grpc"]
    url = f"http://{server.address}/thalweg.v1.Forecaster/{rpc}"
    done = subprocess.run(
        [*command, "--http2-prior-knowledge", "-d", "@-", url],
        input="\n".join(map(json.dumps, messages)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    decoder, text, answers = json.JSONDecoder(), done.stdout.strip(), []
    while text:
        answer, end = decoder.raw_decode(text)
        answers.append(answer)
        text = text[end:].strip()
    return answers


def test_buf_curl_teaches_a_model_through_reflection(start_server: StartServer) -> None:
    """Init, upload, Predict, Learn and StreamLearn work for a client that reads the reflection."""
    server = start_server(flavor=None)
    features = {"x": {"number": 1}}
    curl(server, "Init", {"flavor": "FLAVOR_REGRESSION"})
    curl(server, "UploadModel", {"model": "m", "payload": base64.b64encode(PAYLOAD).decode()})
    [before] = curl(server, "Predict", {"model": "m", "features": features})
    [learned] = curl(server, "Learn", {"model": "m", "features": features, "target": {"number": 2}})
    rows = {"rows": [{"model": "m", "features": features, "target": {"number": 2}}]}
    opened, acked = curl(server, "StreamLearn", {"open": {}}, {"sequence": 1, "rows": rows})
    [after] = curl(server, "Predict", {"model": "m", "features": features})
    assert before["prediction"] == {"value": 0}
    assert learned["scores"][0]["mae"] == 2
    assert (opened["opened"]["maxBatchRows"], acked["ack"]["learned"]) == (100_000, "1")
    assert after["prediction"]["value"] > 0
    assert after["learned"] == "2"


def test_a_client_generated_from_the_proto_alone_does_the_five_rpcs(
    start_server: StartServer, tmp_path: Path
) -> None:
    """Code that protoc makes from the .proto, run without this project, can do all it needs."""
    server = start_server(flavor=None)
    assert not protoc.main(
        [
            "protoc",
            f"--proto_path={ROOT / 'proto'}",
            f"--python_out={tmp_path}",
            f"--grpc_python_out={tmp_path}",
            "thalweg/v1/forecaster.proto",
        ]
    )
    for package in ("thalweg", "thalweg/v1"):  # regular packages, so that they come before ours
        (tmp_path / package / "__init__.py").touch()
    (tmp_path / "stranger.py").write_text(STRANGER)
    done = subprocess.run(
        [sys.executable, "stranger.py", server.address],
        cwd=tmp_path,
        input=PAYLOAD,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().strip() == "2"
