"""A service that was frozen and thawed goes on as if nothing had been."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dill
import numpy as np
import pytest
from river import (
    compose,
    dummy,
    feature_extraction,
    linear_model,
    naive_bayes,
    neighbors,
    preprocessing,
    stats,
    tree,
    utils,
)

from tests import estimators
from tests.histories import DAY, History, live, make_service, payloads, told
from tests.parts import Parts
from tests.structure import difference
from thalweg import m5
from thalweg_server.core.events import Progress
from thalweg_server.core.freezing import freeze, thaw
from thalweg_server.core.ledger import Done, Ledger, Pending
from thalweg_server.core.ledger_freezing import freeze_ledger, thaw_ledger
from thalweg_server.core.limits import Limits
from thalweg_server.core.observation import Flavor, Question
from thalweg_server.core.ports import Answer, Engine
from thalweg_server.core.service import Service
from thalweg_server.core.table import Table
from thalweg_server.engines.compiled import CompiledEngine
from thalweg_server.engines.compiled.cache import KernelCache
from thalweg_server.engines.compiled.fleet import Fleets
from thalweg_server.engines.river import RiverEngine
from thalweg_server.storage.snapshots import Snapshots

pytestmark = pytest.mark.timeout(600)  # a kernel's first compilation takes a while

NUMBERS = ("a", "b")


def only_numbers() -> compose.Pipeline:
    """Waits for its features, then is compiled."""
    return (
        compose.Select(*NUMBERS) | preprocessing.StandardScaler() | linear_model.LinearRegression()
    )


def by_shop() -> compose.Pipeline:
    """Keeps a dictionary of texts, and has room for a few groups at first."""
    last = utils.Rolling(stats.Mean, window_size=3)
    return compose.Pipeline(
        feature_extraction.TargetAgg(by=["shop", "b"], how=last), linear_model.LinearRegression()
    )


def nearest() -> compose.Pipeline:
    """Keeps targets in four bytes each where they fit."""
    return compose.Select(*NUMBERS) | neighbors.KNNRegressor(
        n_neighbors=3, engine=neighbors.LazySearch(window_size=20)
    )


def tree_of_numbers() -> compose.Pipeline:
    """Is not compiled."""
    return compose.Select(*NUMBERS) | tree.HoeffdingTreeRegressor(grace_period=5)


REGRESSORS = (
    only_numbers,
    by_shop,
    nearest,
    tree_of_numbers,
    m5.lm,
    m5.knn,
    lambda: dummy.StatisticRegressor(stats.Mean()),
    estimators.RaisesInPredict,
    estimators.Nan,
)

BINARY = (
    lambda: (
        compose.Select(*NUMBERS)
        | preprocessing.StandardScaler()
        | linear_model.LogisticRegression()
    ),
    lambda: compose.Select(*NUMBERS) | naive_bayes.GaussianNB(),
    estimators.Labeller,
)

SEVERAL = (
    lambda: compose.Select(*NUMBERS) | naive_bayes.GaussianNB(),
    estimators.Labeller,
    estimators.Proba,
)

FLAVORS = {
    Flavor.REGRESSION: REGRESSORS,
    Flavor.BINARY: BINARY,
    Flavor.MULTICLASS: SEVERAL,
}


@pytest.fixture(params=["river", "compiled"])
def make_engine(request: pytest.FixtureRequest, kernels: KernelCache) -> Callable[[], Engine]:
    """Makes engines of either kind."""
    if request.param == "river":
        return RiverEngine
    return lambda: CompiledEngine(RiverEngine(), Fleets(kernels))


def state(service: Service) -> dict[str, Any]:
    """Everything that there is of it, to be compared: dill bytes are read, for they differ."""
    parts = Parts()
    freeze(service, parts)
    arrays = {name: (a.dtype.str, a.shape, a.tobytes()) for name, a in parts.arrays.items()}
    data = {name: value for name, value in parts.bytes.items() if name != "engine/plans"}
    return {"arrays": arrays, "data": data, "dumps": sorted(parts.dumps)}


def estimators_of(service: Service) -> Mapping[str, Any]:
    """All live estimators, by model and candidate."""
    return {
        f"{template}/{model.name}/{each.name}": dill.loads(
            service.download(model.name, each.name, template=template)
        )
        for template, models in (
            (False, list(service.registry.models.values())),
            (True, [each.model for each in service.registry.templates.values()]),
        )
        for model in models
        for each in model.candidates
    }


def assert_same(left: Service, right: Service) -> None:
    """Equal in all that can be seen, and in all that is written."""
    assert told(left) == told(right)
    one, other = state(left), state(right)
    for kind, parts in one.items():
        names = (
            parts
            if isinstance(parts, list)
            else [n for n in parts if parts[n] != other[kind].get(n)]
        )
        assert parts == other[kind], (kind, names)
    # River seeds the generators of Gaussians that come into being from the clock, and uses none.
    assert difference(estimators_of(left), estimators_of(right), ignoring=["_rng"]) == ""


def reborn(service: Service, make_engine: Callable[[], Engine], folder: Path) -> Service:
    """What a new server makes of the snapshot of this one."""
    snapshots = Snapshots(folder, {"python": "3"})
    path = snapshots.write(Progress(7, 3, 6), lambda s: freeze(service, s), None, created=1.0)
    progress, source = snapshots.open(path)
    assert progress == Progress(7, 3, 6)
    thawed = make_service(make_engine(), service.limits)
    thaw(thawed, source)
    return thawed


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("flavor", FLAVORS, ids=lambda flavor: flavor.value)
def test_any_history_goes_on_as_if_nothing_had_been(
    flavor: Flavor, seed: int, make_engine: Callable[[], Engine], tmp_path: Path
) -> None:
    """Predictions, scores, champions, listings and duplicates are the same, bit by bit."""
    history = History(flavor, payloads(*(make() for make in FLAVORS[flavor])), seed)
    limits = Limits(ids_kept_max=9, ids_kept_seconds=60_000.0, candidates_max=3)
    service = make_service(make_engine(), limits)
    service.init(flavor, reset=False)
    for count in (15, 60):
        live(service, history.steps(count))
        before = state(service)
        thawed = reborn(service, make_engine, tmp_path)
        assert state(service) == before, "freezing has changed something"
        assert_same(service, thawed)
        steps = history.steps(40)
        for step in steps:
            assert live(service, [step]) == live(thawed, [step]), step
        assert_same(service, thawed)
        service = thawed  # and that again


def test_an_empty_service_is_put_back(make_engine: Callable[[], Engine], tmp_path: Path) -> None:
    """Before Init, too."""
    service = make_service(make_engine())
    thawed = reborn(service, make_engine, tmp_path)
    assert thawed.flavor is None
    thawed.init(Flavor.BINARY, reset=False)
    again = reborn(thawed, make_engine, tmp_path)
    assert again.flavor is Flavor.BINARY
    assert again.streams.epoch == thawed.streams.epoch == 1


def test_streams_go_on_behind_their_watermark(
    make_engine: Callable[[], Engine], tmp_path: Path
) -> None:
    """And expire in the order of their last use."""
    service = make_service(make_engine(), Limits(ids_kept_seconds=100.0))
    service.init(Flavor.REGRESSION, reset=False)
    for name, sequence, at in (("b", 1, 10.0), ("a", 5, 20.5), ("b", 2, 30.25)):
        service.streams.open(name, at)
        service.streams.advance(name, sequence, at)
    thawed = reborn(service, make_engine, tmp_path)
    assert thawed.streams.open("a", 31.0).logged == 5
    assert thawed.streams.open("b", 121.0).logged == 2
    assert list(thawed.streams.marks) == ["b"]


ANSWERS = (
    Answer(value=-0.0),
    Answer(value=0.1),
    Answer(error="ValueError: no"),
    Answer(),
    Answer(label="x", probabilities={"x": 0.7, "y": 0.30000000000000004}),
    Answer(label=True, probabilities={True: 1.0}),
    Answer(label=1, probabilities={}),
    Answer(label=2),
)


def test_ids_come_back_with_what_was_asked_and_answered() -> None:
    """In their order, each value as what it was: True is no 1, and 1 no 1.0."""
    ledger = Ledger(Limits())
    questions = (
        Question("m", DAY, {"z": 1, "a": 1.0, "t": True, "n": None, "s": "é\ud800"}),
        Question("m", DAY, {}),
        Question("n", -5, "a text"),
        Question("n", DAY, {"big": 2**70, "z": -0.0}),
    )
    for number, question in enumerate(questions):
        given = dict(enumerate(ANSWERS[number:]))
        ledger.expect(f"p{number}", Pending(question, given, 100.0 + number / 3))
    ledger.settle("p1", Done("m", 200.1))
    ledger.record("r1", Done("n", 1.5))
    ledger.record("r0", Done("m", 2.5))
    parts, thawed = Parts(), Ledger(Limits())
    freeze_ledger(ledger, parts)
    thaw_ledger(thawed, parts)
    assert difference(list(ledger.predictions.items()), list(thawed.predictions.items())) == ""
    assert difference(list(ledger.requests.items()), list(thawed.requests.items())) == ""
    assert thawed.pending == ledger.pending == 3
    thawed.forget_model("n")
    assert list(thawed.predictions) == ["p0", "p1"]


def test_a_label_that_no_target_equals_is_kept_as_text() -> None:
    """NumPy's numbers as the plain ones that they are."""
    ledger, parts, thawed = Ledger(Limits()), Parts(), Ledger(Limits())
    odd = {1: Answer(label=(1, 2)), 2: Answer(label=np.float64(1.5))}  # type: ignore[arg-type]
    ledger.expect("p", Pending(Question("m"), odd, 1.0))
    freeze_ledger(ledger, parts)
    thaw_ledger(thawed, parts)
    kept = thawed.prediction("p")
    assert isinstance(kept, Pending)
    assert [answer.label for answer in kept.answers.values()] == ["(1, 2)", 1.5]


class Pairs(Table):
    """A table with a matrix."""

    COLUMNS = {"one": (np.int64, 1), "many": (np.float64, 3)}  # noqa: RUF012


def test_a_table_gives_out_the_same_rows_as_before() -> None:
    """Rows that were given back come in the same order, by the length of their run."""
    tables = [Pairs(), Pairs()]
    taken = [tables[0].take(1 + n % 3) for n in range(90)]
    for n in (5, 2, 80, 11, 3):
        tables[0].give_back(taken[n], 1 + n % 3)
    tables[0].one[:] = np.arange(len(tables[0].one))  # type: ignore[attr-defined]
    tables[0].one[taken[5] : taken[5] + 3] = 0  # type: ignore[attr-defined]
    parts = Parts()
    tables[0].freeze(parts)
    tables[1].thaw(parts)
    for count in (3, 3, 3, 1, 2, 1, 2, 100, 1):
        assert tables[0].take(count) == tables[1].take(count)
    assert tables[0].size == tables[1].size
    assert len(tables[0].many) == len(tables[1].many)  # type: ignore[attr-defined]
