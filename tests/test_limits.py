"""Every bound on what callers send: at it all is well, beyond it the error says which and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from river import dummy, naive_bayes, stats, tree

from tests.conftest import Connect, StartServer
from tests.wire import SECONDS, Wire, batch, columns, refused, row
from thalweg import m5
from thalweg.v1 import forecaster_pb2 as pb
from thalweg_server.config import Config, WebLimits
from thalweg_server.core.limits import Limits
from thalweg_server.core.observation import Flavor

LIMITS = Limits(
    features_max=3,
    text_bytes_max=10,
    label_bytes_max=8,
    name_bytes_max=12,
    payload_bytes_max=20_000,
    ids_kept_max=2,
)
FITS: dict[str, Any] = {"a": 1.0, "b" * 12: 2.0, "c": "é" * 5}
BEYOND: dict[str, tuple[Any, str]] = {
    "features": ({"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}, "4 features: at most 3"),
    "a feature's text": ({"a": "é" * 5 + "x"}, "'a' has 11 bytes of UTF-8: at most 10"),
    "a feature's name": ({"b" * 13: 1.0}, "13 bytes of UTF-8: at most 12"),
    "the text": ("é" * 5 + "x", "text has 11 bytes of UTF-8: at most 10"),
}
COLUMNS = {name: given for name, given in BEYOND.items() if name != "the text"}

Case = tuple[Any, str]


@pytest.fixture
def small(start_server: StartServer, connect: Connect) -> Wire:
    """A regression server with small bounds and model "m"."""
    wire = connect(start_server(limits=LIMITS))
    wire.upload("m", dummy.StatisticRegressor(stats.Mean()))
    return wire


@pytest.mark.parametrize("case", BEYOND.values(), ids=BEYOND)
def test_a_row_beyond_a_bound_is_refused_in_single_calls(case: Case, small: Wire) -> None:
    """Learn and Predict, with LIMIT_REACHED and no time to wait, and nothing is learned."""
    x, says = case
    calls: list[Callable[[], Any]] = [
        lambda: small.learn("m", 1.0, x),
        lambda: small.predict("m", x),
    ]
    for call in calls:
        with refused("LIMIT_REACHED") as seen:
            call()
        assert seen[0].code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (seen[0].retry_seconds, seen[0].fields) == (None, ["features"])
        assert says in seen[0].message
    assert small.get("m").learned == 0


@pytest.mark.parametrize("case", BEYOND.values(), ids=BEYOND)
def test_a_row_beyond_a_bound_is_an_error_of_that_row_in_a_stream(case: Case, small: Wire) -> None:
    """The rows around it are learned."""
    x, says = case
    with small.stream() as stream:
        stream.open("s")
        ack = stream.learn(batch(1, [row("m", 1.0, FITS), row("m", 1.0, x), row("m", 1.0, FITS)]))
    assert ack.learned == 2
    assert [(e.row, e.reason) for e in ack.errors] == [(1, pb.ERROR_REASON_LIMIT_REACHED)]
    assert says in ack.errors[0].message


@pytest.mark.parametrize("case", COLUMNS.values(), ids=COLUMNS)
def test_columns_beyond_a_bound_are_errors_of_their_rows(case: Case, small: Wire) -> None:
    """One value for all rows concerns all of them; the stream goes on."""
    x, says = case
    features = {name: [value] for name, value in x.items()}
    with small.stream() as stream:
        stream.open("s")
        ack = stream.learn(
            columns(1, models=["m"], model_index=[0, 0], target=[1.0, 2.0], features=features)
        )
        assert (ack.learned, ack.error_count) == (0, 2)
        assert {e.reason for e in ack.errors} == {pb.ERROR_REASON_LIMIT_REACHED}
        assert says in ack.errors[1].message
        texts = {"c": ["short", "é" * 6]}
        ack = stream.learn(
            columns(2, models=["m"], model_index=[0, 0], target=[1.0, 2.0], features=texts)
        )
        assert (ack.learned, [e.row for e in ack.errors]) == (1, [1])


@pytest.mark.parametrize("case", COLUMNS.values(), ids=COLUMNS)
def test_predict_many_refuses_features_beyond_a_bound(case: Case, small: Wire) -> None:
    """The question as a whole: it is one for all models."""
    x, says = case
    with refused("LIMIT_REACHED") as seen:
        small.predict_many(models=["m"], features={name: [each] for name, each in x.items()})
    assert says in seen[0].message


def test_predict_many_sends_no_long_name_back(small: Wire) -> None:
    """Names that are too long are BAD_NAME; those that fit and are unknown are listed."""
    with refused("BAD_NAME"):
        small.predict_many(models=["m", "x" * 13])
    assert small.predict_many(models=["é" * 6])[0].unknown_models == ["é" * 6]


def test_what_is_at_the_bounds_is_learned_and_answered(small: Wire) -> None:
    """Three features, the longest name and the longest text."""
    assert small.learn("m", 1.0, FITS).learned == 1
    assert small.predict("m", "é" * 5).learned == 1


def test_class_labels_have_a_longest(start_server: StartServer, connect: Connect) -> None:
    """In single calls and in both forms of a stream's batch."""
    wire = connect(start_server(flavor=Flavor.MULTICLASS, limits=LIMITS))
    wire.upload("m", naive_bayes.GaussianNB())
    assert wire.learn("m", "é" * 4, {"a": 1.0}).learned == 1
    with refused("LIMIT_REACHED") as seen:
        wire.learn("m", "é" * 4 + "x", {"a": 1.0})
    assert "9 bytes of UTF-8: at most 8" in seen[0].message
    with wire.stream() as stream:
        stream.open("s")
        ack = stream.learn(batch(1, [row("m", "x" * 9, {"a": 1.0}), row("m", "x", {"a": 1.0})]))
        assert (ack.learned, [e.row for e in ack.errors]) == (1, [0])
        ack = stream.learn(
            columns(2, models=["m", "m"], target_text=["x", "é" * 5], features={"a": [1.0]})
        )
        assert (ack.learned, [e.row for e in ack.errors]) == (1, [1])
        assert ack.errors[0].reason == pb.ERROR_REASON_LIMIT_REACHED


