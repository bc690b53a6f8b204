"""Tables on disk, csv or parquet: their column names, and some columns under given types."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from thalweg.m5.sales import BadSales

ENDINGS = (".csv", ".csv.gz", ".parquet")
"""File name endings that can be read."""

_ONE_THREAD = pa_csv.ReadOptions(use_threads=False)
"""Slower, but what it says of a broken line has the line's number."""


def column_names(path: Path) -> list[str]:
    """Return the table's column names.

    Raises:
        BadSales: no such file, not a table, or a name twice.
    """
    with _explained(path):
        if _is_parquet(path):
            names = list(pq.read_schema(path).names)
        else:
            with pa_csv.open_csv(path, _ONE_THREAD) as reader:
                names = list(reader.schema.names)
    if len(set(names)) < len(names):
        raise BadSales(f"{path}: a column name is there twice: rename or drop one")
    return names


def require(path: Path, columns: Collection[str], names: Collection[str]) -> None:
    """Raise BadSales if the table at `path` has not all `columns` among its `names`."""
    if missing := [column for column in columns if column not in names]:
        raise BadSales(f"{path}: column {missing[0]!r} is missing: it has {_listed(names)}")


def read(path: Path, types: Mapping[str, pa.DataType]) -> pa.Table:
    """Return the columns named in `types`, converted to them. Empty cells are nulls.

    Raises:
        BadSales: a cell that cannot be converted.
    """
    with _explained(path):
        if _is_parquet(path):
            table = pq.read_table(path, columns=list(types))
            return pa.table({name: _cast(table[name], type_) for name, type_ in types.items()})
        options = pa_csv.ConvertOptions(
            include_columns=list(types), column_types=dict(types), strings_can_be_null=True
        )
        try:
            return pa_csv.read_csv(path, convert_options=options)
        except pa.ArrowInvalid:
            return pa_csv.read_csv(path, _ONE_THREAD, convert_options=options)


def _cast(column: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_timestamp(column.type):
        # As text a timestamp would show its midnight, and a date in a csv has none.
        column = pc.cast(column, pa.date32(), safe=False)
    return pc.cast(column, type_)


def _is_parquet(path: Path) -> bool:
    if not path.name.endswith(ENDINGS):
        raise BadSales(f"{path}: can read {', '.join(ENDINGS)}")
    return path.suffix == ".parquet"


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what pyarrow and the file system say into one line that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise BadSales(f"{path}: no such file") from None
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise BadSales(f"{path}: cannot be read as a table: {reason}") from error


def _listed(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:8])
    return shown + (f" and {len(names) - 8} more" if len(names) > 8 else "")
