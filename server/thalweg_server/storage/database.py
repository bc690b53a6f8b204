"""The store in PostgreSQL as a server meets it, before the driver is loaded: opening, failing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thalweg_server.storage.postgres import PostgresStore


class DatabaseUnusable(Exception):
    """A database cannot be reached, has failed or is no place for a log; says what, in one line.

    No password is in it.
    """


class TakenOver(Exception):
    """A newer server writes this database: this one never does again."""


def open_database(
    url: str, folder: Path, *, on_failure: Callable[[Exception], None]
) -> PostgresStore:
    """Opens the log in a PostgreSQL database; see `PostgresStore`.

    Raises:
        DatabaseUnusable: the driver is not installed, too.
    """
    try:
        from thalweg_server.storage.postgres import PostgresStore  # noqa: PLC0415
    except ImportError as error:  # psycopg says so, too, where it lacks its libpq
        if not (error.name or "psycopg").startswith("psycopg"):
            raise
        raise DatabaseUnusable(
            "--store needs the package psycopg: pip install 'thalweg[postgres]'"
        ) from error
    return PostgresStore(url, folder, on_failure=on_failure)


def cure(failure: Exception) -> str:
    """What to do about a failed database."""
    if isinstance(failure, TakenOver):
        return "start this server again only if it shall take it back"
    return "see to the database, then start again"
