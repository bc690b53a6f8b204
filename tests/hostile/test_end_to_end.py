"""The corpus through a real server: UploadModel, then Predict, Learn and DownloadModel.

Under `safe` all but hyper-parameters are refused; under `code` by-value code is let in and runs in
the jail. In either case no canary is left, this process is what it was, and it goes on serving.
Under `trusted`, where no door closes either, the canaries are there: the same calls set them off.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.conftest import Connect
from tests.estimators import mean
from tests.hostile import world
from tests.hostile.attack import SECRET, Attack
from tests.hostile.corpus import CORPUS
from tests.wire import Wire, failure
from thalweg_server.background import BackgroundServer
from thalweg_server.config import Config, Patience, WorkerLimits
from thalweg_server.core.observation import Flavor
from thalweg_server.core.policy import Policy
from thalweg_server.workers import Zygote

pytestmark = pytest.mark.system

GROWN_BYTES_MAX = 100 << 20
"""How much memory the whole corpus may cost the server."""

BOUNDS = WorkerLimits(
    memory_bytes=256 << 20,
    call=Patience(cpu_seconds=0.25, wall_seconds=2.0),
    loading=Patience(cpu_seconds=2.0, wall_seconds=10.0),
    strikes_max=1,
)
"""Impatient workers: an attack that only waits is given up soon."""

REFUSED = {"PAYLOAD_REFUSED", "BAD_PAYLOAD", "NOT_AN_ESTIMATOR"}
CONFINED = {"code": {"code", "safe"}, "safe": {"safe"}, "trusted": {"never", "code", "safe"}}

NEVER_SET_OFF = {
    "atexit": "a worker is killed, and so runs nothing at its end",
    "finalizer": "likewise",
    "class_of_lies": "nobody asks for its text",
    "steps_that_iterate": "what iterates its steps finds before that it is no regressor",
    "gaussians": "a classifier, which a server of regressors turns away",
    "reduce_ex_on_download": "its predictions are none: it is given back as it was sent",
    "getstate_on_download": "likewise",
}
"""Canaries that plain dill alone sets off, and why a server does not."""


@pytest.fixture(scope="module")
def plain_zygote() -> Iterator[Zygote]:
    """Workers that have imported nothing of the tests."""
    zygote = Zygote()
    if zygote.missing:
        missing = ", ".join(zygote.missing)
        zygote.close()
        pytest.skip(f"no jail here: the kernel lacks {missing}")
    yield zygote
    zygote.close()


def through_server(wire: Wire, attack: Attack, payload: bytes) -> str:
    """Upload, and use what was accepted; return why it was refused, or nothing."""
    try:
        wire.upload("hostile", payload)
    except grpc.RpcError as error:
        return failure(error).reason or str(error)
    for call in (wire.predict, lambda model, x: wire.learn(model, 3.0, x)):
        with contextlib.suppress(grpc.RpcError):
            call("hostile", {"a": 1.0, "b": 2.0})
    with contextlib.suppress(grpc.RpcError):
        wire.download("hostile")
    wire.delete("hostile")
    return ""


def still_serving(wire: Wire) -> None:
    """Assert that a good model answers."""
    assert wire.predict("good", {"a": 1.0}).prediction.value == 2.0


def resident_bytes() -> int:
    """Return what this process, the server's, takes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("policy", ["safe", "code"])
def test_a_server_withstands_the_corpus(
    policy: str,
    tmp_path: Path,
    plain_zygote: Zygote,
    connect: Connect,
) -> None:
    """Each attack is refused or confined; nothing else changes, here or on disk."""
    signals: list[int] = []
    previous = signal.signal(signal.SIGWINCH, lambda number, _: signals.append(number))
    config = Config(
        port=0,
        metrics_port=0,
        flavor=Flavor.REGRESSION,
        uploads=Policy(policy),
        workers=BOUNDS,
    )
    with BackgroundServer(config, zygote=plain_zygote) as server:
        wire = connect(server)
        good = mean()
        good.learn_one({}, 2.0)
        wire.upload("good", good)
        still_serving(wire)
        before, resident = world.fingerprint(), resident_bytes()
        wrong = [line for attack in CORPUS if (line := _met(wire, attack, policy, tmp_path))]
        assert not wrong, "\n".join(wrong)
        assert not world.changes(before)
        assert not signals
        assert resident_bytes() - resident < GROWN_BYTES_MAX
    signal.signal(signal.SIGWINCH, previous)


@pytest.mark.timeout(600)
def test_the_corpus_strikes_where_nothing_holds_it(tmp_path: Path, connect: Connect) -> None:
    """Plain dill in workers that stay open: each attack that leaves a canary leaves it."""
    free = Zygote(["tests.hostile.open_doors"], allow_unjailed_code=True)
    config = Config(
        port=0,
        metrics_port=0,
        flavor=Flavor.REGRESSION,
        uploads=Policy.TRUSTED,
        allow_unjailed_code=True,
        workers=BOUNDS,
    )
    with contextlib.closing(free), BackgroundServer(config, zygote=free) as server:
        wire = connect(server)
        silent = []
        for attack in CORPUS:
            if attack.harm != "file":
                continue
            nest = tmp_path / attack.name / "nest"
            nest.mkdir(parents=True)
            (nest.parent / SECRET).write_text("a,b\n1,2\n")
            through_server(wire, attack, attack.payload(nest / "canary"))
            if not any(nest.iterdir()):
                silent.append(attack.name)
        assert set(silent) == set(NEVER_SET_OFF)


def _met(wire: Wire, attack: Attack, policy: str, folder: Path) -> str:
    """Let an attack meet the server; return what was wrong with the outcome, or nothing."""
    nest = folder / attack.name / "nest"
    nest.mkdir(parents=True)
    (nest.parent / SECRET).write_text("a,b\n1,2\n")
    reason = through_server(wire, attack, attack.payload(nest / "canary"))
    still_serving(wire)
    if any(nest.iterdir()):
        return f"{attack.name}: its canary is there ({reason or 'accepted'})"
    if reason and reason not in REFUSED and attack.permitted == "never":
        return f"{attack.name}: {reason}"
    if not reason and attack.permitted not in CONFINED[policy]:
        return f"{attack.name}: accepted"
    return ""
