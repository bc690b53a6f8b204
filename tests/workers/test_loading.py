"""Uploads are loaded where they can do no harm, and nobody waits for them but their callers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import dill
import pytest
from river import linear_model, preprocessing

from tests.estimators import Constant, linear
from tests.workers.conftest import LOADING, MEMORY_BYTES, limits
from tests.workers.driving import TRUSTED, ask, load, payload_of, wait_until_gone
from tests.workers.misbehaving import Misbehaving
from thalweg_server.config import Patience
from thalweg_server.core.errors import (
    BadPayload,
    EstimatorFailed,
    NotAnEstimator,
    Overloaded,
    PayloadRefused,
)
from thalweg_server.core.observation import Flavor
from thalweg_server.core.policy import Origin, Policy
from thalweg_server.core.ports import NotReady
from thalweg_server.workers import WorkerEngine, Zygote, loading
from thalweg_server.workers.host import Host
from thalweg_server.workers.loading import Facts, Uploads

REGRESSION = Flavor.REGRESSION


@pytest.fixture
def uploads(zygote: Zygote) -> Iterator[Uploads]:
    """Two loaders."""
    uploads = Uploads(zygote, MEMORY_BYTES, LOADING, loaders=2)
    yield uploads
    uploads.close()
    uploads._threads.shutdown()  # or the next test's first load may be one of this


def wait_of(uploads: Uploads, payload: bytes, policy: Policy = Policy.TRUSTED) -> Callable[[], Any]:
    """What a caller waits with."""
    with pytest.raises(NotReady) as making:
        uploads.load(payload, policy, REGRESSION)
    return making.value.wait


def test_an_upload_is_there_when_it_was_waited_for(uploads: Uploads) -> None:
    """For one who asks, once; whoever asks next is told to wait again."""
    payload = payload_of(linear())
    wait_of(uploads, payload)()
    facts = uploads.load(payload, Policy.TRUSTED, REGRESSION)
    assert facts.estimator == repr(linear())
    assert facts.structure is not None
    wait_of(uploads, payload)


def test_who_waits_together_loads_once(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ask before it is there."""
    asked = []
    real = Host.ask
    monkeypatch.setattr(Host, "ask", lambda *args: asked.append(args) or real(*args))
    payload = payload_of(Misbehaving("sleep", "load"))
    waits = [wait_of(uploads, payload) for _ in range(4)]
    for wait in waits:
        wait()
    assert len(asked) == 1


@pytest.mark.parametrize("policy", [Policy.SAFE, Policy.TRUSTED])
@pytest.mark.parametrize(
    ("payload", "refusal", "text"),
    [
        (b"", BadPayload, "the payload (0 bytes) does not load as dill: "),
        (b"junk" * 100, BadPayload, "the payload (400 bytes) does not load as dill: "),
        (dill.dumps({"no": "estimator"}), NotAnEstimator, "the payload is a dict, without learn"),
        (
            dill.dumps(linear_model.LogisticRegression()),
            NotAnEstimator,
            "the payload is a classifier of two classes (LogisticRegression), and this server's "
            "flavor is regression: upload a regressor",
        ),
        (
            dill.dumps(preprocessing.StandardScaler()),
            NotAnEstimator,
            "the payload is River's StandardScaler, neither regressor nor classifier",
        ),
    ],
    ids=["nothing", "junk", "a dict", "another flavor", "a transformer"],
)
def test_what_is_wrong_is_said(
    payload: bytes, refusal: type[Exception], text: str, policy: Policy, engine: WorkerEngine
) -> None:
    """And nothing is held of it; the next upload is taken."""
    with pytest.raises(refusal) as failure:
        load(engine, payload, origin=Origin(policy, "tester"))
    assert text in failure.value.message  # type: ignore[attr-defined]
    assert failure.value.field == "payload"  # type: ignore[attr-defined]
    assert len(engine) == 0
    assert not engine._uploads._loads
    assert ask(engine, load(engine, linear()).slot, {"a": 1.0}).value == 0.0


def test_a_policy_forbids(engine: WorkerEngine) -> None:
    """What is no class of River's, where only those may be."""
    with pytest.raises(PayloadRefused, match="uploads may not hold "):
        load(engine, Constant(), origin=Origin())


