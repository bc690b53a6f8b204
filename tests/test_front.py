"""The server's own process never unpickles: whatever is uploaded, stored or sent back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import json, sys, threading
from pathlib import Path

import dill
from river import linear_model, tree

import thalweg
from thalweg import m5
from thalweg_server.background import BackgroundServer
from thalweg_server.config import Config
from thalweg_server.core.observation import Flavor

found = []


def watch(event, arguments):
    if event == "pickle.find_class" and not numba_reads_its_own_kernels():
        found.append(list(map(str, arguments)))


def numba_reads_its_own_kernels():
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("numba."):
            return True
        frame = frame.f_back
    return False


sys.addaudithook(watch)
config = Config(port=0, metrics_port=0, data_dir=Path(sys.argv[1]), flavor=Flavor.REGRESSION)
days = [f"2016-05-{day:02}" for day in range(1, 29)]


def used(client):
    for number, day in enumerate(days):
        for model in ("m", "t1", "w"):
            client.learn(model, number % 5, {"a": number, "b": 1.0}, date=day)
    client.predict("m", {"a": 1.0, "b": 1.0}, date="2016-06-01")
    client.predict("new", {"a": 1.0, "b": 1.0}, date="2016-06-01")
    for candidate in ("tree", "bayes"):
        client.download_model("m", candidate=candidate)
        client.get_model("m")


with BackgroundServer(config) as server, thalweg.Client(server.address) as client:
    client.upload_model("m", tree.HoeffdingTreeRegressor(), candidate="tree")
    client.upload_model("m", linear_model.BayesianLinearRegression(), candidate="bayes")
    client.upload_model("*", m5.lm(), template=True, context=m5.CONTEXT)
    client.upload_model("w", linear_model.LinearRegression())
    used(client)
    keeper = server.server.keeper
    keeper.take()
    keeper._snapshotter.wait()
    snapshots = list(Path(sys.argv[1], "snapshots").glob("*.zip"))
with BackgroundServer(config) as server, thalweg.Client(server.address) as client:
    days = [f"2016-07-{day:02}" for day in range(1, 29)]
    used(client)
    quiet = list(found)
dill.loads(dill.dumps(tree.HoeffdingTreeRegressor()))  # and the watch does see it
print(json.dumps({"found": quiet, "snapshots": len(snapshots), "seen": len(found)}))
"""


def test_the_front_never_unpickles(tmp_path: Path) -> None:
    """Not on upload, on learning, on download, for a snapshot or from one."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "data")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["snapshots"] == 1
    assert report["seen"] > 0
    assert report["found"] == []
