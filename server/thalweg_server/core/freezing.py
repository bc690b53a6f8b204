"""The whole service as a snapshot's parts: what is put back behaves as if it had gone on.

Columns rather than an object per candidate, here too: 61,000 of them come back in a fraction of a
second. What can be computed, such as templates' patterns, is not written.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice

from thalweg_server.core.ledger_freezing import freeze_ledger, thaw_ledger
from thalweg_server.core.mixed import (
    Numbered,
    freeze_floats,
    freeze_integers,
    freeze_json,
    thaw_floats,
    thaw_integers,
    thaw_json,
)
from thalweg_server.core.model import Candidate, Model
from thalweg_server.core.observation import Context, Flavor
from thalweg_server.core.ports import Loaded
from thalweg_server.core.prefixed import PrefixedSink, PrefixedSource
from thalweg_server.core.service import Service
from thalweg_server.core.storing import Sink, Source
from thalweg_server.core.streams import Streams, Watermark

_KINDS: tuple[type | None, ...] = (None, str, int, bool)
"""Types that class labels can have, by the number that stands for each."""

_Shared = tuple[str, Loaded, tuple[Context, ...]]
"""What clones of one template's candidate share: its name, what was uploaded, its context."""


def freeze(service: Service, sink: Sink) -> None:
    """Writes everything that the service knows, its engine's state included. Changes nothing."""
    service.engine.freeze(PrefixedSink(sink, "engine/"))
    flavor = service.flavor.value if service.flavor else None
    counts = {"removals": service.registry.removals, "uploads": service.intake.uploads}
    freeze_json(sink, "service", {"flavor": flavor, "by_rmse": service.judge.by_rmse, **counts})
    _freeze_models(service, PrefixedSink(sink, "models/"))
    service.registry.roster.freeze(PrefixedSink(sink, "roster/"))
    service.board.freeze(PrefixedSink(sink, "board/"))
    service.totals.freeze(PrefixedSink(sink, "totals/"))
    freeze_ledger(service.ledger, PrefixedSink(sink, "ledger/"))
    _freeze_streams(service.streams, PrefixedSink(sink, "streams/"))


def thaw(service: Service, source: Source) -> None:
    """Takes over what `freeze` wrote; the service is empty before.

    Raises:
        NotReady: a kernel is being compiled: wait, then thaw again.
        CorruptStorage: a part is damaged. The service is of no use any more, nor is its engine.
    """
    service.engine.thaw(PrefixedSource(source, "engine/"))
    facts = thaw_json(source, "service")
    if facts["flavor"] is not None:
        service.flavor = service.judge.flavor = Flavor(facts["flavor"])
    service.intake.uploads = facts["uploads"]
    service.registry.roster.thaw(PrefixedSource(source, "roster/"))
    service.board.thaw(PrefixedSource(source, "board/"))
    regrouped = service.totals.thaw(PrefixedSource(source, "totals/"))
    _thaw_models(service, facts["removals"], PrefixedSource(source, "models/"))
    thaw_ledger(service.ledger, PrefixedSource(source, "ledger/"))
    _thaw_streams(service.streams, PrefixedSource(source, "streams/"))
    if regrouped:
        for model in service.registry.models.values():
            service.registry.roster.regroup(model.name, model.candidates)
    if facts["by_rmse"] != service.judge.by_rmse:  # the champions are those of another metric
        for model in service.registry.models.values():
            service.judge.reselect(model)


def _freeze_models(service: Service, sink: Sink) -> None:
    models = [*service.registry.models.values()]
    templates = [template.model for template in service.registry.templates.values()]
    freeze_json(sink, "names", [model.name for model in models])
    freeze_json(sink, "templates", [model.name for model in templates])
    everyone = [*models, *templates]
    freeze_integers(sink, "numbers", (model.number for model in everyone))
    freeze_integers(sink, "kinds", (_KINDS.index(model.label_kind) for model in everyone))
    freeze_integers(sink, "widths", (len(model.candidates) for model in everyone))
    candidates = [candidate for model in everyone for candidate in model.candidates]
    freeze_integers(sink, "slots", (each.slot for each in candidates))
    freeze_integers(sink, "uploads", (each.uploaded for each in candidates))
    freeze_integers(sink, "rows", (each.row for each in candidates))
    _freeze_shared(candidates, PrefixedSink(sink, "shared/"))


def _thaw_models(service: Service, removals: int, source: Source) -> None:
    names, globs = thaw_json(source, "names"), thaw_json(source, "templates")
    columns = [thaw_integers(source, each) for each in ("widths", "kinds", "numbers")]
    candidates = _thaw_candidates(source)
    models = [
        Model(name, list(islice(candidates, width)), _KINDS[kind], number)
        for name, width, kind, number in zip((*names, *globs), *columns, strict=True)
    ]
    service.registry.restore(models[: len(names)], models[len(names) :], removals)


def _thaw_candidates(source: Source) -> Iterator[Candidate]:
    shared = _thaw_shared(PrefixedSource(source, "shared/"))
    columns = [thaw_integers(source, each) for each in ("slots", "uploads", "rows")]
    which = (shared[number] for number in thaw_integers(source, "shared/of"))
    for (name, loaded, context), slot, uploaded, row in zip(which, *columns, strict=True):
        yield Candidate(name, slot, loaded, context, uploaded, row)


def _freeze_shared(candidates: list[Candidate], sink: Sink) -> None:
    shared: Numbered[_Shared] = Numbered()
    texts: Numbered[str] = Numbered()
    # By its id first: to hash what was loaded takes longer than all the rest.
    known: dict[tuple[str, int, tuple[Context, ...]], int] = {}
    of = []
    for each in candidates:
        key = (each.name, id(each.loaded), each.context)
        if key not in known:
            known[key] = shared.number((each.name, each.loaded, each.context))
        of.append(known[key])
    freeze_integers(sink, "of", of)
    rows = [
        (
            name,
            loaded.slot,
            texts.number(loaded.estimator),
            sorted(_KINDS.index(kind) for kind in loaded.classes),
            [field.value for field in context],
        )
        for name, loaded, context in shared.values
    ]
    freeze_json(sink, "rows", rows)
    freeze_json(sink, "texts", texts.values)


def _thaw_shared(source: Source) -> list[_Shared]:
    texts = thaw_json(source, "texts")
    return [
        (name, Loaded(slot, texts[text], _classes(kinds)), tuple(map(Context, context)))
        for name, slot, text, kinds, context in thaw_json(source, "rows")
    ]


def _classes(kinds: list[int]) -> frozenset[type]:
    return frozenset(kind for kind in map(_KINDS.__getitem__, kinds) if kind is not None)


def _freeze_streams(streams: Streams, sink: Sink) -> None:
    freeze_json(sink, "ids", [streams.epoch, *streams.marks])
    freeze_integers(sink, "applied", (mark.applied for mark in streams.marks.values()))
    freeze_floats(sink, "at", (mark.at for mark in streams.marks.values()))


def _thaw_streams(streams: Streams, source: Source) -> None:
    streams.epoch, *ids = thaw_json(source, "ids")
    marks = map(Watermark, thaw_integers(source, "applied"), thaw_floats(source, "at"))
    streams.marks = OrderedDict(zip(ids, marks, strict=True))
