"""What a server logs: a process's stderr, and the ring of recent events."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import grpc
import pytest

import thalweg
from tests.callers.conftest import TokenFile
from tests.cli.test_serve import serving
from tests.conftest import Connect, StartServer
from tests.wire import SECONDS, Stream, columns, payload, question, refused, row
from tests.workers.conftest import limits
from tests.workers.misbehaving import Misbehaving
from thalweg.cli.group import explained
from thalweg.v1 import forecaster_pb2 as pb
from thalweg.v1 import forecaster_pb2_grpc
from thalweg_server.background import BackgroundServer
from thalweg_server.callers.identity import Role
from thalweg_server.core.limits import Limits
from thalweg_server.logs import Recent, Seldom
from thalweg_server.logs.recent import EVENTS_MAX
from thalweg_server.logs.tidying import CHARACTERS_MAX, tidy

Event = dict[str, Any]

SECRET_TEXT = "the-cargo-of-the-nightingale"
"""Within what is learned: the log must not tell it."""

ROWS = 500


class Story:
    """What one server process was asked for, and what it logged."""

    def __init__(self, folder: Path) -> None:
        self.file = TokenFile(folder / "tokens.json")
        self.token = self.file.add("shop", Role.ADMIN)
        self.answered: dict[str, str] = {}
        options = ("--log-level", "debug", "--log-format", "json")
        settings = {"THALWEG_PORT": "0", "THALWEG_TOKENS": str(self.file.path)}
        with serving(*options, **settings) as (process, where):
            with grpc.insecure_channel(where["address"]) as channel:
                self._play(forecaster_pb2_grpc.ForecasterStub(channel))
            self.file.add("late", Role.ADMIN)
            time.sleep(2.5)  # it looks once a second
            process.terminate()
            _, self.logged = process.communicate(timeout=SECONDS)

    def _play(self, stub: forecaster_pb2_grpc.ForecasterStub) -> None:
        ours = [("authorization", f"Bearer {self.token}")]
        named = [*ours, ("x-request-id", "order 66")]
        self._ask(stub.Init, pb.InitRequest(flavor=pb.FLAVOR_REGRESSION), ours)
        upload = pb.UploadModelRequest(model="m", payload=payload(_estimator()))
        self._ask(stub.UploadModel, upload, ours)
        self._ask(stub.Learn, row("m", 1.0, {"x": 1.0, SECRET_TEXT: 2.0}), ours)
        self._ask(stub.Predict, question("m", {"x": 1.0, SECRET_TEXT: 2.0}), named)
        self._ask(stub.Predict, question("nix", {"x": 1.0}), ours)
        self._ask(stub.Predict, question("m"), [("authorization", "Bearer thl_wrong")])
        self._ask(stub.Predict, question("m"), [*ours, ("x-request-id", "x" * 65)])
        self._ask(stub.DeleteModel, pb.DeleteModelRequest(model="m"), ours)
        self._ask(stub.Init, pb.InitRequest(flavor=pb.FLAVOR_REGRESSION, reset=True), ours)
        stream = stub.StreamLearn(
            iter([pb.StreamLearnRequest(open=pb.StreamOpen()), _batch(1), _batch(2)]),
            metadata=ours,
            timeout=SECONDS,
        )
        assert len(list(stream)) == 3

    def _ask(self, method: Any, request: Any, metadata: list[tuple[str, str]]) -> None:
        """Makes a call, and notes the id that it was answered with."""
        call = method.future(request, metadata=metadata, timeout=SECONDS)
        call.exception()
        self.answered[dict(call.trailing_metadata())["x-request-id"]] = call.code().name

    @property
    def events(self) -> list[Event]:
        """The lines, read."""
        return [json.loads(line) for line in self.logged.splitlines()]

    def of(self, event: str) -> list[Event]:
        """The lines of one event."""
        return [each for each in self.events if each["event"] == event]


def _estimator() -> Any:
    from river import linear_model

    return linear_model.LinearRegression()


def _batch(sequence: int) -> pb.StreamLearnRequest:
    ones = [1.0] * ROWS
    return columns(
        sequence, models=["m"], model_index=[0] * ROWS, target=ones, features={"x": ones}
    )


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """One process for all tests that read its log."""
    return Story(tmp_path_factory.mktemp("story"))


def test_every_line_is_json_that_begins_with_when_how_bad_and_what(story: Story) -> None:
    """The time is ISO 8601 in UTC."""
    for event in story.events:
        assert list(event)[:3] == ["at", "level", "event"]
        assert event["level"] in ("debug", "info", "warning", "error")
        at = datetime.fromisoformat(event["at"])
        assert at.tzinfo is not None and at.utcoffset().total_seconds() == 0  # type: ignore[union-attr]


def test_each_rpc_is_one_line_at_debug(story: Story) -> None:
    """With its code, its reason, its caller and its model, where it has them; no line per row."""
    told = [
        (each["method"], each["code"], each.get("reason"), each.get("caller"), each.get("model"))
        for each in story.of("rpc")
    ]
    assert told == [
        ("Init", "OK", None, "shop", None),
        ("UploadModel", "OK", None, "shop", "m"),
        ("Learn", "OK", None, "shop", "m"),
        ("Predict", "OK", None, "shop", "m"),
        ("Predict", "NotFound", "UNKNOWN_MODEL", "shop", "nix"),
        ("Predict", "Unauthenticated", "BAD_TOKEN", None, None),
        ("Predict", "OK", None, "shop", "m"),
        ("DeleteModel", "OK", None, "shop", "m"),
        ("Init", "OK", None, "shop", None),
        ("StreamLearn", "OK", None, "shop", None),
    ]
    assert all(each["level"] == "debug" and each["seconds"] > 0 for each in story.of("rpc"))
    (stream,) = [each for each in story.of("rpc") if each["method"] == "StreamLearn"]
    assert (stream["batches"], stream["rows"]) == (2, 2 * ROWS)
    assert len(story.events) < 30


def test_what_operators_want_to_know_is_told_at_info(story: Story) -> None:
    """From start to stop, each with what it is about, who did it and by which request."""
    told = [each for each in story.events if each["level"] != "debug"]
    assert [each["event"] for each in told] == [
        *("started", "initialised", "uploaded", "deleted", "reset", "reloaded"),
        *("draining", "stopped"),
    ]
    started, _, uploaded, deleted, reset, reloaded, *_ = told
    assert (started["flavor"], started["models"], started["storage"]) == (None, 0, "memory")
    assert re.fullmatch(r"127\.0\.0\.1:\d+", started["address"])
    assert (uploaded["model"], uploaded["candidate"]) == ("m", "default")
    assert uploaded["engine"] in ("river", "compiled")
    assert str(story.file.path) in reloaded["files"]
    for each in (uploaded, deleted, reset):
        assert each["caller"] == "shop"
        assert each["request_id"] in story.answered


def test_secrets_and_payloads_are_not_logged(story: Story) -> None:
    """Neither tokens, good or bad, nor what was uploaded, learned and asked."""
    for secret in (story.token, "thl_", "Bearer", SECRET_TEXT, "LinearRegression"):
        assert secret not in story.logged, secret


def test_a_request_id_is_the_callers_or_a_new_one(story: Story) -> None:
    """It is in the call's line and goes back to the caller, also where the call fails; one that
    is too long is replaced.
    """
    told = {each["request_id"] for each in story.of("rpc")}
    assert set(story.answered) < told
    assert len(told) == len(story.of("rpc"))
    assert story.answered["order 66"] == "OK"
    assert "x" * 65 not in told
    assert sorted(story.answered.values())[:2] == ["NOT_FOUND", "OK"]
    assert "UNAUTHENTICATED" in story.answered.values()


def said(code: str, **settings: Any) -> str:
    """Return what a process without a server says on stderr."""
    command = [sys.executable, "-c", f"from thalweg_server.logs import *\n{code}"]
    settings = {"stderr": subprocess.PIPE} | settings
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, **settings)
    return str(done.stdout) + str(done.stderr or "")


@pytest.mark.parametrize(
    ("level", "told"),
    [
        ("debug", ["a", "b", "c", "d"]),
        ("info", ["b", "c", "d"]),
        ("warning", ["c", "d"]),
        ("error", ["d"]),
    ],
)
def test_what_is_below_the_level_is_not_written(level: str, told: list[str]) -> None:
    """All the same, what is info or worse is kept for the live page."""
    lines = said(
        f"configure({level!r}, 'json')\n"
        "log().debug('a'); log().info('b'); log().warning('c'); log().error('d')\n"
        "print(*(each['event'] for each in recent().last()))"
    ).splitlines()
    assert lines[0] == "d c b"
    assert [json.loads(line)["event"] for line in lines[1:]] == told


def test_a_terminal_gets_text_and_everything_else_json() -> None:
    """Unless the form is said."""
    tell = "log().info('hello', world=1)"
    assert json.loads(said(f"configure('info', '')\n{tell}"))["world"] == 1
    assert said(f"configure('info', 'text')\n{tell}").split()[-2:] == ["hello", "world=1"]
    ours, theirs = pty.openpty()
    try:
        said(f"configure('info', '')\n{tell}", stderr=theirs)
        seen = os.read(ours, 4096).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert "hello" in seen and "{" not in seen


def test_lines_of_libraries_look_like_ours() -> None:
    """With their trace where they have one, and kept for the page without it."""
    lines = said(
        "configure('info', 'json')\n"
        "import logging\n"
        "logging.getLogger('grpc').info('about itself')\n"
        "try: 1 / 0\n"
        "except Exception: logging.getLogger('grpc').exception('it %s', 'broke')\n"
        "print(recent().last()[0]['event'], 'exception' in recent().last()[0])"
    ).splitlines()
    (line,) = lines[1:]
    assert lines[0] == "it broke False"
    assert json.loads(line)["event"] == "it broke"
    assert "ZeroDivisionError" in json.loads(line)["exception"]


def test_a_process_that_logs_in_its_own_way_keeps_that() -> None:
    """A server within it logs there, and has no ring of its own."""
    said_all = said(
        "import structlog\n"
        "structlog.configure(processors=[structlog.processors.KeyValueRenderer()])\n"
        "configure('info', 'json')\n"
        "log().info('ours')\n"
        "print(recent().last())"
    )
    assert said_all == "event='ours'\n[]\n"


def test_importing_the_server_configures_nothing() -> None:
    """That is for whoever runs it."""
    code = "import structlog, thalweg_server.server\nprint(structlog.is_configured())"
    assert said(code) == "False\n"


def test_values_are_plain_short_and_without_secrets() -> None:
    """Whatever they were: a line stays one line that anything can read."""
    event = {
        "at": "now",
        "level": "info",
        "event": "reading postgresql://me:hush@db/shop",
        "odd": float("nan"),
        "path": Path("/tmp/x"),
        "lines": "a\nb\x1b[31m",
        "long": "z" * 5_000,
        "token": "thl_abc-DEF_1 and password=hush'",
        "flag": True,
        "none": None,
        "count": 7,
    }
    tidied = dict(tidy(None, "", event))
    assert json.loads(json.dumps(tidied, allow_nan=False)) == tidied
    assert tidied.pop("long") == "z" * CHARACTERS_MAX + "…"
    assert tidied == {
        "at": "now",
        "level": "info",
        "event": "reading postgresql://***@db/shop",
        "odd": "nan",
        "path": "/tmp/x",
        "lines": "a\\nb\\x1b[31m",
        "token": "thl_*** and password=***'",
        "flag": True,
        "none": None,
        "count": 7,
    }


def test_the_ring_holds_the_last_events_newest_first() -> None:
    """Without debug lines; what is changed in an answer does not change the ring."""
    ring = Recent()
    for number in range(EVENTS_MAX + 5):
        ring(None, "", {"at": "", "level": "info", "event": str(number)})
        ring(None, "", {"at": "", "level": "debug", "event": "rpc"})
    assert [each["event"] for each in ring.last(2)] == [str(EVENTS_MAX + 4), str(EVENTS_MAX + 3)]
    assert len(ring.last(10 * EVENTS_MAX)) == EVENTS_MAX
    ring.last(1)[0]["event"] = "changed"
    assert ring.last(1)[0]["event"] == str(EVENTS_MAX + 4)


def test_of_many_events_of_a_kind_one_a_second_is_told() -> None:
    """The next one says how many were not; other kinds are told all the same."""
    seldom = Seldom()
    assert [seldom.left_out("a") for _ in range(1_000)] == [0, *[None] * 999]
    assert seldom.left_out("b") == 0
    time.sleep(1.05)
    assert seldom.left_out("a") == 999
    assert seldom.left_out("a") is None


def events(server: BackgroundServer, event: str) -> list[Event]:
    """Return what a server of this process told of one kind, newest first, once there is any."""
    deadline = time.monotonic() + SECONDS
    while not (found := [each for each in told_by(server) if each["event"] == event]):
        assert time.monotonic() < deadline, f"no {event}"
        time.sleep(0.05)
    return found


def told_by(server: BackgroundServer) -> Iterator[Event]:
    """Yield what was told since a server began: a process has one ring, and tests many servers."""
    for each in server.server.recent.last():
        yield each
        if each.get("address") == server.address:
            return


def test_a_limit_that_is_hit_is_told_once_a_second(
    start_server: StartServer, connect: Connect
) -> None:
    """With the reason and in the error's words, however often it is hit."""
    wire = connect(start_server(limits=Limits(models_max=1)))
    wire.upload("one", _estimator())
    for number in range(20):
        with refused("LIMIT_REACHED") as failures:
            wire.upload(f"more {number}", _estimator())
    hit = events(wire.server, "limit hit")
    assert 1 <= len(hit) <= 10
    assert (hit[0]["level"], hit[0]["reason"]) == ("warning", "LIMIT_REACHED")
    assert hit[0]["why"] == failures[0].message


