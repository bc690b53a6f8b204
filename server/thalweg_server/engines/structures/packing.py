"""Estimators as bytes of plain data, and back."""

from __future__ import annotations

from typing import Any

import msgpack

from thalweg_server.engines.structures.classes import ESTIMATOR, KINDS, NAMES
from thalweg_server.engines.structures.errors import Malformed, Unpackable
from thalweg_server.engines.structures.field import Packing, Unpacking
from thalweg_server.engines.structures.limits import BYTES_MAX, LENGTH_MAX, OBJECTS_MAX, TEXT_MAX

FORMAT = 1
"""First in the data; another number is another table of classes."""

REASON_MAX = 500
"""Characters of what an error says, which may quote the data."""

LISTS_MAX = 4 * OBJECTS_MAX
"""Of the data itself: no object takes more."""


def pack(estimator: Any) -> bytes:
    """An estimator, with all that it has learned, as plain data.

    Args:
        estimator: of the classes that the compiled engine lowers, which is not changed.

    Raises:
        Unpackable: some part of it is of another class, has attributes or entries that River does
            not give it, is within itself, or there is more than a row of a fleet could hold.
    """
    try:
        try:
            payload = _packed(estimator, wide=False)
        except OverflowError:
            payload = _packed(estimator, wide=True)
    except Exception as error:
        raise Unpackable(_text(error)) from error
    if len(payload) > BYTES_MAX:
        raise Unpackable(f"it takes {len(payload)} bytes, more than {BYTES_MAX}")
    return payload


def unpack(data: bytes | memoryview) -> Any:
    """The estimator that `pack` was given, equal to it to the bit.

    Runs nothing that the data names: its classes and functions are those of a table, their objects
    are made without `__init__`, and every attribute is of a kind that the table says.

    Args:
        data: from anywhere.

    Raises:
        Malformed: it is not what `pack` gives.
    """
    size = memoryview(data).nbytes
    if size > BYTES_MAX:
        raise Malformed(f"{size} bytes are more than {BYTES_MAX}")
    try:
        version, node = _tree(data)
        if version != FORMAT:
            raise Malformed(f"it is of format {version!r}, not of {FORMAT}")
        return ESTIMATOR.unpack(node, Unpacking(NAMES), None)
    except Exception as error:
        raise Malformed(_text(error)) from error


def _text(error: Exception) -> str:
    known = isinstance(error, Malformed | Unpackable)
    return (str(error) if known else f"{type(error).__name__}: {error}")[:REASON_MAX]


def _packed(estimator: Any, *, wide: bool) -> bytes:
    node = ESTIMATOR.pack(estimator, Packing(KINDS, wide=wide), None)
    payload: bytes = msgpack.packb([FORMAT, node], unicode_errors="surrogatepass")
    return payload


def _refuse(_: Any) -> Any:
    raise Malformed("it has a map")


def _tree(data: bytes | memoryview) -> Any:
    lists = 0

    def counted(made: list[Any]) -> list[Any]:
        nonlocal lists
        lists += 1
        if lists > LISTS_MAX:
            raise Malformed(f"it has more than {LISTS_MAX} lists")
        return made

    return msgpack.unpackb(
        data,
        list_hook=counted,
        object_hook=_refuse,
        unicode_errors="surrogatepass",
        max_str_len=4 * TEXT_MAX,
        max_bin_len=8 * LENGTH_MAX,
        max_array_len=LENGTH_MAX + 1,
        max_map_len=0,
        max_ext_len=0,
    )
