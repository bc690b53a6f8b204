"""A server comes back from the newest good snapshot and its log, or says why it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from river import compose, linear_model, preprocessing

from tests.histories import History, live, payloads, told
from thalweg_server.core.errors import CorruptStorage
from thalweg_server.core.freezing import freeze
from thalweg_server.core.limits import Limits
from thalweg_server.core.model import Candidate
from thalweg_server.core.observation import Flavor
from thalweg_server.core.service import Service
from thalweg_server.engines.river import RiverEngine
from thalweg_server.recovery import Recovered, recover
from thalweg_server.storage.snapshots import Snapshots
from thalweg_server.storage.sqlite import SqliteStore

VERSIONS = {"thalweg": "1", "river": "2"}

ESTIMATORS = payloads(
    compose.Select("a", "b") | preprocessing.StandardScaler() | linear_model.LinearRegression(),
    compose.Select("a") | linear_model.LinearRegression(l2=0.1),
)


@contextmanager
def begun(
    folder: Path, versions: dict[str, str] = VERSIONS, metric: str = "mae"
) -> Iterator[tuple[Service, Recovered]]:
    """A service on a data directory."""
    store = SqliteStore(folder)
    try:
        service = Service(
            engine=RiverEngine(),
            store=store,
            limits=Limits(),
            clock=lambda: 0.0,
            champion_metric=metric,
        )
        snapshots = Snapshots(folder, versions)
        yield service, recover(service, store, snapshots)
    finally:
        store.close()


def taken(service: Service, folder: Path) -> Path:
    """A snapshot of it as it is."""
    snapshots = Snapshots(folder, VERSIONS)
    progress = service.backlog.progress
    return snapshots.write(progress, lambda sink: freeze(service, sink), None, created=0.0)


def truncated(folder: Path, path: Path) -> None:
    """The log, behind a snapshot."""
    store = SqliteStore(folder)
    store.truncate(Snapshots(folder, VERSIONS).progress(path).batch)
    store.close()


@pytest.fixture
def grown(tmp_path: Path) -> tuple[Path, list[Path], object]:
    """A directory with two snapshots and entries behind each, and what its server knew."""
    history = History(Flavor.REGRESSION, ESTIMATORS, 5)
    paths = []
    with begun(tmp_path) as (service, _):
        service.init(Flavor.REGRESSION, reset=False)
        for _ in range(2):
            live(service, history.steps(40))
            paths.append(taken(service, tmp_path))
        live(service, history.steps(40))
        known = told(service)
    return tmp_path, paths, known


def damage(path: Path) -> None:
    """Half of it is not there."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def test_the_newest_snapshot_is_taken(grown: tuple[Path, list[Path], object]) -> None:
    """And only what is logged behind it is applied."""
    folder, paths, known = grown
    with begun(folder) as (service, recovered):
        assert recovered.snapshot == paths[1]
        assert told(service) == known
        fewer = recovered.entries
    paths[1].unlink()
    with begun(folder) as (service, recovered):
        assert (recovered.snapshot, told(service)) == (paths[0], known)
        assert recovered.entries > fewer


def test_a_damaged_snapshot_is_passed_over(grown: tuple[Path, list[Path], object]) -> None:
    """For the older one, with the log behind that; for the log alone where both are damaged."""
    folder, paths, known = grown
    damage(paths[1])
    with begun(folder) as (service, recovered):
        assert (recovered.snapshot, told(service)) == (paths[0], known)
    damage(paths[0])
    with begun(folder) as (service, recovered):
        assert (recovered.snapshot, told(service)) == (None, known)


def test_without_a_snapshot_that_helps_a_truncated_log_is_refused(
    grown: tuple[Path, list[Path], object],
) -> None:
    """What is wrong with both is said."""
    folder, paths, known = grown
    truncated(folder, paths[0])
    with begun(folder) as (service, _):
        assert told(service) == known
    for path in paths:
        damage(path)
    with pytest.raises(CorruptStorage) as refused, begun(folder):
        pass
    assert "were truncated" in str(refused.value)
    assert paths[1].name in str(refused.value)


def test_a_snapshot_of_another_version_is_not_read(
    grown: tuple[Path, list[Path], object],
) -> None:
    """The log is replayed where it is whole, and else both versions are named."""
    folder, paths, known = grown
    with begun(folder, {**VERSIONS, "river": "3"}) as (service, recovered):
        assert (recovered.snapshot, told(service)) == (None, known)
    truncated(folder, paths[0])
    with pytest.raises(CorruptStorage) as refused, begun(folder, {**VERSIONS, "river": "3"}):
        pass
    assert "written with River 2" in str(refused.value)


def test_champions_are_chosen_by_the_metric_of_now(
    grown: tuple[Path, list[Path], object],
) -> None:
    """A server that is started with another metric answers by it from the first call on."""
    folder, _, _ = grown
    with begun(folder) as (service, _):
        by_mae = {name: model.champion.name for name, model in service.registry.models.items()}
    with begun(folder, metric="rmse") as (service, recovered):
        assert recovered.snapshot
        for model in service.registry.models.values():
            scored = [c for c in model.candidates if service.judge.score(c).rmse is not None]
            best = min(scored, key=lambda c: service.judge.score(c).rmse or 0.0)
            if len(scored) == len(model.candidates) > 1:
                assert model.champion is best or _few(service, best)
        by_rmse = {name: model.champion.name for name, model in service.registry.models.items()}
    assert by_mae.keys() == by_rmse.keys()


def _few(service: Service, candidate: Candidate) -> bool:
    """Whether it was scored too rarely to be champion."""
    return service.judge.score(candidate).count < 28
