"""DownloadModel: a candidate, as it is now, as dill bytes."""

from __future__ import annotations

import hashlib
import platform
import threading
from importlib.metadata import version
from typing import Any

import dill
import grpc
import pytest
from river import ensemble, linear_model, naive_bayes, preprocessing, tree

from tests.estimators import Constant, linear
from tests.structure import difference
from tests.wire import Wire, refused


def joined(messages: list[Any]) -> bytes:
    """Return the bytes of a download, checked against its first message."""
    data = b"".join(message.chunk for message in messages)
    first = messages[0]
    assert first.total_bytes == len(data)
    assert first.sha256 == hashlib.sha256(data).digest()
    assert (first.river_version, first.python_version) == (
        version("river"),
        platform.python_version(),
    )
    assert all(m.total_bytes == 0 and not m.sha256 and not m.river_version for m in messages[1:])
    return data


MODELS = {
    "linear": linear,
    "tree": lambda: tree.HoeffdingTreeRegressor(grace_period=5),
    "bagging": lambda: ensemble.BaggingRegressor(linear_model.LinearRegression(), 3, seed=1),
    "projector": lambda: (
        preprocessing.GaussianRandomProjector(2, seed=1) | linear_model.LinearRegression()
    ),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_a_download_goes_on_as_the_server_would(make: Any, regression: Wire) -> None:
    """It loads, equals the live estimator, and so do its next predictions."""
    wire = regression
    wire.upload("m", make())
    for i in range(30):
        wire.learn("m", float(i % 7), {"a": 0.1 * i, "b": float(i % 4)})
    copy = dill.loads(joined(wire.download("m")))
    assert not difference(copy, wire.estimator("m"))
    for i in range(10):
        x, y = {"a": 0.3 * i, "b": float(i % 3)}, float(i)
        expected = copy.predict_one(x)
        copy.learn_one(x, y)
        assert wire.learn("m", y, x).candidates[0].prediction.value == expected
    wire.upload("again", copy)
    assert not difference(wire.estimator("again"), wire.estimator("m"))


def test_the_champion_is_downloaded_where_no_candidate_is_named(regression: Wire) -> None:
    """Any other by its name; a template's is its earliest."""
    wire = regression
    wire.upload("m", Constant(9.0), "far")
    wire.upload("m", Constant(1.0), "near")
    wire.learn("m", 0.0)
    assert dill.loads(joined(wire.download("m"))).answer == 1.0
    assert dill.loads(joined(wire.download("m", "far"))).answer == 9.0
    wire.upload("t*", Constant(3.0), "first", template=True)
    wire.upload("t*", Constant(4.0), "second", template=True)
    assert dill.loads(joined(wire.download("t*", template=True))).answer == 3.0
    assert dill.loads(joined(wire.download("t*", "second", template=True))).answer == 4.0


@pytest.mark.parametrize("size", [0, 1024 * 1024 - 2048, 3 * 1024 * 1024 + 17])
def test_chunks_are_at_most_a_mebibyte(size: int, regression: Wire) -> None:
    """So are the messages they come in."""
    model = Constant()
    model.answer = 1.0
    regression.upload("m", Ballast(size))
    messages = regression.download("m")
    assert max(message.ByteSize() for message in messages) <= 1024 * 1024
    assert len(dill.loads(joined(messages)).ballast) == size
    assert len(messages) == max(1, -(-messages[0].total_bytes // len(messages[0].chunk)))


class Ballast(Constant):
    """Carries bytes about."""

    def __init__(self, size: int) -> None:
        super().__init__(0.0)
        self.ballast = bytes(size)


def test_an_estimator_that_cannot_be_serialised_says_so(regression: Wire) -> None:
    """FAILED_PRECONDITION, and it lives on."""
    regression.upload("m", GrowsALock())
    regression.learn("m", 1.0)
    with refused("ESTIMATOR_FAILED") as seen:
        regression.download("m")
    assert seen[0].code is grpc.StatusCode.FAILED_PRECONDITION
    assert "serialised" in seen[0].message
    assert regression.learn("m", 1.0).learned == 2


class GrowsALock(Constant):
    """Holds what no pickle can, once it has learned."""

    def learn_one(self, x: Any, y: Any) -> None:
        """Take a lock of a frame, which cannot be pickled."""
        self.generator = (i for i in range(3))
        self.lock = threading.local()


def test_downloading_changes_nothing(multiclass: Wire) -> None:
    """Not even a last bit."""
    multiclass.upload("m", naive_bayes.GaussianNB())
    for i in range(9):
        multiclass.learn("m", "ab"[i % 2], {"a": float(i)})
    before = multiclass.estimator("m")
    multiclass.download("m")
    assert not difference(before, multiclass.live("m"))