def test_payloads_have_a_largest(small: Wire) -> None:
    """One byte more is refused before anything is made of it."""
    with refused("BAD_PAYLOAD"):
        small.upload("new", b"x" * 20_000)
    with refused("LIMIT_REACHED") as seen:
        small.upload("new", b"x" * 20_001)
    assert "20001 bytes: at most 20000" in seen[0].message
    assert seen[0].fields == ["payload"]


def test_a_template_of_many_features_is_refused_before_they_are_made(small: Wire) -> None:
    """A million features cost what reading them costs."""
    x = {f"f{number}": 1.0 for number in range(20_000)}
    with refused("LIMIT_REACHED") as seen:
        small.predict("m", x)
    assert "20000 features" in seen[0].message


def test_an_estimator_that_takes_too_much_memory_is_refused(
    start_server: StartServer, connect: Connect
) -> None:
    """Whether kernels could run it or not; a smaller one is taken."""
    wire = connect(start_server(limits=Limits(state_bytes_max=2_000)))
    for large in (tree.HoeffdingTreeRegressor(), m5.knn()):
        with refused("LIMIT_REACHED") as seen:
            wire.upload("m", large)
        assert "bytes of memory, and a candidate may take 2,000" in seen[0].message
    wire.upload("m", dummy.StatisticRegressor(stats.Mean()))


def test_pending_predictions_are_so_many_and_the_oldest_go(small: Wire) -> None:
    """The third one pushes the first one out."""
    for name in ("one", "two", "three"):
        small.predict("m", FITS, prediction_id=name)
    with refused("UNKNOWN_PREDICTION"):
        small.learn("m", 1.0, prediction_id="one")
    assert small.learn("m", 1.0, prediction_id="two").learned == 1


def test_a_message_beyond_grpcs_own_bound_is_refused_without_a_reason(
    start_server: StartServer, connect: Connect
) -> None:
    """gRPC's core does that before anything of ours sees it; up to then the reason is told."""
    wire = connect(start_server(message_bytes_max=100_000))
    with pytest.raises(grpc.RpcError) as raised:
        wire.upload("m", b"x" * (100_000 + 1024 * 1024 + 1))
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in (raised.value.details() or "")


def test_metadata_beyond_the_bound_is_refused(start_server: StartServer, connect: Connect) -> None:
    """Below it there is no chance involved, as there is by default."""
    wire = connect(start_server(metadata_bytes_max=4_096))
    for _ in range(20):
        wire.stub.Init(pb.InitRequest(), timeout=SECONDS, metadata=[("x-much", "y" * 3_500)])
    with pytest.raises(grpc.RpcError) as raised:
        wire.stub.Init(pb.InitRequest(), timeout=SECONDS, metadata=[("x-much", "y" * 4_096)])
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


PACE = {"slice_seconds", "slice_seconds_between_calls"}
"""No bounds on callers: how work is cut."""


def bounds() -> dict[str, float]:
    """Return every bound and its default."""
    found = {**Limits().as_numbers(), **_numbers(Config(), "_max", "_min", "keepalive_seconds")}
    found |= {f"web.{name}": value for name, value in _numbers(WebLimits(), "").items()}
    found["keepalive_timeout_seconds"] = Config().keepalive_timeout_seconds
    return {name: value for name, value in found.items() if name not in PACE}


def _numbers(settings: Any, *endings: str) -> dict[str, float]:
    return {
        each.name: getattr(settings, each.name)
        for each in dataclasses.fields(settings)
        if each.name.endswith(endings)
    }


def test_the_documents_table_names_every_bound_with_its_default() -> None:
    """A bound that is added, renamed or changed is so there, too."""
    text = Path("docs/security.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| `")]
    listed = {row[1].strip(" `"): row[2].strip() for row in rows if len(row) == 7}
    assert listed == {name: f"{value}" for name, value in bounds().items()}
