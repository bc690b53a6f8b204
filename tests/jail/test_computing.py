"""What a jailed process can still do: compute, with the same results as outside."""

from __future__ import annotations

import pytest

from tests.jail.computing import ATTEMPTS
from tests.jail.prison import Prison

pytestmark = pytest.mark.system


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_it_computes_the_same_as_outside(prison: Prison, attempt: str) -> None:
    """Estimators learn, predict and are copied; dates, texts, timers and the link work."""
    free = prison.attempt(attempt, "free")
    assert "value" in free, free
    assert prison.attempt(attempt) == free | {"entered": []}