def test_candidates_that_are_stopped_and_put_away_are_told(
    start_server: StartServer, connect: Connect
) -> None:
    """How many were, that their worker was replaced, and in the end which one is in quarantine."""
    wire = connect(start_server(workers=limits()))
    wire.upload("wild", Misbehaving("leave", "predict"))
    for _ in range(3):
        with refused("ESTIMATOR_FAILED"):
            wire.predict("wild", {"bad": True})
    (put_away,) = events(wire.server, "candidate quarantined")
    assert (put_away["model"], put_away["candidate"]) == ("wild", "default")
    assert put_away["why"].startswith("stopped 3 times")
    assert events(wire.server, "candidates stopped")[0]["times"] >= 1
    assert events(wire.server, "model workers replaced")[0]["workers"] >= 1


def test_a_snapshot_is_told_with_its_size(
    start_server: StartServer, connect: Connect, tmp_path: Path
) -> None:
    """And how long it took."""
    quick = {"snapshot_learning_seconds": 0.0, "snapshot_pause_seconds": 0.0}
    wire = connect(start_server(data_dir=tmp_path / "data", **quick))
    wire.upload("m", _estimator())
    wire.learn("m", 1.0, {"x": 1.0})
    written = events(wire.server, "snapshot written")[0]
    assert written["size_bytes"] > 0 and written["seconds"] > 0