def test_two_are_loaded_at_a_time(uploads: Uploads, zygote: Zygote) -> None:
    """A third waits until one of them is done."""
    patient = Uploads(zygote, MEMORY_BYTES, Patience(20.0, 1.0), loaders=2)
    begun = time.monotonic()
    payloads = [payload_of(Misbehaving("sleep", "load")) for _ in range(3)]
    waits = [wait_of(patient, payload) for payload in payloads]
    for wait in waits[:2]:
        wait()
    assert time.monotonic() - begun >= 1.0
    assert not patient._loads[id(payloads[2]), Policy.TRUSTED, REGRESSION].outcome.done()
    waits[2]()
    assert time.monotonic() - begun >= 2.0
    patient.close()


def test_a_loader_is_kept_for_what_holds_no_code(uploads: Uploads) -> None:
    """And never for what may."""
    used = []
    for policy in (Policy.SAFE, Policy.SAFE, Policy.TRUSTED, Policy.SAFE):
        payload = payload_of(linear())
        wait_of(uploads, payload, policy)()
        assert isinstance(uploads.load(payload, policy, REGRESSION), Facts)
        used.append([host._born.process for host in uploads._idle])
    assert len(used[0]) == 1
    assert used[0] == used[1]
    assert used[2] == []
    assert len(used[3]) == 1
    assert used[3] != used[0]


def test_a_loader_that_died_at_rest_is_replaced(uploads: Uploads) -> None:
    """Nobody's upload is blamed for it."""
    payload = payload_of(linear())
    wait_of(uploads, payload, Policy.SAFE)()
    (host,) = uploads._idle
    os.kill(host._born.process, signal.SIGKILL)
    wait_until_gone(host._born.process)
    again = payload_of(linear())
    wait_of(uploads, again, Policy.SAFE)()
    assert uploads.load(again, Policy.SAFE, REGRESSION).estimator == repr(linear())


def test_callers_that_never_come_back_are_forgotten(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those whose uploads were loaded first, where others need the room."""
    monkeypatch.setattr(loading, "WAITING_MAX", 3)
    payloads = [payload_of(Constant(float(n))) for n in range(5)]
    for payload in payloads[:4]:
        wait_of(uploads, payload)()
    assert isinstance(uploads.load(payloads[2], Policy.TRUSTED, REGRESSION), Facts)
    wait_of(uploads, payloads[0])()  # forgotten, and loaded again
    assert isinstance(uploads.load(payloads[3], Policy.TRUSTED, REGRESSION), Facts)


def test_callers_that_give_up_while_they_wait_for_their_turn_are_forgotten(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody loads for them; should the same upload come again, it is loaded."""
    asked = []
    real = Host.ask
    monkeypatch.setattr(Host, "ask", lambda *args: asked.append(args) or real(*args))
    busy = [payload_of(Misbehaving("sleep", "load")) for _ in range(2)]
    waits = [wait_of(uploads, payload) for payload in busy]
    payload = payload_of(linear())
    with pytest.raises(NotReady) as making:
        uploads.load(payload, Policy.TRUSTED, REGRESSION)
    assert making.value.ready.cancel()
    for wait in waits:
        wait()
    assert len(asked) == 2
    wait_of(uploads, payload)()
    assert isinstance(uploads.load(payload, Policy.TRUSTED, REGRESSION), Facts)


def test_too_many_under_way_are_too_many(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until one of them is done."""
    monkeypatch.setattr(loading, "WAITING_MAX", 3)
    payloads = [payload_of(Misbehaving("sleep", "load")) for _ in range(3)]
    payloads.append(payload_of(Constant(1.0)))
    waits = [wait_of(uploads, payload) for payload in payloads[:3]]
    with pytest.raises(Overloaded, match="3 uploads are being loaded: try again in a second"):
        uploads.load(payloads[3], Policy.TRUSTED, REGRESSION)
    waits[1]()
    wait_of(uploads, payloads[3])()
    assert isinstance(uploads.load(payloads[3], Policy.TRUSTED, REGRESSION), Facts)


def test_an_upload_that_cannot_be_loaded_for_want_of_workers(zygote: Zygote) -> None:
    """It is not the upload's fault, and the reason is told."""
    broken = Zygote(["no_such_module"])
    engine = WorkerEngine(broken, limits())
    with pytest.raises(EstimatorFailed, match="the upload cannot be loaded: workers cannot import"):
        load(engine, linear(), origin=TRUSTED)
    engine.close()
    broken.close()
