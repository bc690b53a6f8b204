"""The fuzz target, for seconds: the long form is `python -m tests.fuzzing --seconds 3600`."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.fuzzing.campaign import Campaign, Found, Tally, read_calls, until
from tests.fuzzing.estimators import FLAVORS, payloads
from tests.fuzzing.methods import SERVICE, Answer, Call, wrong_with
from tests.fuzzing.seeds import seeds
from tests.fuzzing.steps import METHODS, Steps
from tests.fuzzing.target import Target
from thalweg.v1 import forecaster_pb2 as pb

SEED = 1
STEPS = 150
"""Steps of the fixed seed; in as much time as they take, others follow of a new one."""
SECONDS = 2.0


@pytest.fixture(scope="module", params=FLAVORS)
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """A server of each flavor."""
    with Target(request.param) as target:
        yield target


def test_no_bytes_do_the_server_any_harm(target: Target, tmp_path: Path) -> None:
    """Every call ends with a status of the contract; canaries answer what they did before."""
    tally = Tally()
    Campaign(SEED, target, tmp_path, tally).run(0, lambda step: step < STEPS)
    assert tally.steps == STEPS
    assert {method for method, _ in tally.calls} >= {"Predict", "Learn", "StreamLearn"}
    assert any(label == "OK" for _, label in tally.calls)
    assert tally.accepted < tally.uploads
    fresh = random.SystemRandom().randrange(10**9)  # a failure names it
    Campaign(fresh, target, tmp_path, tally).run(0, until(time.monotonic() + SECONDS))


def test_what_is_amiss_ends_it_and_can_be_repeated(tmp_path: Path) -> None:
    """A canary that answers otherwise, and a server that died: both are found, with their calls."""
    with Target("regression") as target:
        payload = payloads("regression")[0]
        poison = pb.UploadModelRequest(model="canary lowered", payload=payload, replace=True)
        call = Call("UploadModel", (poison.SerializeToString(),))
        campaign = Campaign(SEED, target, tmp_path, Tally())
        with pytest.raises(Found, match="canary lowered") as found:
            campaign.repeat([call])
        files = list(tmp_path.iterdir())
        assert str(files[0]) in str(found.value)
        assert read_calls(files[0]) == ("regression", [call])
        target.kill()
        with pytest.raises(Found, match="the server ended with code -9"):
            campaign.repeat([call])


def test_statuses_that_the_contract_does_not_know_are_amiss() -> None:
    """UNKNOWN and INTERNAL, a call that hangs, and a good code without its reason."""
    call = Call("Predict", (b"",))
    for code in grpc.StatusCode:
        assert bool(wrong_with(call, _answer(code, ""))) == (code is not grpc.StatusCode.OK)
    assert not wrong_with(call, _answer(grpc.StatusCode.NOT_FOUND, "UNKNOWN_MODEL"))
    assert wrong_with(call, _answer(grpc.StatusCode.NOT_FOUND, "BAD_DATE"))
    assert wrong_with(call, _answer(grpc.StatusCode.UNAVAILABLE, "DRAINING"))


@pytest.mark.parametrize("flavor", FLAVORS)
def test_every_rpc_and_every_field_of_a_request_is_among_the_seeds(flavor: str) -> None:
    """What is added to the contract is fuzzed, too."""
    assert set(seeds(flavor)) == set(METHODS) == {method.name for method in SERVICE.methods}
    for method in SERVICE.methods:
        used = {f.name for each in seeds(flavor)[method.name] for f, _ in each.ListFields()}
        assert used >= set(method.input_type.fields_by_name) - {"reset", "template"}, method.name


def test_a_step_is_the_same_every_time() -> None:
    """It follows from the seed and its number, whatever came before and was answered."""
    sent: list[list[Call]] = []
    for first in (0, 20):
        calls: list[Call] = []

        def ask(call: Call, calls: list[Call] = calls) -> Answer:
            calls.append(call)
            return _answer(grpc.StatusCode.NOT_FOUND, "")

        steps = Steps(SEED, "binary")
        for number in range(first, 40):
            steps.run(number, ask)
        sent.append(calls)
    assert sent[0][20:] == sent[1]


def _answer(code: grpc.StatusCode, reason: str) -> Answer:
    return Answer(code, reason, "", (), 0.0)
