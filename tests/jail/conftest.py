"""Wardens: one for the whole run as this user, and one as nobody."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.jail.prison import NOBODY, Prison
from thalweg_server import jail


@pytest.fixture(scope="session", params=["this user", "nobody"])
def prison(request: pytest.FixtureRequest) -> Iterator[Prison]:
    """A warden; skips where the kernel cannot jail anybody."""
    if missing := jail.abilities().missing:
        pytest.skip(f"this kernel lacks {', '.join(missing)}")
    if request.param == "nobody" and os.geteuid() != 0:
        pytest.skip("only root can start a process as nobody")
    warden = Prison(NOBODY if request.param == "nobody" else None)
    yield warden
    warden.close()
