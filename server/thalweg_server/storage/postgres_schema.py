"""The database of the event log: how it is reached, what is in it, and what its errors say."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from thalweg_server.storage.database import DatabaseUnusable
from thalweg_server.storage.schema import (
    FORMAT,
    Bounds,
    bounds_checksum,
    check_bounds,
    damaged,
)

VERSION_MIN = 140_000
"""PostgreSQL 14: the oldest whose sessions can be kept from ending when idle."""

CONNECTION = {
    "application_name": "thalweg",
    "connect_timeout": "10",
    "target_session_attrs": "read-write",  # of several hosts, the one that is no standby
    # A server whose database is gone has to fail, within half a minute, rather than hang.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""Where the URL does not say otherwise."""

SESSION = {
    "synchronous_commit": "on",
    "search_path": "thalweg",
    # A newer server may wait for this one's statement, and must see what it has committed.
    "default_transaction_isolation": "read committed",
    "idle_in_transaction_session_timeout": "10s",
    # A writer may be idle for as long as it likes, and is not interrupted.
    "idle_session_timeout": "0",
    "statement_timeout": "0",
    "lock_timeout": "0",
}
"""Whatever the server's or the user's own defaults are."""

CREATING = 0x7468616C776567
"""Of the advisory lock under which tables are made: "thalweg"."""

# Bodies are packed already: PostgreSQL need not try.
TABLES = """
CREATE SCHEMA IF NOT EXISTS thalweg;
CREATE TABLE log(position bigint PRIMARY KEY, kind bigint, batch bigint, row bigint,
    event bigint, names bigint, body bytea, checksum bytea);
ALTER TABLE log ALTER body SET STORAGE EXTERNAL;
CREATE TABLE names(id bigint PRIMARY KEY, digest bytea UNIQUE, body bytea, checksum bytea);
ALTER TABLE names ALTER body SET STORAGE EXTERNAL;
CREATE TABLE meta(format bigint, first bigint, next bigint, checksum bytea, id text);
CREATE TABLE lease(generation bigint, holder text, taken timestamptz);
INSERT INTO lease VALUES(0, '', now());
"""

SETTING = "SELECT current_setting(%s)"

_BOUNDS = """
SELECT format, first, next, checksum, id,
    (SELECT min(position) FROM log), (SELECT max(position) FROM log) FROM meta
"""

Connection = psycopg.Connection[tuple[Any, ...]]


class Place:
    """A database by its URL, and what its errors say.

    Args:
        url: postgresql://user:password@host:port/name

    Raises:
        DatabaseUnusable: it is none.
    """

    def __init__(self, url: str) -> None:
        try:
            if not url.startswith(("postgresql://", "postgres://")):
                raise ValueError
            parts = conninfo_to_dict(url)
        except (ValueError, psycopg.Error):  # what libpq says shows the URL
            message = "--store is no URL of a PostgreSQL database: postgresql://user@host/name"
            raise DatabaseUnusable(message) from None
        self.parameters = make_conninfo(url, **{**CONNECTION, **parts})
        self._secrets = [str(parts[key]) for key in ("password", "sslpassword") if parts.get(key)]
        self._name = _shown(parts)

    def __str__(self) -> str:
        return self._name

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Turns what PostgreSQL raises into CorruptStorage where data is lost, or unusable."""
        lost = (psycopg.InternalError, psycopg.errors.UndefinedTable)
        try:
            yield
        except (*lost, psycopg.errors.UndefinedColumn) as error:
            raise damaged(str(self), self._said(error)) from None
        except psycopg.Error as error:
            raise DatabaseUnusable(f"{self}: {self._said(error)}") from None

    def _said(self, error: psycopg.Error) -> str:
        said = " ".join((error.diag.message_primary or str(error)).split())
        for secret in self._secrets:
            said = said.replace(secret, "***")
        return said or type(error).__name__


def connect(place: Place) -> Connection:
    """Connects, and makes the tables where there are none.

    Raises:
        DatabaseUnusable: it cannot be reached or used, or would not keep what it commits.
    """
    with place.explaining():
        connection: Connection = psycopg.connect(place.parameters, autocommit=True)
        try:
            _prepare(connection, place)
        except BaseException:
            connection.close()
            raise
    return connection


def read_bounds(connection: Connection, place: Place) -> tuple[Bounds, str]:
    """Which positions are there, and the log's own id; raises CorruptStorage."""
    with place.explaining():
        # One statement, one moment: an older server may still be writing.
        rows = connection.execute(_BOUNDS).fetchall()
    ends = rows[0][5:] if rows else (None, None)
    bounds = check_bounds(str(place), [row[:4] for row in rows], ends)
    if not rows[0][4]:
        raise damaged(str(place), "its table meta holds no id")
    return bounds, rows[0][4]


def _prepare(connection: Connection, place: Place) -> None:
    if connection.info.server_version < VERSION_MIN:
        version = connection.info.parameter_status("server_version")
        raise DatabaseUnusable(f"{place} is PostgreSQL {version}: Thalweg needs 14 or newer")
    for name, value in SESSION.items():
        connection.execute("SELECT set_config(%s, %s, false)", (name, value))
    for name in ("fsync", "synchronous_commit"):
        shown = connection.execute(SETTING, (name,)).fetchone()
        if shown != ("on",):
            raise DatabaseUnusable(
                f"{place} runs with {name} off: what it commits may be lost; turn it on"
            )
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (CREATING,))
        query = "SELECT count(*) FROM pg_tables WHERE schemaname = 'thalweg'"
        if connection.execute(query).fetchone() == (0,):
            connection.execute(TABLES)
            connection.execute(
                "INSERT INTO meta VALUES(%s, 1, 1, %s, %s)",
                (FORMAT, bounds_checksum(1, 1), uuid.uuid4().hex),
            )


def _shown(parts: Mapping[str, Any]) -> str:
    user = f"{parts['user']}@" if parts.get("user") else ""
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"postgresql://{user}{parts.get('host') or ''}{port}/{parts.get('dbname') or ''}"
