"""A server that is asked to stop, or has to because its disk fails, and what the next one knows."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

import thalweg
from tests.crash.conftest import StartHost
from tests.crash.host import QUICK, STOP_SECONDS_MAX
from tests.crash.load import Load
from tests.crash.points import FAILURES
from tests.crash.reference import QUESTIONS, Reference, values
from tests.crash.verdict import differences, lost
from thalweg import Row
from thalweg.errors import PredictionUsed

SEED = 6

FILE_BYTES_MAX = 400_000
"""Of any file of a server that runs out of room: some hundred commits."""

_Statuses = list[health_pb2.HealthCheckResponse.ServingStatus]
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@contextmanager
def watching(address: str) -> Iterator[_Statuses]:
    """What a server says of its health, until the connection ends; complete afterwards."""
    seen: _Statuses = []
    began = threading.Event()

    def watch() -> None:
        with grpc.insecure_channel(address) as channel:
            watch = health_pb2_grpc.HealthStub(channel).Watch
            try:
                for response in watch(health_pb2.HealthCheckRequest(), timeout=STOP_SECONDS_MAX):
                    seen.append(response.status)
                    began.set()
            except grpc.RpcError:
                began.set()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    began.wait()
    yield seen
    thread.join()


def last_words(log: str) -> str:
    """The one line that a server which had to stop left for people."""
    assert "Traceback" not in log
    lines = [line for line in log.splitlines() if line.startswith("thalweg: ")]
    assert log.splitlines()[-1:] == lines, log
    return lines[0]


def test_a_server_that_is_asked_to_stop_acknowledges_all_it_has_learned(
    make_host: StartHost,
) -> None:
    """Under load the real command exits with 0; clients finish on the next server, which is told
    nothing again that the first had learned.
    """
    host = make_host()
    command = [sys.executable, "-m", "thalweg_server", "--metrics-port", "0", "--json"]
    command += ["--uploads", "trusted", "--worker-import", "tests.estimators"]
    place = ["--port", str(host.port), "--data-dir", str(host.data_dir)]
    with Load(host, SEED) as load:
        with subprocess.Popen(
            [*command, *place], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline(), process.communicate()
            load.start()
            load.wait_for(60)
            process.terminate()
            _, log = process.communicate(timeout=STOP_SECONDS_MAX)
        assert (process.returncode, "Traceback" in log) == (0, False), log
        host.start()
        load.wait_for(10)
        load.finish()
        with host.client() as client:
            assert differences(load, client) == []
    assert not any(ack.resumed for ack in load.acks)
    assert not any(told.answer.duplicate for told in (*load.unary, *load.labelled))


@pytest.mark.parametrize("failure", FAILURES)
def test_a_commit_that_fails_is_not_acknowledged(make_host: StartHost, failure: str) -> None:
    """The caller gets UNAVAILABLE, health says NOT_SERVING, and the process ends with one line.

    What was acknowledged is there afterwards; what was not may be, and counts once.
    """
    host = make_host()
    host.start(crash=failure, nth=3)
    once = thalweg.Retry(attempts=1)
    with (
        watching(host.address) as health,
        thalweg.Client(host.address, retry=once, options=QUICK) as client,
    ):
        client.learn("unary", 1.0, {"a": 1.0, "b": 2.0}, request_id="first")
        with pytest.raises(thalweg.ThalwegError) as refused:
            client.learn("unary", 2.0, {"a": 2.0, "b": 1.0}, request_id="second")
        assert refused.value.code is grpc.StatusCode.UNAVAILABLE
        assert host.wait() == 1
    assert health == [SERVING, NOT_SERVING]
    assert last_words(host.log).startswith("thalweg: the event log failed")
    host.start()
    with host.client() as client:
        assert client.learn("unary", 1.0, {"a": 1.0, "b": 2.0}, request_id="first").duplicate
        again = client.learn("unary", 2.0, {"a": 2.0, "b": 1.0}, request_id="second")
        assert again.duplicate == (failure == "written_but_not_synced")
        assert again.learned == 2


def test_a_full_disk_loses_nothing_acknowledged(make_host: StartHost) -> None:
    """Under load, with a limit of the operating system's; there is room for the next server."""
    host = make_host()
    host.start(file_bytes_max=FILE_BYTES_MAX)
    with Load(host, SEED) as load:
        with watching(host.address) as health:
            load.start()
            assert host.wait() == 1
        assert health == [SERVING, NOT_SERVING]
        assert last_words(host.log).startswith("thalweg: the event log failed")
        acknowledged = load.acknowledged.copy()
        host.start()
        with host.client() as client:
            assert lost(load, client, acknowledged) == []
            load.wait_for(10)
            load.finish()
            assert differences(load, client) == []


def test_predictions_that_wait_for_their_label_survive_a_kill(make_host: StartHost) -> None:
    """What was handed out before is what is scored after, whatever was learned in between."""
    host = make_host()
    reference = Reference("labelled")
    rows = [
        Row(
            model="labelled", target=float(number % 3), features=question, prediction_id=f"{number}"
        )
        for number, question in enumerate({"a": q["a"], "b": q["b"]} for q in QUESTIONS)
    ]
    answers = []
    host.start()
    with host.client() as client:
        for row in rows:
            asked = client.predict(
                row.model, row.features, prediction_id=row.prediction_id, all_candidates=True
            )
            answers.append(values(asked.candidates))
            taught = Row(model="labelled", target=float(len(answers)), features=row.features)
            client.learn(taught.model, taught.target, taught.features)
            reference.learn(taught)
        for number, (row, stored) in enumerate(zip(rows, answers, strict=True)):
            if number % 3 == 0:
                host.kill()
                host.start()
            learned = client.learn("", row.target, prediction_id=row.prediction_id)
            assert values(learned.candidates) == stored
            reference.learn(row, stored)
            assert client.learn("", row.target, prediction_id=row.prediction_id).duplicate
        with pytest.raises(PredictionUsed):
            client.predict("labelled", rows[0].features, prediction_id=rows[0].prediction_id)
        assert reference.differences(client) == []
