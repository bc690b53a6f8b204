"""Init: what a server predicts."""

from __future__ import annotations

import platform
from importlib.metadata import version

import pytest

from tests.conftest import Connect, StartServer
from tests.estimators import Constant, Duck, linear
from tests.structure import difference
from tests.wire import Wire, batch, refused, row
from thalweg.v1 import forecaster_pb2 as pb
from thalweg_server.core.observation import Flavor


def test_a_new_server_has_no_flavor(start_server: StartServer, connect: Connect) -> None:
    """And reports so, with versions, storage and the largest request."""
    wire = connect(start_server(flavor=None))
    assert wire.init() == pb.InitResponse(
        flavor=pb.FLAVOR_UNSPECIFIED,
        server_version=version("thalweg"),
        river_version=version("river"),
        python_version=platform.python_version(),
        storage="memory",
        model_count=0,
        max_message_bytes=64 * 1024 * 1024,
    )


@pytest.mark.parametrize("flavor", list(Flavor))
def test_a_server_may_start_with_a_flavor(
    flavor: Flavor, start_server: StartServer, connect: Connect
) -> None:
    """It needs no Init then."""
    wire = connect(start_server(flavor=flavor))
    assert wire.init().flavor == pb.Flavor.Value(f"FLAVOR_{flavor.name}")
    assert wire.names() == []


def test_the_same_flavor_again_changes_nothing(regression: Wire) -> None:
    """Models, scores, ids and streams stay; open streams go on."""
    wire = regression
    wire.upload("m", linear())
    wire.upload("t*", linear(), template=True)
    wire.learn("m", 1.0, {"a": 1.0}, request_id="r")
    wire.predict("m", prediction_id="p")
    with wire.stream() as stream:
        stream.open("s")
        stream.learn(batch(1, [row("m", 1.0)]))
        before = wire.state()
        assert wire.init(pb.FLAVOR_REGRESSION).model_count == 1
        assert wire.init(pb.FLAVOR_UNSPECIFIED, reset=True).flavor == pb.FLAVOR_REGRESSION
        assert not difference(before, wire.state())
        assert stream.learn(batch(2, [row("m", 1.0)])).learned == 1


def test_another_flavor_needs_a_reset_where_there_are_models_or_templates(
    regression: Wire,
) -> None:
    """An empty server changes freely."""
    wire = regression
    assert wire.init(pb.FLAVOR_BINARY).flavor == pb.FLAVOR_BINARY
    wire.upload("t*", Duck(), template=True)
    with refused("FLAVOR_CONFLICT"):
        wire.init(pb.FLAVOR_MULTICLASS)
    assert wire.init().flavor == pb.FLAVOR_BINARY
    assert wire.init(pb.FLAVOR_MULTICLASS, reset=True).flavor == pb.FLAVOR_MULTICLASS
    assert wire.names(template=True) == []


def test_a_reset_removes_everything(regression: Wire) -> None:
    """Models, templates, scores, pending predictions, watermarks and request ids."""
    wire = regression
    wire.upload("m", Constant(5.0))
    wire.upload("t*", Constant(), template=True)
    wire.learn("m", 1.0, request_id="r")
    wire.predict("m", prediction_id="p")
    wire.predict("m", prediction_id="used")
    wire.learn("m", 1.0, prediction_id="used")
    with wire.stream() as stream:
        stream.open("s")
        stream.learn(batch(1, [row("m", 1.0)]))
    assert wire.init(pb.FLAVOR_REGRESSION, reset=True).model_count == 0
    assert (wire.names(), wire.names(template=True)) == ([], [])
    with refused("UNKNOWN_MODEL"):
        wire.predict("t1")
    wire.upload("m", Constant(1.0))
    with refused("UNKNOWN_PREDICTION"):
        wire.learn("m", 1.0, prediction_id="p")
    wire.predict("m", prediction_id="used")
    assert not wire.learn("m", 1.0, request_id="r").duplicate
    with wire.stream() as stream:
        assert stream.open("s").last_applied_sequence == 0
    assert wire.score("m").mae == 0.0


def test_init_counts_models_without_templates(regression: Wire) -> None:
    """As they are now."""
    regression.upload("a", Constant())
    regression.upload("b*", Constant(), template=True)
    assert regression.init().model_count == 1
    regression.learn("b1", 1.0)
    assert regression.init().model_count == 2
