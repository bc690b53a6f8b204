"""Batches as a JSON header and the bytes of their arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from thalweg_server.core.errors import BadRequest, Refusal
from thalweg_server.core.observation import Batch, Column, Features, Names
from thalweg_server.storage.arrays import FEW, Packer, Spec, Unpacker

NAMES_INLINE_MAX = 63
"""Names that go with their batch; longer lists are stored once for all batches that bring them."""

Header = dict[str, Any]


def pack_batch(batch: Batch, packer: Packer) -> Header:
    """The header of a batch; its arrays go to the packer. Long lists of names are in neither."""
    header: Header = {
        "count": len(batch),
        "index": packer.ordered(batch.index),
        "days": packer.ordered(batch.days),
        "targets": _pack_targets(batch, packer),
    }
    if len(batch.names) <= NAMES_INLINE_MAX:
        header["names"] = batch.names
    if batch.columns:
        header["columns"] = [
            (name, *_pack_column(column, packer)) for name, column in batch.columns.items()
        ]
    if batch.rows is not None:
        header["rows"] = _pack_rows(batch)
    if batch.prediction_ids:
        header["prediction_ids"] = list(batch.prediction_ids.items())
    if batch.request_ids:
        header["request_ids"] = list(batch.request_ids.items())
    if batch.refused:
        header["refused"] = list(batch.refused)
    return header


def unpack_batch(header: Header, unpacker: Unpacker, names: Names | None) -> Batch:
    """The batch again.

    Args:
        header: what `pack_batch` returned.
        unpacker: at the batch's first array.
        names: the list, where it was too long to go with the batch.
    """
    count = header["count"]
    index = unpacker.whole(header["index"], count)
    days = unpacker.whole(header["days"], count)
    kind, spec = header["targets"]
    targets: Any = spec
    if kind != "list":
        targets = unpacker.floats(spec, count)
    if kind == "floats":
        targets = targets.tolist()
    columns: dict[str, Column] = {}
    for name, length, column in header.get("columns", ()):
        texts = isinstance(column, dict)
        columns[name] = column["texts"] if texts else unpacker.floats(column, length)
    rows = header.get("rows")
    return Batch(
        names=Names(header["names"]) if names is None else names,
        index=index,
        days=days,
        targets=targets,
        columns=columns,
        rows=[{} for _ in range(count)] if rows == "empty" else rows,
        prediction_ids=dict(header.get("prediction_ids", ())),
        request_ids=dict(header.get("request_ids", ())),
        refused=_refused(header),
    )


def _pack_targets(batch: Batch, packer: Packer) -> tuple[str, Spec]:
    targets = batch.targets
    if not isinstance(targets, list):
        return "array", packer.floats(targets)
    if len(targets) > FEW and set(map(type, targets)) == {float}:  # rows of a regression
        return "floats", packer.floats(np.array(targets, np.float64))
    return "list", targets


def _pack_column(column: Column, packer: Packer) -> tuple[int, Spec]:
    if isinstance(column, np.ndarray):
        return len(column), packer.floats(column)
    return len(column), {"texts": list(column)}


def _pack_rows(batch: Batch) -> list[Features] | str:
    rows = batch.rows or ()
    if batch.refused:  # nobody will see these, and they may be what JSON cannot say
        rows = [{} if row in batch.refused else x for row, x in enumerate(rows)]
    return list(rows) if any(x != {} for x in rows) else "empty"


def _refused(header: Header) -> Mapping[int, Refusal]:
    return {row: BadRequest("refused when it came") for row in header.get("refused", ())}
