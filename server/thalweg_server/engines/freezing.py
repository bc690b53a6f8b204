"""The river engine in a snapshot: each estimator as dill bytes, what is said of it in columns."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import dill
import numpy as np

from thalweg_server.core.errors import CorruptStorage
from thalweg_server.core.mixed import freeze_json, thaw_json
from thalweg_server.core.observation import Context, Flavor
from thalweg_server.core.storing import Sink, Source
from thalweg_server.engines.cell import Cell
from thalweg_server.engines.pickling import serialise
from thalweg_server.engines.texts import text_of

_FLAVORS = tuple(Flavor)
_CONTEXTS = tuple(Context)


def freeze_cells(cells: Mapping[int, Cell], next_slot: int, sink: Sink) -> None:
    """Writes cells; an estimator that has learned nothing since is not dumped again."""
    columns = [
        (
            slot,
            cell.changes,
            _FLAVORS.index(cell.flavor),
            cell.probabilistic,
            cell.own_label,
        )
        for slot, cell in cells.items()
    ]
    sink.array("cells", np.array(columns, np.int64).reshape(-1, 5))
    contexts = [[_CONTEXTS.index(each) for each in cell.context] for cell in cells.values()]
    freeze_json(sink, "facts", {"next_slot": next_slot, "contexts": contexts})
    for slot, cell in cells.items():
        # A slot is never another's, so that it names one estimator for ever.
        sink.dump(str(slot), cell.changes, partial(serialise, cell.estimator))


def thaw_cells(source: Source) -> tuple[dict[int, Cell], int]:
    """Cells by slot, and the next slot."""
    facts = thaw_json(source, "facts")
    cells = {}
    columns = source.array("cells").tolist()
    for (slot, changes, flavor, probabilistic, own_label), context in zip(
        columns, facts["contexts"], strict=True
    ):
        cells[slot] = Cell(
            loaded(source.data(str(slot)), f"estimator {slot}"),
            tuple(_CONTEXTS[each] for each in context),
            _FLAVORS[flavor],
            bool(probabilistic),
            bool(own_label),
            changes,
        )
    return cells, facts["next_slot"]


def loaded(payload: bytes, what: str) -> Any:
    """What was dumped into a snapshot; raises CorruptStorage."""
    try:
        return dill.loads(payload)
    except BaseException as error:
        raise CorruptStorage(
            f"{what} in the snapshot is whole and does not load: {text_of(error)}. Start the "
            "server as it was when it wrote the snapshot, or delete the snapshot to replay the "
            "log if it is whole"
        ) from error
