"""The example in Node: another language's ordinary gRPC library does all that a backend needs."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dill
import pytest
import trustme

import thalweg
from tests.client.proxy import Proxy
from tests.conftest import StartServer
from thalweg import m5
from thalweg_server.callers.identity import Role
from thalweg_server.callers.tokens import Entry, editing, hash_of, make_token

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parent.parent
OFFLINE = re.compile(r"E(NOTFOUND|AI_AGAIN|CONNREFUSED|CONNRESET|TIMEDOUT|NETUNREACH|HOSTUNREACH)")
FIRST_DAY, DAYS, CAFES = date(2026, 1, 5), 56, 20
TODAY = FIRST_DAY + timedelta(DAYS)

Done = subprocess.CompletedProcess[str]
RunNode = Callable[..., Done]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example with its two packages, and an estimator to upload."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    root = tmp_path_factory.mktemp("node")
    folder = root / "examples" / "node"
    left_out = shutil.ignore_patterns("node_modules")
    shutil.copytree(ROOT / "examples" / "node", folder, ignore=left_out)
    shutil.copytree(ROOT / "proto", root / "proto")
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode and (offline := OFFLINE.search(done.stderr)):
        pytest.skip(f"npm's registry cannot be reached: {offline[0]}")
    assert done.returncode == 0, done.stderr
    (folder / "lm.dill").write_bytes(dill.dumps(m5.lm(), recurse=True))
    return folder


@pytest.fixture
def node(example: Path) -> RunNode:
    """Runs the example against a server."""

    def run(server: str, *options: str) -> Done:
        command = ["node", "client.js", "--server", server, "--payload", "lm.dill", *options]
        return subprocess.run(
            command, cwd=example, capture_output=True, text=True, timeout=100, check=False
        )

    return run


def sold(cafe: int, day: date) -> float:
    """What the example sells."""
    return 18 + 2 * cafe + (15 if day.weekday() >= 5 else 0)


def forecast_by_river(cafe: int) -> list[float]:
    """What the estimator itself, taught in this process, forecasts for a week."""
    estimator = m5.lm()
    for day in (FIRST_DAY + timedelta(n) for n in range(DAYS)):
        x = {"date": day.isoformat()}
        estimator.predict_one(x)
        estimator.learn_one(x, sold(cafe, day))
    week = [{"date": (TODAY + timedelta(n)).isoformat()} for n in range(7)]
    return [float(estimator.predict_one(x)) for x in week]


def test_it_does_the_five_rpcs(start_server: StartServer, node: RunNode) -> None:
    """Init, UploadModel, StreamLearn, Predict and Learn have their effects on the server."""
    server = start_server(flavor=None)
    done = node(server.address)
    assert done.returncode == 0, done.stderr
    with thalweg.Client(server.address) as client:
        assert client.init().flavor == "regression"
        template = client.get_model("cafe-*", template=True)
        assert [one.candidate for one in template.candidates] == ["lm"]
        learned = {info.model: info for info in client.list_models()}
        assert len(learned) == CAFES
        assert learned["cafe-7"].learned == DAYS + 1
        assert learned["cafe-7"].learned_through == TODAY
        assert {info.learned for name, info in learned.items() if name != "cafe-7"} == {DAYS}
    week = re.search(r"the week from 2026-03-02: (.*)", done.stdout)
    assert week is not None, done.stdout
    assert week[1].split() == [f"{mean:.1f}" for mean in forecast_by_river(7)]


def test_a_second_run_learns_nothing_twice(start_server: StartServer, node: RunNode) -> None:
    """The ids of the stream and of the sale tell the server what it has, and the reason tells
    the example that its template is there."""
    server = start_server()
    first, second = node(server.address), node(server.address)
    assert (first.returncode, second.returncode) == (0, 0), second.stderr
    assert "template cafe-*: was there already" in second.stdout
    assert "cafe-7 had learned that day before: 57 in all" in second.stdout
    with thalweg.Client(server.address) as client:
        total = sum(info.learned for info in client.list_models())
    assert total == CAFES * DAYS + 1


def test_it_goes_on_after_broken_connections(start_server: StartServer, node: RunNode) -> None:
    """Cut off in the middle of its stream, it connects anew and each sale is learned once."""
    server = start_server()
    with Proxy(server.address, [900, 700]) as proxy:
        done = node(proxy.target)
        assert done.returncode == 0, done.stderr
        assert proxy.connections == 3
    with thalweg.Client(server.address) as client:
        assert {info.learned for info in client.list_models(glob="cafe-?")} == {DAYS, DAYS + 1}
        assert sum(info.learned for info in client.list_models()) == CAFES * DAYS + 1


def test_it_speaks_tls_and_brings_its_token(
    start_server: StartServer, node: RunNode, tmp_path: Path
) -> None:
    """With the authority and a token it gets in; without the token it says the reason why not."""
    ca = trustme.CA()
    issued = ca.issue_cert("localhost")
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    token = make_token()
    entry = Entry(
        name="node",
        roles=frozenset({Role.UPLOAD, Role.LEARN, Role.PREDICT}),
        sha256=hash_of(token),
        created=datetime.now(UTC),
        expires=None,
    )
    with editing(tmp_path / "tokens.json") as entries:
        entries.append(entry)
    (tmp_path / "token").write_text(f"{token}\n")
    server = start_server(
        tls_cert=tmp_path / "cert.pem",
        tls_key=tmp_path / "key.pem",
        tokens=tmp_path / "tokens.json",
    )
    target = f"localhost:{server.server.port}"
    authority = ("--ca", str(tmp_path / "ca.pem"))
    done = node(target, *authority, "--token-file", str(tmp_path / "token"))
    assert done.returncode == 0, done.stderr
    stranger = node(target, *authority)
    assert stranger.returncode == 1
    assert stranger.stderr.startswith("UNAUTHENTICATED ERROR_REASON_BAD_TOKEN: ")
    assert stranger.stderr.count("\n") == 1
    assert "give --ca" in node(target, "--token-file", str(tmp_path / "token")).stderr
