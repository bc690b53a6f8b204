"""`thalweg verify`, `backup` and `restore` on the directories of real servers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from click.testing import CliRunner, Result

import thalweg
from tests.cli.conftest import line_of
from tests.cli.test_serve import serving
from tests.conftest import StartServer
from tests.estimators import mean
from tests.waiting import until
from thalweg.cli import cli
from thalweg_server import keeping
from thalweg_server.background import BackgroundServer
from thalweg_server.config import Config
from thalweg_server.core.observation import Flavor
from thalweg_server.storage.checking import check
from thalweg_server.versions import VERSIONS

BATCH = 10
LOG = "log.sqlite"


def run(*args: object, **env: str) -> Result:
    """Runs a command in this process."""
    return CliRunner().invoke(cli, [*map(str, args)], env=env, prog_name="thalweg")


def facts(*args: object) -> dict[str, Any]:
    """What a command that succeeds prints for machines."""
    result = run(*args, "--json")
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    assert found["damages"] == [] and found["whole"]
    return found


def look(folder: Path) -> dict[str, tuple[bytes, int]]:
    """All there is in a directory, with the time of its last change."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in files
    }


def sales(count: int) -> Iterator[thalweg.Row]:
    """So many observations of one model, always the same."""
    return (thalweg.Row(model="milk", target=float(number % 7)) for number in range(count))


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped server's directory, with two snapshots and a log that begins behind its start."""
    folder = tmp_path_factory.mktemp("server") / "data"
    config = Config(
        port=0,
        metrics_port=0,
        flavor=Flavor.REGRESSION,
        data_dir=folder,
        snapshot_learning_seconds=0.0,
        snapshot_pause_seconds=0.0,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keeping, "LOOK_SECONDS", 0.05)
        with (
            BackgroundServer(config) as server,
            thalweg.Client(server.address) as client,
        ):
            client.upload_model("milk", mean())
            for number in range(100):
                list(client.stream_learn(sales(50), stream_id=f"s{number}", batch_rows=BATCH))
                if (check(folder, VERSIONS).log.first or 0) > 1:
                    break
                time.sleep(0.05)
    found = facts("verify", folder)
    assert found["log"]["first"] > 1
    assert len(found["snapshots"]) == 2
    return folder


@pytest.fixture
def home(stopped: Path, tmp_path: Path) -> Path:
    """A copy of that directory, to be damaged."""
    return Path(shutil.copytree(stopped, tmp_path / "home"))


def test_a_whole_directory_is_described_and_left_alone(home: Path) -> None:
    """A line for the log, a table of the snapshots, the word, exit code 0."""
    before = look(home)
    result = run("verify", home)
    assert (result.exit_code, result.stderr) == (0, "")
    log, heading, newest, _, verdict = result.stdout.splitlines()
    found = facts("verify", home)
    first, last = found["log"]["first"], found["log"]["last"]
    assert log.startswith(f"{home}: entries {first:,} to {last:,} ({found['log']['entries']:,}, ")
    assert heading.split() == ["snapshot", "state", "log", "from", "age", "size"]
    assert newest.split()[:2] == [found["snapshots"][0]["file"], "whole"]
    assert verdict == "whole"
    assert run("verify", THALWEG_DATA_DIR=str(home)).stdout.startswith(f"{home}: entries")
    assert look(home) == before


def test_each_damage_is_a_line_on_stderr(home: Path) -> None:
    """With the file and the place; exit code 1."""
    newest, older = sorted((home / "snapshots").iterdir(), reverse=True)
    newest.write_bytes(newest.read_bytes()[:-50])
    connection = apsw.Connection(str(home / LOG))
    body = connection.execute("SELECT body FROM log ORDER BY position DESC LIMIT 1").get
    connection.close()
    data = (home / LOG).read_bytes()
    assert body in data
    (home / LOG).write_bytes(data.replace(body, bytes([body[0] ^ 1]) + body[1:]))
    result = run("verify", home)
    assert result.exit_code == 1
    log, snapshot = result.stderr.splitlines()
    assert log.startswith(f"thalweg: {home / LOG} is damaged: entry ")
    assert "does not match its checksum" in log
    assert snapshot.startswith(f"thalweg: snapshot {newest} is damaged")
    assert "whole" not in result.stdout.splitlines()
    states = [
        each["state"] for each in json.loads(run("verify", home, "--json").stdout)["snapshots"]
    ]
    assert states == ["damaged", "whole"]
    newest.unlink()
    older.unlink()
    assert f"{home} cannot be recovered" in run("verify", home).stderr


