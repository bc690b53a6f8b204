"""Learns that wait together are one batch, and each caller is told of its own row."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import Connect, StartServer
from tests.estimators import Slow, linear
from tests.wire import SECONDS, Wire, row
from thalweg_server.core.observation import Batch, Names
from thalweg_server.core.together import merged, runs


def one(model: str, **ids: dict[int, str]) -> Batch:
    """A batch of one row."""
    return Batch(
        names=Names([model]),
        index=np.zeros(1, np.int32),
        days=np.zeros(1, np.int32),
        targets=[1.0],
        rows=[{}],
        **ids,
    )


@pytest.mark.parametrize(
    ("models", "cut"),
    [
        ("abc", ["abc"]),
        ("aba", ["ab", "a"]),
        ("aaa", ["a", "a", "a"]),
        ("abcbad", ["abc", "bad"]),
        ("", []),
    ],
)
def test_runs_are_cut_where_a_model_comes_again(models: str, cut: list[str]) -> None:
    """So that a caller is told how its model stands behind its own row."""
    batch = merged([one(each) for each in models]) if models else one("x")
    found = runs(batch, np.arange(len(models)))
    assert ["".join(batch.name(row) for row in each.tolist()) for each in found] == cut


def test_a_row_that_answers_a_prediction_is_a_run_of_its_own() -> None:
    """Its model is known to the ledger only."""
    batches = [one("a"), one("", prediction_ids={0: "p"}), one("b")]
    batch = merged(batches)
    assert batch.prediction_ids == {1: "p"}
    assert [each.tolist() for each in runs(batch, np.arange(3))] == [[0], [1], [2]]


@pytest.fixture
def busy(start_server: StartServer, connect: Connect) -> Wire:
    """A server whose calls have to wait for a slow one."""
    # All are on their way at once: what waits in the client has no place in the order yet.
    wire = connect(start_server(streams_per_connection_max=100))
    wire.upload("slow", Slow(0.3))
    for model in ("a", "b"):
        wire.upload(model, linear())
    return wire


def test_callers_that_come_together_are_told_apart(busy: Wire) -> None:
    """In the order in which they came: what each learned, what was wrong, what was known."""
    first = busy.stub.Learn.future(row("slow", 1.0), timeout=SECONDS)
    asked = [
        row(
            "nobody" if number % 10 == 9 else "ab"[number % 2],
            float(number),
            {"x": float(number % 3)},
            request_id=f"r{number % 40}",
        )
        for number in range(60)
    ]
    calls = [busy.stub.Learn.future(each, timeout=SECONDS) for each in asked]
    first.result()
    learned = {"a": 0, "b": 0}
    for number, (request, call) in enumerate(zip(asked, calls, strict=True)):
        if request.model == "nobody":
            assert "no model" in str(call.exception())
            continue
        response = call.result()
        assert response.model == request.model
        assert response.duplicate == (number >= 40)
        if not response.duplicate:
            learned[request.model] += 1
            assert response.learned == learned[request.model]
            assert response.scores[0].count <= learned[request.model]
    assert learned == {"a": 20, "b": 16}
    assert busy.get("a").learned == 20
