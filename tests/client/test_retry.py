"""Which calls are repeated, and when they give up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import grpc
import pytest

from tests.client.conftest import AConnect, Connect, StartFake
from thalweg import Retry
from thalweg.errors import Cancelled, DeadlineExceeded, Draining, Overloaded, Unavailable

UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, "", None)
DRAINING = (grpc.StatusCode.UNAVAILABLE, "ERROR_REASON_DRAINING", None)
OVERLOADED = (grpc.StatusCode.RESOURCE_EXHAUSTED, "ERROR_REASON_OVERLOADED", 0.05)

SAFE = {
    "predict": lambda c: c.predict("m"),
    "predict with an id": lambda c: c.predict("m", prediction_id="p"),
    "learn": lambda c: c.learn("m", 1.0),
    "learn with a request id": lambda c: c.learn("m", 1.0, request_id="r"),
    "learn with a prediction id": lambda c: c.learn("", 1.0, prediction_id="p"),
    "init": lambda c: c.init("regression"),
    "predict_many": lambda c: list(c.predict_many(["m"])),
}
UNSAFE = {
    "init with reset": lambda c: c.init("regression", reset=True),
    "upload": lambda c: c.upload_model("m", b"bytes"),
}


@pytest.mark.parametrize("call", SAFE.values(), ids=SAFE)
def test_a_safe_call_is_repeated_over_a_bad_connection(
    fake_server: StartFake, connect: Connect, call: Callable[[Any], Any]
) -> None:
    """The same call twice has the effect of one."""
    server = fake_server(failures=[UNAVAILABLE, UNAVAILABLE])
    call(connect(server))
    assert len(server.fake.calls) == 3


def test_a_repeated_learn_is_known_by_its_id(fake_server: StartFake, connect: Connect) -> None:
    """Each call has one of its own, the same for all tries."""
    server = fake_server(failures=[UNAVAILABLE])
    client = connect(server)
    client.learn("m", 1.0)
    client.learn("m", 1.0)
    client.learn("", 1.0, prediction_id="p")
    first, again, other, predicted = [request.request_id for request in server.fake.requests]
    assert first == again != other
    assert len(first) == len(other) == 32
    assert predicted == ""


@pytest.mark.parametrize("call", UNSAFE.values(), ids=UNSAFE)
def test_an_unsafe_call_is_not_repeated(
    fake_server: StartFake, connect: Connect, call: Callable[[Any], Any]
) -> None:
    """It may have taken effect."""
    server = fake_server(failures=[UNAVAILABLE])
    with pytest.raises(Unavailable):
        call(connect(server))
    assert len(server.fake.calls) == 1


def test_a_call_that_a_stopping_server_cancels_is_repeated(
    fake_server: StartFake, connect: Connect
) -> None:
    """As gRPC does with a call that comes in just then; no handler has seen it."""
    server = fake_server(cancels=1)
    connect(server).learn("m", 1.0)
    assert len(server.fake.calls) == 2


def test_a_call_that_this_client_cancels_is_not_repeated(
    fake_server: StartFake, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing it ends calls for good."""
    server = fake_server()
    client = connect(server)
    monkeypatch.setattr(server.fake, "_enter", lambda *_: client.close())
    with pytest.raises(Cancelled):
        client.predict("m")


@pytest.mark.parametrize("failure", [DRAINING, OVERLOADED], ids=["draining", "overloaded"])
@pytest.mark.parametrize("call", [*SAFE.values(), *UNSAFE.values()], ids=[*SAFE, *UNSAFE])
def test_any_call_is_repeated_where_the_server_did_nothing(
    fake_server: StartFake, connect: Connect, call: Callable[[Any], Any], failure: Any
) -> None:
    """DRAINING and OVERLOADED promise that."""
    server = fake_server(failures=[failure])
    call(connect(server))
    assert len(server.fake.calls) == 2


def test_the_server_says_how_long_to_wait(fake_server: StartFake, connect: Connect) -> None:
    """RetryInfo outweighs a shorter wait of ours."""
    server = fake_server(failures=[(*OVERLOADED[:2], 0.3)])
    began = time.monotonic()
    connect(server).predict("m")
    assert time.monotonic() - began >= 0.3


def test_tries_are_counted(fake_server: StartFake, connect: Connect) -> None:
    """After the last one its error is raised as it is."""
    server = fake_server(failures=[DRAINING] * 10)
    with pytest.raises(Draining):
        connect(server, retry=Retry(attempts=3, first_delay=0.01)).predict("m")
    assert len(server.fake.calls) == 3


def test_no_retry_outlasts_the_deadline(fake_server: StartFake, connect: Connect) -> None:
    """A wait that would end too late is not begun: the server's own error is raised at once."""
    server = fake_server(failures=[(*OVERLOADED[:2], 30.0)])
    began = time.monotonic()
    with pytest.raises(Overloaded):
        connect(server).predict("m", timeout=1.0)
    assert time.monotonic() - began < 0.9


def test_other_errors_are_not_repeated(fake_server: StartFake, connect: Connect) -> None:
    """INVALID_ARGUMENT stays what it is."""
    server = fake_server(failures=[(grpc.StatusCode.INVALID_ARGUMENT, "", None)])
    with pytest.raises(Exception, match="scripted"):
        connect(server).predict("m")
    assert len(server.fake.calls) == 1


def test_a_slow_answer_is_a_deadline_exceeded(
    fake_server: StartFake, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The timeout of the client or of the call ends it."""
    server = fake_server()
    monkeypatch.setattr(server.fake, "_enter", lambda *_: time.sleep(0.5))
    with pytest.raises(DeadlineExceeded):
        connect(server, timeout=0.1).predict("m")
    with pytest.raises(DeadlineExceeded):
        connect(server).predict("m", timeout=0.1)


def test_a_stream_is_not_repeated_after_its_first_message(
    fake_server: StartFake, connect: Connect
) -> None:
    """What was yielded cannot be taken back."""
    server = fake_server()
    parts = connect(server).predict_many(["a", "break"])
    assert next(parts).models == ("a",)
    with pytest.raises(Unavailable):
        next(parts)
    assert len(server.fake.calls) == 1


def test_waits_grow_and_differ() -> None:
    """Doubling, up to the longest, and never two clients in step."""
    policy = Retry(first_delay=1.0, longest_delay=8.0)
    for attempt, longest in [(1, 1), (2, 2), (3, 4), (4, 8), (9, 8), (5000, 8)]:
        waits = {policy.delay(attempt, None) for _ in range(50)}
        assert longest / 2 <= min(waits) < max(waits) <= longest


async def test_asyncio_repeats_alike(fake_server: StartFake, aconnect: AConnect) -> None:
    """Safe calls, unsafe calls, and streams before their first message."""
    server = fake_server(failures=[UNAVAILABLE, DRAINING])
    client = aconnect(server)
    await client.predict("m")
    server.fake.failures = [UNAVAILABLE]
    with pytest.raises(Unavailable):
        await client.upload_model("m", b"bytes")
    server.fake.failures = [UNAVAILABLE]
    assert [part.models async for part in client.predict_many(["a"])] == [("a",)]
    assert server.fake.calls == ["Predict"] * 3 + ["UploadModel"] + ["PredictMany"] * 2


async def test_asyncio_keeps_deadlines(
    fake_server: StartFake, aconnect: AConnect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The timeout of the call ends it."""
    server = fake_server()
    monkeypatch.setattr(server.fake, "_enter", lambda *_: time.sleep(0.5))
    with pytest.raises(DeadlineExceeded):
        await aconnect(server).predict("m", timeout=0.1)