def test_a_cut_log_is_damaged(home: Path) -> None:
    """Also where SQLite itself cannot read it."""
    data = (home / LOG).read_bytes()
    (home / LOG).write_bytes(data[: len(data) // 2])
    result = run("verify", home)
    assert result.exit_code == 1
    assert f"thalweg: {home / LOG} is damaged" in result.stderr


@pytest.mark.parametrize("command", [["verify"], ["backup"], ["restore"]])
def test_what_is_no_data_directory_is_one_line(tmp_path: Path, command: list[str]) -> None:
    """Missing or empty; nothing is made of it."""
    target = [tmp_path / "target"] if command != ["verify"] else []
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "missing", tmp_path / "empty"):
        result = run(*command, folder, *target)
        assert result.exit_code == 1
        assert f"{folder} is no data directory: there is no {LOG} in it" in line_of(result)
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


def test_a_backup_of_a_running_server_is_a_prefix_of_what_it_acknowledged(
    tmp_path: Path, start_server: StartServer
) -> None:
    """While a client streams without pause; verify looks on, and the stream goes on from there."""
    home, copy, again = (tmp_path / name for name in ("home", "copy", "again"))
    settings = {"THALWEG_EPHEMERAL": "", "THALWEG_DATA_DIR": str(home), "THALWEG_PORT": "0"}
    acked, stop, total = [0], threading.Event(), 1_000_000

    def endless() -> Iterator[thalweg.Row]:
        for row in sales(total):
            if stop.is_set():
                return
            yield row

    def stream(address: str) -> None:
        with thalweg.Client(address) as client:
            for ack in client.stream_learn(endless(), stream_id="s", batch_rows=BATCH):
                acked[0] += ack.learned

    with serving(THALWEG_FLAVOR="regression", **settings) as (process, where):
        with thalweg.Client(where["address"]) as client:
            client.upload_model("milk", mean())
        thread = threading.Thread(target=stream, args=(where["address"],))
        thread.start()
        until(lambda: acked[0] > 100)
        assert facts("verify", home)["log"]["rows"] >= 100
        before = acked[0]
        saved = facts("backup", home, copy)["log"]["rows"]
        after = acked[0]
        until(lambda: acked[0] > after)
        stop.set()
        thread.join()
        process.kill()
        process.wait()
    left = look(home)
    assert facts("verify", home)["log"]["rows"] >= acked[0]
    assert look(home) == left
    result = run("restore", copy, again)
    assert result.stdout.endswith(f"; now run: thalweg serve --data-dir {again}\n")
    server = start_server(None, data_dir=again)
    with thalweg.Client(server.address) as client:
        known = client.get_model("milk").learned
        assert before <= known == saved <= acked[0]
        acks = list(client.stream_learn(sales(acked[0]), stream_id="s", batch_rows=BATCH))
        assert sum(ack.learned for ack in acks) == acked[0] - known
        assert client.get_model("milk").learned == acked[0]
        targets = [row.target for row in sales(acked[0])]
        assert client.predict("milk").value == pytest.approx(sum(targets) / acked[0])


def test_a_backup_with_snapshots_starts_a_server(
    home: Path, tmp_path: Path, start_server: StartServer
) -> None:
    """Of a stopped server, into a directory that is there and empty, as a volume is."""
    copy, again = tmp_path / "copy", tmp_path / "again"
    again.mkdir()
    result = run("backup", home, copy)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{copy}: entries ")
    assert len(facts("restore", copy, again)["snapshots"]) == 2
    with (
        thalweg.Client(start_server(None, data_dir=home).address) as first,
        thalweg.Client(start_server(None, data_dir=again).address) as second,
    ):
        assert first.get_model("milk") == second.get_model("milk")
        assert first.predict("milk") == second.predict("milk")
        assert facts("verify", again)["log"]["entries"]


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_target_that_is_not_empty_is_one_line(home: Path, command: str, tmp_path: Path) -> None:
    """Nothing in it is changed."""
    target = tmp_path / "target"
    target.mkdir()
    (target / "letter").write_text("dear")
    before = look(tmp_path)
    result = run(command, home, target)
    assert result.exit_code == 1
    assert f"{target} is not empty: choose another directory" in line_of(result)
    assert look(tmp_path) == before


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_what_is_damaged_is_not_copied(home: Path, command: str, tmp_path: Path) -> None:
    """One line that says where; there is no target then."""
    shutil.rmtree(home / "snapshots")
    result = run(command, home, tmp_path / "target")
    assert result.exit_code == 1
    assert f"{home} cannot be recovered" in line_of(result)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


def test_without_the_server_extra_it_says_what_to_install(tmp_path: Path) -> None:
    """In one line, as `serve` does."""
    code = (
        "import sys; sys.modules['apsw'] = None\n"
        f"from thalweg.cli import main\nmain(['verify', {str(tmp_path)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "thalweg: the server needs apsw: pip install 'thalweg[server]'\n"
