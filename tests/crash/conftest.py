"""Fixtures of the tests that kill servers."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.crash.host import Host, hosting, prepared
from tests.crash.reference import upload

StartHost = Callable[..., Host]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data directory of a server that was killed once all models were uploaded."""
    return prepared(tmp_path_factory.mktemp("models") / "host", upload)


@pytest.fixture
def make_host(models: Path, tmp_path: Path) -> Iterator[StartHost]:
    """Makes the host of a test, which has all models; no server runs yet."""
    with ExitStack() as stack:

        def make(**settings: Any) -> Host:
            host = stack.enter_context(hosting(tmp_path / "host", **settings))
            shutil.copytree(models, host.data_dir)
            return host

        yield make
