"""A database of its own for each test that needs PostgreSQL."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

SERVER = "THALWEG_TEST_POSTGRES"
"""Environment variable: URL of a PostgreSQL server whose user may make databases."""


@pytest.fixture
def database() -> Iterator[str]:
    """The URL of an empty database; skips where there is no server."""
    server = os.environ.get(SERVER)
    if not server:
        pytest.skip(f"needs a PostgreSQL server: set {SERVER} to its URL, as .ci/run does")
    psycopg = pytest.importorskip("psycopg", reason="needs psycopg: pip install '.[dev]'")
    from psycopg.conninfo import conninfo_to_dict

    try:
        connection = psycopg.connect(server, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        pytest.skip(f"needs the PostgreSQL server of {SERVER}: {' '.join(str(error).split())}")
    name = f"thalweg_{uuid.uuid4().hex}"
    parts = conninfo_to_dict(server)
    with connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        user, port = parts.get("user", ""), parts.get("port", "5432")
        host = str(parts.get("host", "")).replace("/", "%2F")
        secret = f":{parts['password']}" if parts.get("password") else ""
        yield f"postgresql://{user}{secret}@{host}:{port}/{name}"
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
