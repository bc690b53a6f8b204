"""A query and the database it reads: read-only, in order of date, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import sqlalchemy
from sqlalchemy import URL, Connection, Date, TextClause, bindparam, exc, text

from thalweg.sync.layout import BadQuery, Layout

FETCH_ROWS = 2_000
"""Rows fetched from the database at a time: a batch, so that memory does not grow with a result."""

DAY = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to learn: the rows of a SELECT, one per model and day.

    Its columns are found by name: `model` (or `id`), `date`, `target` (or `y`); any other is a
    feature. It is read in a transaction that changes nothing, and sorted by date here.

    Args:
        dsn: the database's URL, as SQLAlchemy's. May hold a password: no message shows it.
        sql: the SELECT. `:day` in it is `day`.
        day: what `:day` stands for; None where the query has none.

    Raises:
        BadQuery: another parameter than `:day`.
    """

    dsn: str = field(repr=False)
    sql: str
    day: date | None = None

    def __post_init__(self) -> None:
        for name in sorted(self._parameters - {DAY}):
            raise BadQuery(f"the query has :{name}: only :day has a value (a mere colon is \\:)")

    @property
    def takes_day(self) -> bool:
        """Whether `:day` is in the query."""
        return DAY in self._parameters

    @property
    def _parameters(self) -> set[str]:
        return set(text(self.sql).compile().params)

    @contextmanager
    def result(self) -> Iterator[tuple[Sequence[str], Iterator[Sequence[Any]]]]:
        """Run the query; yield its column names and its rows, fetched as they are asked for.

        Raises:
            BadQuery: the URL, the database or the query is at fault; in the database's words.
        """
        with _explained(self.dsn), _connected(self.dsn) as connection:
            with connection.execute(self._select("WHERE 1 = 0")) as none:
                columns = list(none.keys())
            quoted = connection.dialect.identifier_preparer.quote
            order = ", ".join(quoted(name) for name in Layout(columns).order)
            with connection.execute(self._select(f"ORDER BY {order}")) as rows:
                yield columns, iter(rows)

    def _select(self, rest: str) -> TextClause:
        """Return the query as part of another, on lines of its own: its last may be a comment."""
        inner = self.sql.strip().rstrip(";")
        statement = text(f"SELECT * FROM (\n{inner}\n) sales {rest}")
        if not self.takes_day:
            return statement
        return statement.bindparams(bindparam(DAY, self.day, type_=Date()))


@contextmanager
def _connected(dsn: str) -> Iterator[Connection]:
    """Yield a connection that reads without changing anything, and without reading ahead."""
    engine = sqlalchemy.create_engine(address_of(dsn), poolclass=sqlalchemy.NullPool)
    sqlite = engine.dialect.name == "sqlite"
    if sqlite:
        _require_file(engine.url.database)
    try:
        with engine.connect() as connection:
            if sqlite:
                connection.exec_driver_sql("PRAGMA query_only = ON")
            yield connection.execution_options(
                stream_results=True, yield_per=FETCH_ROWS, postgresql_readonly=True
            )
    finally:
        engine.dispose()


def _require_file(name: str | None) -> None:
    """Raise BadQuery for a file that is not there: SQLite would make an empty one."""
    if name and not name.startswith(("file:", ":memory:")) and not Path(name).is_file():
        raise BadQuery(f"{name}: no such file (sqlite:///shop.db is relative, sqlite:////… is not)")


@contextmanager
def _explained(dsn: str) -> Iterator[None]:
    """Turn what SQLAlchemy and drivers say into one line without the URL's password."""
    try:
        yield
    except exc.NoSuchModuleError:
        dialect = dsn.partition(":")[0]
        raise BadQuery(f"no database is known as {dialect!r}: write postgresql or sqlite") from None
    except ModuleNotFoundError as error:
        raise BadQuery(
            f"the driver {error.name} is missing: install it (for PostgreSQL: thalweg[postgres])"
        ) from error
    except exc.SQLAlchemyError as error:
        cause = error.orig if isinstance(error, exc.DBAPIError) else error
        raise BadQuery(f"{_name(dsn)}: {' '.join(str(cause).split())}") from error


def address_of(dsn: str) -> URL:
    """Return the parts of a URL; its host may be a percent-encoded path, as libpq's may.

    Raises:
        BadQuery: it has none; without a word of it, since it may hold a password.
    """
    try:
        url = sqlalchemy.make_url(dsn)
    except (exc.ArgumentError, ValueError):
        raise BadQuery(
            "the URL of the database cannot be read: write sqlite:///shop.db or "
            "postgresql://user:password@host/database"
        ) from None
    return url.set(host=unquote(url.host)) if url.host else url


def _name(dsn: str) -> str:
    """Return which database it is, without user, password and options."""
    url = address_of(dsn)
    return " ".join(part for part in (url.get_backend_name(), url.host, url.database) if part)
