"""Admitting rows together admits the same as admitting them one by one."""

from __future__ import annotations

from typing import Any

import dill
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from river import dummy, stats

from thalweg_server.core.admission import Admission
from thalweg_server.core.columns import column_faults, numeric
from thalweg_server.core.events import Uploaded
from thalweg_server.core.limits import Limits
from thalweg_server.core.observation import NO_DAY, Batch, Context, Flavor, Names
from thalweg_server.core.screening import Screened, _one_by_one, _together
from thalweg_server.core.service import Service
from thalweg_server.engines.river import RiverEngine
from thalweg_server.storage.memory import MemoryStore

NAMES = ("plain", "dated", "new1", "new2", "nobody", "plain", "bad*name")
"""Two models, two that a template makes, one unknown, one again, and one that is no name."""

rows = st.lists(
    st.tuples(
        st.integers(-1, len(NAMES)),
        st.sampled_from([NO_DAY, 10, 11, 12, 13, 2_932_897]),
        st.sampled_from([0.0, 1.5, float("nan"), 1e16]),
        st.sampled_from([1.0, 1.0, 1.0, float("inf")]),
    ),
    max_size=40,
)


def upload(service: Service, model: str, context: tuple[Context, ...]) -> None:
    """Adds a model, or a template where the name says so."""
    event = Uploaded(
        model=model,
        candidate="c",
        payload=dill.dumps(dummy.StatisticRegressor(stats.Mean())),
        template="*" in model,
        replace=False,
        apply_to_existing=False,
        context=context,
    )
    service.upload(event, None)


def make_service() -> Service:
    """Models that have learned until day 11, one of which wants the date, and a template."""
    service = Service(engine=RiverEngine(), store=MemoryStore(), limits=Limits(), clock=lambda: 0.0)
    service.init(Flavor.REGRESSION, reset=False)
    for model, context in {"plain": (), "dated": (Context.DATE,), "new*": (Context.DATE,)}.items():
        upload(service, model, context)
    learned = Batch(
        names=Names(["plain", "dated"]),
        index=np.arange(2, dtype=np.int32),
        days=np.full(2, 11, np.int32),
        targets=np.zeros(2),
    )
    service.classroom.job(learned, at=0.0).step()
    return service


SERVICE = make_service()
"""Admission changes nothing, so that all examples may share one."""


def make_batch(given_rows: Any, *, columns: bool) -> Batch:
    """The rows as they come from the wire."""
    index = np.array([i for i, *_ in given_rows], np.int32)
    days = np.array([day for _, day, *_ in given_rows], np.int32)
    features = [x for *_, x in given_rows]
    held = {"x": np.array(features)} if columns and given_rows else {}
    batch = Batch(
        names=Names(NAMES),
        index=index,
        days=days,
        targets=np.array([y for _, _, y, _ in given_rows], np.float64),
        columns=held,
        rows=None if columns else [{"x": x} for x in features],
        refused=column_faults(
            names=len(NAMES), index=index, days=days, columns=held, limits=SERVICE.limits
        ),
    )
    return numeric(batch, SERVICE.limits)


def outcome(screened: Screened) -> Any:
    """All that matters of it, in the order of the rows."""
    refused = {row: (type(error).__name__, error.message) for row, error in screened.refused}
    assert len(refused) == len(screened.refused)
    return screened.admitted.tolist(), refused, screened.duplicates


@settings(max_examples=300, deadline=None)
@given(rows, st.booleans(), st.booleans())
def test_together_and_one_by_one_are_the_same(given_rows: Any, skip: bool, columns: bool) -> None:
    """What is admitted, what is refused and why, and what counts as learned before."""
    batch = make_batch(given_rows, columns=columns)

    def admission() -> Admission:
        return Admission(SERVICE.registry, SERVICE.ledger, Flavor.REGRESSION, SERVICE.limits, skip)

    slowly = outcome(_one_by_one(admission(), batch, range(len(batch))))
    assert outcome(_together(admission(), batch, np.arange(len(batch)))) == slowly


def test_the_first_rows_of_all_may_come_many_at_once() -> None:
    """Before any model there is, its template takes them in."""
    service = make_service()
    service.delete("plain", "", template=False)
    service.delete("dated", "", template=False)
    names = Names(f"new{i}" for i in range(20))
    fresh = Service(engine=RiverEngine(), store=MemoryStore(), limits=Limits(), clock=lambda: 0.0)
    fresh.init(Flavor.REGRESSION, reset=False)
    upload(fresh, "new*", (Context.DATE,))
    for each in (service, fresh):
        batch = Batch(
            names=names,
            index=np.arange(20, dtype=np.int32),
            days=np.full(20, 12, np.int32),
            targets=np.ones(20),
        )
        job = each.classroom.job(batch, at=0.0, skip_learned_dates=True)
        while not job.step():
            pass
        assert job.report.learned == 20
        assert each.view("new7").learned == 1