def test_an_error_of_the_servers_own_names_the_request(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's error has its id, and the command line says it; an error that says what to do
    is told without.
    """
    server = start_server()

    def broken(*_: object, **__: object) -> None:
        raise ValueError("a mistake in the server")

    monkeypatch.setattr(server.server.service, "view", broken)
    with thalweg.Client(server.address) as client:
        with pytest.raises(thalweg.errors.Unknown) as raised:
            client.get_model("m")
        assert re.fullmatch(r"[0-9a-f]{32}", raised.value.request_id)
        assert (explained(raised.value) or "").endswith(
            f"a mistake in the server (the server's log names it by {raised.value.request_id})"
        )
        with pytest.raises(thalweg.errors.UnknownModel) as refusal:
            client.predict("m")
        assert refusal.value.request_id not in (explained(refusal.value) or "")
        assert refusal.value.request_id not in ("", raised.value.request_id)


def test_strangers_cannot_make_up_names_that_are_counted(
    start_server: StartServer, tmp_path: Path
) -> None:
    """Calls without a token of what is not in the contract are all one to metrics and log."""
    file = TokenFile(tmp_path / "tokens.json")
    file.add("shop", Role.ADMIN)
    server = start_server(tokens=file.path)
    with grpc.insecure_channel(server.address) as channel:
        for path in ("/a/b", "/thalweg.v1.Forecaster/Nix", "/other/Predict", "nothing"):
            with pytest.raises(grpc.RpcError) as refusal:
                channel.unary_unary(path)(b"", timeout=SECONDS)
            assert refusal.value.code() is not grpc.StatusCode.OK
    page = b"".join(server.server._telemetry.page()).decode()
    (labels,) = re.findall(r"grpc_server_started_total\{(.*)\}", page)
    assert 'grpc_method="unknown"' in labels and 'grpc_service="unknown"' in labels


async def test_the_asyncio_client_knows_the_id_too(server: BackgroundServer) -> None:
    """Of unary calls and of streams."""
    async with thalweg.aio.Client(server.address) as client:
        with pytest.raises(thalweg.errors.UnknownModel) as refusal:
            await client.predict("m")
        assert re.fullmatch(r"[0-9a-f]{32}", refusal.value.request_id)


def test_a_failed_stream_names_the_request(
    stub: forecaster_pb2_grpc.ForecasterStub, server: BackgroundServer
) -> None:
    """In its trailers, beside what it failed of."""
    stream = Stream(stub)
    stream.send(_batch(1))
    stream.acks_until_refused("STREAM_NOT_OPEN")
    with thalweg.Client(server.address) as client, pytest.raises(thalweg.ThalwegError) as failed:
        list(client.stream_learn([thalweg.Row(model="m", target=1.0)] * 3, stream_id="x" * 1_000))
    assert re.fullmatch(r"[0-9a-f]{32}", failed.value.request_id)
