"""The ring in which attacks are let loose, one for each process of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hostile.ring import Ring


@pytest.fixture(scope="session")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ring]:
    """A ring with an arena of its own."""
    with Ring(tmp_path_factory.mktemp("ring")) as ring:
        yield ring
