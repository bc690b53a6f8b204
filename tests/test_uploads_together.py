"""Uploads that wait together: those that do not depend on each other are logged as one."""

from __future__ import annotations

from typing import Any

import dill
import pytest
from river import dummy, naive_bayes, stats

from tests.conftest import Connect, StartServer
from tests.wire import Wire
from thalweg.v1 import forecaster_pb2 as pb
from thalweg_server.core.errors import Refusal
from thalweg_server.core.events import Uploaded
from thalweg_server.core.limits import Limits
from thalweg_server.engines.river import RiverEngine

A, B, C = 1.0, 2.0, 3.0


def upload(name: str, estimator: Any, *, template: bool = False) -> tuple[Uploaded, None]:
    """One of "model/candidate"."""
    model, candidate = name.split("/")
    event = Uploaded(
        model=model,
        candidate=candidate,
        payload=dill.dumps(estimator),
        template=template,
        replace=False,
        apply_to_existing=False,
        context=(),
    )
    return event, None


def constant(value: float) -> Any:
    """Predicts a number."""
    estimator = dummy.StatisticRegressor(stats.Mean())
    estimator.learn_one({}, value)
    return estimator


@pytest.fixture
def wire(start_server: StartServer, connect: Connect) -> Wire:
    """A server whose models may have two candidates."""
    return connect(start_server(engine=RiverEngine(), limits=Limits(candidates_max=2)))


def together(wire: Wire, *uploads: tuple[Uploaded, None]) -> tuple[list[str], list[int]]:
    """What became of each, and how many events were logged at a time."""
    service, sizes = wire.server.server.service, list[int]()
    append = service.store.append

    def counted(events: Any, progress: Any) -> int:
        sizes.append(len(events))
        return append(events, progress)

    service.store.append = counted  # type: ignore[method-assign]
    outcomes = dict(wire.run(lambda: list(service.upload_together(list(uploads)))))
    service.store.append = append  # type: ignore[method-assign]
    told = [outcomes[number] for number in range(len(uploads))]
    return [type(each).__name__ if isinstance(each, Refusal) else "" for each in told], sizes


def test_candidates_of_one_model_share_a_commit(wire: Wire) -> None:
    """As those of different models do."""
    uploads = [upload(name, constant(A)) for name in ("m/a", "m/b", "n/a", "n/b")]
    assert together(wire, *uploads) == ([""] * 4, [4])
    assert [each.candidate for each in wire.get("m").candidates] == ["a", "b"]


def test_one_that_needs_to_know_of_those_before_it_waits_for_them(wire: Wire) -> None:
    """The same candidate twice; one more than may be; a template."""
    uploads = [
        *(upload("m/a", constant(A)), upload("m/a", constant(B)), upload("m/b", constant(B))),
        *(upload("m/c", constant(C)), upload("n/a", constant(C))),
        *(upload("t*/a", constant(C), template=True), upload("t1/a", constant(A))),
    ]
    outcomes, sizes = together(wire, *uploads)
    assert outcomes == ["", "CandidateExists", "", "LimitReached", "", "", ""]
    assert sum(sizes) == 5
    assert wire.predict("m", candidate="a").prediction.value == A
    assert wire.predict("m", candidate="b").prediction.value == B


def test_candidates_agree_on_the_type_of_their_classes(wire: Wire) -> None:
    """Also where they come together."""
    wire.init(pb.FLAVOR_MULTICLASS, reset=True)
    texts, numbers = naive_bayes.GaussianNB(), naive_bayes.GaussianNB()
    texts.learn_one({"a": 1.0}, "yes")
    numbers.learn_one({"a": 1.0}, 7)
    outcomes, sizes = together(wire, upload("m/a", texts), upload("m/b", numbers))
    assert outcomes == ["", "NotAnEstimator"]
    assert sizes == [1]
